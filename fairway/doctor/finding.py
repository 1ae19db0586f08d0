"""Findings about the account or this machine."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """State of a finding. With a PROBLEM a deployment, or the first release after it, fails."""

    FINE = "fine"
    PROBLEM = "problem"
    WARNING = "warning"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One check's result; `mend` is the command or page that fixes a problem."""

    check: str
    state: State
    message: str
    mend: str = ""
