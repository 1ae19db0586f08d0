"""What every test shares: names that are the same on every worker."""


def pytest_make_parametrize_id(config, val, argname):
    """Bytes are named by their length: some hold a clock (gzip), some are long, and every worker must see the same
    names.
    """
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
