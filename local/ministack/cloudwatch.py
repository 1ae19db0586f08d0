HOOKS = ()


def register() -> None:
    pass
