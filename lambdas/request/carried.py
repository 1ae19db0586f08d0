"""The models that this function carries, opened when the first row asks for them."""

import os

from lambdas.aws import signatures
from lambdas.aws.routes import ReleaseUnknown, read_release_model
from lambdas.request import embedded
from lambdas.request.embedded import Answer

ROUTING = os.environ["ROUTING_TABLE"]


def open_model(release: str) -> Answer:
    """Open the release's model here. Raises ReleaseUnknown, and what `open_release` raises."""
    from lambdas.aws import artefacts  # lazy: where endpoints answer nothing of it is needed

    model = read_release_model(ROUTING, release)
    if model is None:
        raise ReleaseUnknown(f"release {release} has no item in table {ROUTING}")
    return artefacts.open_release(model, verify=signatures.verify)


MODELS = embedded.Models(open_model)
