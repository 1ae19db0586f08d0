"""Fill in the page's templates: every value that is not markup is escaped."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fairway.terminal.plain import plain

TEMPLATES = Path(__file__).parent / "templates"
UNKNOWN = "–"


def render(template: str, **values: object) -> Markup:
    """Fill in a template of the folder `templates`."""
    return Markup(_ENVIRONMENT.get_template(template).render(**values))  # autoescape made it


def when(iso: str | None) -> str | None:
    """Write a timestamp to the minute: 2013-04-01 09:30."""
    return None if iso is None else f"{iso[:10]} {iso[11:16]}".strip()


def _shown(value: object) -> object:
    """Spell out control characters and bidirectional marks, which would reverse the text around them."""
    if hasattr(value, "__html__"):
        return value
    return UNKNOWN if value is None else plain(str(value))


def _usd(value: float, digits: int = 2) -> str:
    return f"${value:,.{digits}f}"


def _count(value: float | None) -> str | None:
    return None if value is None else f"{value:,}"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:+.4g}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"when": when, "usd": _usd, "count_of": _count, "number": _number, "signed": _signed}
    return environment


_ENVIRONMENT = _environment()
