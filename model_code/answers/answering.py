"""One request's bytes in, its answer's bytes out: what `serve` does per request, what `evaluate` times, what golden
rows prove.
"""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator

from domain.contract.schema import Contract
from domain.contract.text import from_text
from model_code.answers.reply import JSON, Reply
from model_code.artefact.folder import Artefact, ArtefactRefused
from model_code.rows.features import check_features

CSV, LINES = "text/csv", "application/jsonlines"
ALSO_LINES = ("application/jsonl", "application/x-jsonlines", "application/x-ndjson", "application/ndjson")
SAME_WITHIN = 1e-9  # unless the golden rows say otherwise: a model in float32 is no surer than that
MOST_REASONS = 6 * 1024 * 1024  # as long as the longest request
MOST_ANSWERS = 1 << 22  # numbers in one reply, some 80 MB: a row of two bytes may ask for one of each class
NO_ANSWER = "the model has no finite answer to this row"


class RequestRefused(Exception):
    """A request as a whole cannot be answered: `status`, `code` and `more` headers as HTTP has them."""

    def __init__(self, status: int, code: str, message: str, *, more: bytes = b""):
        self.status, self.code, self.more = status, code, more
        super().__init__(message)


def respond(artefact: Artefact, body: bytes, content_type: str = JSON, accept: str = "") -> Reply:
    """Scores the rows of a request; a row that cannot be scored is answered by {"error": why} and spoils no other."""
    return responder(artefact, content_type, accept)(body)


def responder(artefact: Artefact, content_type: str, accept: str) -> Callable[[bytes], Reply]:
    """What answers the bodies of requests with these headers; RequestRefused where no body could be."""
    kind, wanted = kinds_of(content_type, accept)
    reply_within, form = artefact.scorer.reply_within, FORMS[kind]

    def row_by_row(body: bytes) -> Reply:
        answers, refused = answer(artefact.contract, artefact.scorer, PARSE[kind](artefact.contract, body))
        return Reply(WRITE[wanted](artefact, answers), wanted, len(answers), refused)

    def at_once(body: bytes) -> Reply:
        found = reply_within(body, form)
        # None where some row may be at fault: the contract's own words for it, row by row
        return row_by_row(body) if found is None else Reply(found[0], wanted, found[1])

    return at_once if kind == wanted else row_by_row


def kinds_of(content_type: str, accept: str) -> tuple[str, str]:
    """What the body is read as, and what the reply is written as."""
    kind = kind_of(content_type) or JSON
    if kind not in PARSE:
        raise RequestRefused(415, "unsupported_content_type", f"{content_type!r} is not read; send {', '.join(PARSE)}")
    return kind, wanted_kind(accept, kind)


def kind_of(header: str) -> str:
    kind = header.partition(";")[0].strip().lower()
    return LINES if kind in ALSO_LINES else kind


