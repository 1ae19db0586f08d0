"""BentoML: a service of two workers, as its documentation shows it."""

from typing import Any

import bentoml
from model import score


@bentoml.service(workers=2, traffic={"timeout": 60})
class Scores:
    @bentoml.api(route="/invocations")
    def invocations(self, instances: list[dict[str, Any]]) -> dict[str, Any]:
        return {"predictions": score(instances)}
