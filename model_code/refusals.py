"""Errors that refuse something, each named for what was refused. Standard library only, as serving imports this."""


class PlanRefused(ValueError):
    """Refuse a fitted pipeline with a part that no plan can express; scikit-learn itself serves such a pipeline."""


class PlanCorrupt(ValueError):
    """Refuse bytes of a plan that are not what the compiler wrote; nothing of them is executed."""


class BodyRefused(ValueError):
    """Refuse a request body as a whole: not JSON, not CSV, truncated, or not rows."""


class RowRefused(BodyRefused):
    """Refuse one value of one row. `row` counts from 0; `column` is None if the row itself is at fault."""

    def __init__(self, row: int, column: str | None, message: str):
        self.row, self.column, self.message = row, column, message
        where = f"row {row}" if column is None else f"row {row}, column {column!r}"
        super().__init__(f"{where}: {message}")


class FileRefused(Exception):
    """Refuse a file as a whole; the message names the file, the fault and what to do."""

    def __init__(self, file: object, reason: str):
        self.file, self.reason = str(file), reason
        super().__init__(f"{file}: {reason}")


class Malformed(ValueError):
    """Report a fault that a reader found in a file, in words for its user."""
