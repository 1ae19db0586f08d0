"""What every test shares: folders with an expensive fixture run on one worker each, so that it is made once."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    for item in items:
        folder = item.path.relative_to(TESTS).parent
        if folder.parts and folder.parts[0] in ("infra", "lambdas", "local", "journeys"):
            item.add_marker(pytest.mark.xdist_group("/".join(folder.parts)))


def pytest_make_parametrize_id(config, val, argname):
    """Bytes are named by their length: some hold a clock (gzip), some are long, and every worker must see the same names."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
