"""The errors that refuse, each named for what its caller handed in. Standard library only: serving imports this."""


class PlanRefused(ValueError):
    """A fitted pipeline has a part that no plan can express; scikit-learn itself serves such a pipeline."""


class PlanCorrupt(ValueError):
    """The bytes of a plan are not what the compiler wrote, so nothing of them is executed."""


class BodyRefused(ValueError):
    """A request body as a whole cannot be read: not JSON, not CSV, cut off, or not rows."""


class RowRefused(BodyRefused):
    """One value of one row cannot be scored. `row` counts from 0; `column` is None when the row itself is at fault."""

    def __init__(self, row: int, column: str | None, message: str):
        self.row, self.column, self.message = row, column, message
        where = f"row {row}" if column is None else f"row {row}, column {column!r}"
        super().__init__(f"{where}: {message}")


class FileRefused(Exception):
    """A file that cannot be used as a whole; the message names the file, the fault and what to do."""

    def __init__(self, file: object, reason: str):
        self.file, self.reason = str(file), reason
        super().__init__(f"{file}: {reason}")


class Malformed(ValueError):
    """A fault that a reader found in a file, in words for its user."""
