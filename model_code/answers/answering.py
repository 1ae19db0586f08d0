"""One request's bytes in, its answer's bytes out: what `serve` does per request and `evaluate` times."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from domain.contract.schema import Contract
from model_code.answers.bodies import Answer, RowError, Unreadable, is_free_text, parse, write
from model_code.answers.media_types import CSV, FORMS, media_types_of
from model_code.answers.reply import JSON, Reply, RequestRefused
from model_code.artefact.folder import Artefact
from model_code.engines.scorer import Scorer
from model_code.rows.features import check_features

# Spaces around a cell are ignored by a contract; the kernel takes a text as it is.
_SPACES_AROUND_CELLS = re.compile(rb'(?:^|[,"\r\n])(?:[ \t]|\xc2\xa0)|(?:[ \t]|\xc2\xa0)(?:[,"\r\n]|$)')
_MOST_REASONS = 6 * 1024 * 1024  # characters; as long as the longest request
MOST_ANSWERS = 1 << 22  # numbers in one reply, some 80 MB: a row of two bytes may ask for one of each class
NO_ANSWER = "the model has no finite answer to this row"


def respond(artefact: Artefact, body: bytes, content_type: str = JSON, accept: str = "") -> Reply:
    """Answer the rows of a request; a row that cannot be answered gets its reason, and the others are not affected.

    Raises RequestRefused if the request as a whole cannot be answered.
    """
    return responder(artefact, content_type, accept)(body)


def responder(artefact: Artefact, content_type: str, accept: str) -> Callable[[bytes], Reply]:
    """Return the function that answers bodies of requests with these headers.

    Raises RequestRefused (415, 406) if no body could be answered; the function raises it (400, 413) for its body.
    """
    body_type, reply_type = media_types_of(content_type, accept)
    reply_within, form = artefact.scorer.reply_within, FORMS[body_type]

    def row_by_row(body: bytes) -> Reply:
        instances = parse(artefact.contract, body, body_type)
        elsewhere = instances.contract not in (None, artefact.contract.hash)
        answers, refused = answer(artefact.contract, artefact.scorer, instances.rows, elsewhere=elsewhere)
        return Reply(write(artefact, answers, reply_type), reply_type, len(answers), refused)

    def at_once(body: bytes) -> Reply:
        has_spaces = body_type == CSV and _SPACES_AROUND_CELLS.search(body)
        made = None if has_spaces else reply_within(body, form)
        # None if some row may be at fault: then the contract finds the words, row by row
        return row_by_row(body) if made is None else Reply(made[0], reply_type, made[1])

    # any header is a row to columns of free text alone, and the kernel would answer it
    ambiguous = body_type == CSV and all(map(is_free_text, artefact.contract.features))
    return at_once if body_type == reply_type and not ambiguous else row_by_row


def answer(
    contract: Contract, scorer: Scorer, instances: list[Any], *, elsewhere: bool = False
) -> tuple[list[Answer], int]:
    """Return the answer to each row in its place, and the number of rows without one.

    `elsewhere`: the rows were checked under another contract, whose limits count instead of this one's. An answer is
    P(positive), one probability for each class, or the value; {"error": reason} if there is none. Raises RequestRefused
    (413) if the reply would be too large.
    """
    width = len(scorer.classes) if contract.task == "multiclass" else 1
    if len(instances) * width > MOST_ANSWERS:
        message = (
            f"{len(instances):,} rows ask for {len(instances) * width:,} numbers: must be at most {MOST_ANSWERS:,}"
        )
        raise RequestRefused(413, "too_many_answers", f"{message}; send fewer rows")
    checked = list(_checked_rows(contract, instances, elsewhere=elsewhere))
    good = [values for values, reason in checked if not reason]
    scores = iter(_answers_of(contract, scorer.score_lists(good)) if good else ())
    answers = [RowError(error=reason) if reason else _or_no_answer(next(scores)) for _, reason in checked]
    return answers, sum(isinstance(one, dict) for one in answers)


def _or_no_answer(score: float | list[float] | None) -> Answer:
    return RowError(error=NO_ANSWER) if score is None else score


def _checked_rows(contract: Contract, instances: list[Any], *, elsewhere: bool) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each row's values and the reason why it cannot be scored: two bytes of a row may ask for hundreds."""
    room = _MOST_REASONS
    for row in instances:
        if isinstance(row, Unreadable):
            values, problems = dict[str, Any](), [str(row)]
        else:
            values, problems = check_features(contract, row, elsewhere=elsewhere)
        reason = "; ".join(problems)
        room -= len(reason)
        if room < 0:
            message = f"the reasons of refused rows: must be at most {_MOST_REASONS:,} characters; send fewer rows"
            raise RequestRefused(413, "too_many_faults", f"{message}. One of them: {reason:.200}")
        yield values, reason


def _answers_of(contract: Contract, scores: list[list[float]]) -> list[float | list[float] | None]:
    """Return each row's scores as its answer; None if one is not finite."""
    if contract.task == "multiclass":
        return [row if all(map(math.isfinite, row)) else None for row in scores]
    return [row[-1] if math.isfinite(row[-1]) else None for row in scores]
