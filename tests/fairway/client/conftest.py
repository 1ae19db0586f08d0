"""An API that answers what a test tells it to."""

import contextlib

import pytest

from tests.fairway.client.server import serving


@pytest.fixture
def api():
    """Build an API that gives these answers, one after the other, the last one forever: (its URL, requests so far)."""
    with contextlib.ExitStack() as opened:

        def build(*answers):
            remaining = list(answers)

            def answer(request):
                current = remaining.pop(0) if len(remaining) > 1 else remaining[0]
                return current(request)

            return opened.enter_context(serving(answer))

        yield build
