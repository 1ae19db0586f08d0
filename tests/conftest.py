"""What every test shares: names that are the same on every worker, and a place of a user's own."""

import os
import signal
import sys

import pytest
from hypothesis import HealthCheck, settings

# What this process and the commands that it starts import is compiled once, not by every one of them, which would take
# longer than most tests do: 2.9 CPU seconds for a `fairway load` instead of 1.1.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A slow example is a busy machine's, not a wrong answer; timing belongs in bench/.
settings.register_profile("fairway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fairway")


@pytest.fixture(scope="session", autouse=True)
def user_of_the_tests(tmp_path_factory):
    """What Fairway keeps of a user outside of projects is kept apart from what the real one has."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("user")))
        yield


def pytest_configure() -> None:
    """Heed the signals that the tests' commands are sent: nohup ignores SIGHUP, a shell SIGINT of what it runs in the
    background, and a command would inherit that and wait forever.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Take half as many workers again as processors: a third of the tests' time is waiting for servers and jobs."""
    return (os.cpu_count() or 1) * 3 // 2


# A file stays on one worker, so the longest ones begin first: no worker ends minutes after the others.
LONGEST = ("tests/journeys/test_flights", "tests/journeys", "tests/model_code/importing", "tests/model_code/plan")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take minutes first; the order within a file stays."""
    items.sort(key=lambda item: next((i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start)), 99))


def pytest_make_parametrize_id(config, val, argname):
    """Bytes are named by their length: some hold a clock (gzip), some are long, and every worker must see the same
    names.
    """
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