def wanted_kind(accept: str, given: str) -> str:
    """What weighs most, then what is named first, then what was given (RFC 9110, 12.5.1)."""
    ranges = [(kind_of(part), weight_of(part)) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    best = max([given, *WRITE], key=lambda kind: liking(kind, ranges))
    if liking(best, ranges)[0] == 0:
        raise RequestRefused(406, "unsupported_accept", f"{accept!r} is not written; accept {', '.join(WRITE)}")
    return best


def weight_of(part: str) -> float:
    found = re.search(r";\s*q=(0(?:\.\d*)?|1(?:\.0*)?)\s*(?:;|$)", part, re.IGNORECASE)
    return float(found[1]) if found else 1.0


def liking(kind: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """(weight, place) of the range that says most about the kind."""
    for wanted in (kind, kind.partition("/")[0] + "/*", "*/*"):
        for place, (name, weight) in enumerate(ranges):
            if name == wanted:
                return weight, -place
    return 0.0, 0


def answer(contract: Contract, scorer, instances: list) -> tuple[list, int]:
    """The score of each row in its place, or {"error": why}; and how many could not be scored."""
    width = len(scorer.classes) if contract.task == "multiclass" else 1
    if len(instances) * width > MOST_ANSWERS:
        message = f"{len(instances) * width:,} numbers are asked for; at most {MOST_ANSWERS:,} are answered at once, send fewer rows"
        raise RequestRefused(413, "too_many_answers", message)
    checked = list(checked_rows(contract, instances))
    good = [values for values, reason in checked if not reason]
    scores = iter(plain_lists(contract, scorer.score_lists(good)) if good else ())
    answers = [
        {"error": reason or NO_ANSWER} if reason or (score := next(scores)) is None else score for _, reason in checked
    ]
    return answers, sum(isinstance(one, dict) for one in answers)


def checked_rows(contract: Contract, instances: list) -> Iterator[tuple[dict, str]]:
    """Each row's values, and why it cannot be scored: two bytes of a row may ask for hundreds of reasons."""
    room = MOST_REASONS
    for row in instances:
        values, problems = check_features(contract, row)
        reason = "; ".join(problems)
        room -= len(reason)
        if room < 0:
            message = f"why rows cannot be scored would take more than {MOST_REASONS:,} characters; send fewer rows at once. One of them: {reason:.200}"
            raise RequestRefused(413, "too_many_faults", message)
        yield values, reason


def plain_lists(contract: Contract, scores: list[list[float]]) -> list:
    """The scores of each row as the answers are given: P(positive), one probability per class, or the value; None where
    one is not finite.
    """
    if contract.task == "multiclass":
        return [row if all(map(math.isfinite, row)) else None for row in scores]
    return [row[-1] if math.isfinite(row[-1]) else None for row in scores]


# ---- reading


def parse_json(contract: Contract, body: bytes) -> list:
    document = decoded(body)
    rows = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise RequestRefused(400, "bad_request", 'the body must be {"instances": [{column: value, ...}, ...]}')
    return rows


def parse_lines(contract: Contract, body: bytes) -> list:
    # not `splitlines`: a \r is a space to JSON, in the files of a batch too
    return [decoded(line) for line in body.split(b"\n") if line.strip()]


def parse_csv(contract: Contract, body: bytes) -> list:
    """Cells in the order of the contract's features, or of a first line that names columns."""
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RequestRefused(400, "bad_request", f"the body is not CSV: {error}") from None
    names = [column.name for column in contract.features]
    if lines and set(lines[0]) <= set(contract.by_name):
        names = lines.pop(0)
    return [csv_row(contract, names, cells) for cells in lines]


def csv_row(contract: Contract, names: list[str], cells: list[str]):
    if len(cells) != len(names):
        return f"{len(cells)} cells where {len(names)} are needed"
    return {name: from_text(contract.by_name[name], cell) for name, cell in zip(names, cells, strict=True)}


def decoded(text: bytes):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(400, "bad_request", f"the body is not JSON: {error}") from None


FORMS = {JSON: 0, LINES: 1, CSV: 2}  # as the kernel counts them
PARSE = {JSON: parse_json, LINES: parse_lines, CSV: parse_csv}


# ---- writing


def write_json(artefact: Artefact, answers: list) -> bytes:
    document = {"predictions": answers}
    if artefact.contract.task == "multiclass":
        document["classes"] = artefact.manifest["classes"]
    return compact(document)


def write_lines(artefact: Artefact, answers: list) -> bytes:
    return b"".join(compact(answer) + b"\n" for answer in answers)


def write_csv(artefact: Artefact, answers: list) -> bytes:
    """One line a row: its score, or its scores in the order of the classes; a row without one leaves its line empty."""
    return "".join(",".join(map(repr, cells(answer))) + "\n" for answer in answers).encode()


def cells(answer) -> list[float]:
    if isinstance(answer, dict):
        return []
    return answer if isinstance(answer, list) else [answer]


def compact(value) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


WRITE = {JSON: write_json, LINES: write_lines, CSV: write_csv}


# ---- golden rows


def golden_answers(contract: Contract, scorer, instances: list[dict]) -> dict:
    """What the rows are answered, in 12 digits: the last bits are another machine's to choose."""
    predictions, _ = answer(contract, scorer, instances)
    return {"predictions": [rounded(one) for one in predictions]}


def rounded(one):
    if isinstance(one, list):
        return [rounded(part) for part in one]
    return float(f"{one:.12g}") if isinstance(one, float) else one


def prove_golden(artefact: Artefact) -> int:
    """How many golden rows were answered as in training; ArtefactRefused names the first that was not. They are asked
    twice: row by row, and in the bytes of a request.
    """
    instances, expected = artefact.golden["instances"], artefact.golden["predictions"]
    if len(instances) != len(expected) or not instances:
        raise ArtefactRefused(f"golden.json has {len(expected)} predictions for {len(instances)} instances")
    within = artefact.golden.get("within", SAME_WITHIN)
    by_row, _ = answer(artefact.contract, artefact.scorer, instances)
    replied = json.loads(respond(artefact, compact({"instances": instances})).body)["predictions"]
    for place, (wanted, *found) in enumerate(zip(expected, by_row, replied, strict=True)):
        for one in found:
            if not same(one, wanted, within):
                raise ArtefactRefused(
                    f"golden row {place} is answered {one}, in training it was {wanted}; this build scores differently"
                )
    return len(instances)


def same(one, other, within: float = SAME_WITHIN) -> bool:
    if isinstance(one, dict) or isinstance(other, dict):
        return one == other
    pairs = zip(cells(one), cells(other), strict=False)
    return len(cells(one)) == len(cells(other)) and all(
        math.isclose(a, b, rel_tol=within, abs_tol=within) for a, b in pairs
    )
