"""The compiled module, function by function as module.cpp has it."""

from collections.abc import Sequence

from typing_extensions import Buffer

from model_code.refusals import RowRefused

FORM_JSON: int
FORM_JSON_LINES: int
FORM_CSV: int
MOST_ANSWERS: int

class Kernel:
    """Executes a plan. Scores are a bytearray of float64, row by row, NaN in refused rows; the refusals are ascending.

    BodyRefused where a body cannot be read as rows; PlanCorrupt where the bytes of a plan do not hold.
    """

    def __new__(cls, plan: Buffer, ignored: tuple[str, ...], /) -> Kernel:
        """`plan` is what follows the header of a plan file; `ignored` are names that rows may have unread."""

    def describe(self, /) -> tuple[str, list[str], list[tuple[str, str]]]:
        """Return (task, [class as JSON text], [(name, kind)]) of the plan."""

    def score_json(self, body: Buffer, /) -> tuple[bytearray, list[RowRefused]]:
        """Score {"instances": [{column: value}]}."""

    def score_json_lines(self, body: Buffer, /) -> tuple[bytearray, list[RowRefused]]:
        """Score one JSON object a line."""

    def score_csv(self, body: Buffer, header: bool, /) -> tuple[bytearray, list[RowRefused]]:
        """Score cells in the order of the columns, or in any order under a header."""

    def score_arrow(self, schema: object, array: object, /) -> tuple[bytearray, list[RowRefused]]:
        """Score a RecordBatch: the two capsules of `__arrow_c_array__`."""

    def set_limits(self, limits: list[tuple[bool, bool, float, float, Sequence[str] | None]], listed: bool, /) -> None:
        """Set (nullable, whole, minimum, maximum, allowed texts or None) of each column for `reply_within`.

        `listed`: an answer is the list of a row's scores, else the last of them.
        """

    def reply_within(self, body: Buffer, form: int, /) -> tuple[bytes, int] | None:
        """Return (the reply, its rows), or None where any row may be at fault or is outside the limits."""
