HOOKS = ()


def register() -> None:
    pass


def declared():
    return []
