"""What a look at the account or at this machine found."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a finding is to be taken. With a PROBLEM a deployment, or the first release after it, fails."""

    FINE = "fine"
    PROBLEM = "problem"
    WARNING = "warning"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `mend` is the command or the page that puts it right."""

    check: str
    state: State
    message: str
    mend: str = ""
