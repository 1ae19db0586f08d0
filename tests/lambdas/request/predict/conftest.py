import pytest

from lambdas.request import predict as function


@pytest.fixture(autouse=True)
def cold_start():
    """Nothing of the routing is remembered from the test before."""
    function.ROUTING.routing, function.ROUTING.read_at = None, float("-inf")
