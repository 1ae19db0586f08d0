"""Time the answers to single rows: what a release costs its callers, measured before it is chosen."""

import json
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from domain.contract.schema import Contract
from model_code.answers.answering import responder
from model_code.answers.reply import JSON, Reply
from model_code.artefact.folder import Artefact
from model_code.rows.identity import row_values

_TIMED_REQUESTS = 200
_TIMED_ROUNDS = 15
_TIMED_SECONDS = 4.0
_WARM_UP = 20


class Latency(NamedTuple):
    """Milliseconds that half of the requests, and all but one in a hundred, did not exceed."""

    p50_ms: float
    p99_ms: float
    timed_requests: int


def answer_latency(artefact: Artefact, contract: Contract, table: pa.Table) -> Latency:
    """Time the answers to one row each, from its JSON bytes to the answer's, as in `serve` without the network.

    Of several rounds the quickest counts, as in `timeit`: a slower one shares the machine with other work.
    """
    bodies = _one_row_bodies(artefact.contract, table, checked_under=contract.hash)
    respond = responder(artefact, JSON, accept="")
    _timed_round(respond, bodies[:_WARM_UP])
    until = time.perf_counter() + _TIMED_SECONDS
    rounds = [_timed_round(respond, bodies)]
    while len(rounds) < _TIMED_ROUNDS and time.perf_counter() < until:
        rounds.append(_timed_round(respond, bodies))
    p50, p99 = min((np.percentile(seconds, [50, 99]) * 1000 for seconds in rounds), key=lambda both: both[1])
    return Latency(float(p50), float(p99), len(rounds) * len(bodies))


def side_by_side(
    models: dict[str, tuple[Callable[[bytes], Reply], list[bytes]]],
) -> dict[str, Latency]:
    """Time models on bodies of single rows, a round of one after a round of the other, so that what else the machine
    does is shared; of several rounds each model's quickest counts.
    """
    found: dict[str, Latency] = {}
    for respond, bodies in models.values():
        _timed_round(respond, bodies[:_WARM_UP])
    until = time.perf_counter() + _TIMED_SECONDS
    for number in range(_TIMED_ROUNDS):
        for name, (respond, bodies) in models.items():
            p50, p99 = np.percentile(_timed_round(respond, bodies), [50, 99]) * 1000
            quickest = found.get(name)
            if quickest is None or p99 < quickest.p99_ms:
                found[name] = Latency(float(p50), float(p99), (number + 1) * len(bodies))
        if time.perf_counter() > until:
            break
    return found


def _timed_round(respond: Callable[[bytes], Reply], bodies: list[bytes]) -> list[float]:
    seconds = []
    for body in bodies:
        start = time.perf_counter()
        respond(body)
        seconds.append(time.perf_counter() - start)
    return seconds


def _one_row_bodies(contract: Contract, table: pa.Table, *, checked_under: str) -> list[bytes]:
    """Write rows as `predict` sends them: the features of the model's own contract, as far as the rows have them."""
    spread = np.unique(np.linspace(0, len(table) - 1, _TIMED_REQUESTS).astype(int))
    some = table.take(pa.array(spread))
    there = [column for column in contract.features if column.name in table.schema.names]
    columns = {column.name: row_values(column, some) for column in there}
    rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    return [json.dumps({"instances": [row], "contract": checked_under}).encode() for row in rows]
