"""Choose the rows whose answers are sealed into an artefact, so that its answers can be checked wherever it is
opened.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from domain.contract.schema import Contract
from model_code.rows.identity import row_values

_GOLDEN_ROWS = 12
_NEVER_SEEN = "— never seen —"


def golden_rows(contract: Contract, table: pa.Table) -> list[dict[str, Any]]:
    """Return rows spread over the table, one with null wherever null is allowed, and one with texts never seen."""
    spread = np.unique(np.linspace(0, len(table) - 1, _GOLDEN_ROWS).astype(int))
    columns = {column.name: row_values(column, table.take(pa.array(spread))) for column in contract.features}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    empty = {column.name: None for column in contract.features if column.nullable}
    free = {c.name: _NEVER_SEEN for c in contract.features if c.type == "string" and c.categories is None}
    return [*rows, {**rows[0], **empty}, {**rows[-1], **free}]
