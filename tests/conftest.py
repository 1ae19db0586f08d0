"""What every test shares: folders with an expensive fixture run on one worker each, so that it is made once."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        folder = item.path.relative_to(TESTS).parent
        if folder.parts and folder.parts[0] in ("infra", "local", "journeys"):
            item.add_marker(pytest.mark.xdist_group("/".join(folder.parts)))
