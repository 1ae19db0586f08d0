"""HTML in small pieces: what is not Markup is text, and is escaped where it is put on the page."""

from html import escape

UNKNOWN = "–"


class Markup(str):
    """HTML already."""


def _text(value: object) -> str:
    if isinstance(value, Markup):
        return value
    return escape(UNKNOWN if value is None else str(value))


def paragraph(words: str) -> Markup:
    return Markup(f"<p>{_text(words)}</p>\n")


def note(words: str) -> Markup:
    return Markup(f'<p class="soft">{_text(words)}</p>\n')


def unknown(words: str) -> Markup:
    """What is not known, said as such."""
    return Markup(f'<p class="unknown">{_text(words)}</p>\n')


def name(value: str | None) -> Markup:
    """An identifier: kept on one line."""
    return Markup(f'<span class="id">{_text(value)}</span>')


def judgement(value: bool | None, *, good: str, bad: str, neither: str) -> Markup:
    if value is None:
        return Markup(_text(neither))
    return Markup(f'<span class="{"good" if value else "bad"}">{_text(good if value else bad)}</span>')


def number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def plain(iso: str) -> str:
    """A moment to the minute: 2013-04-01 09:30."""
    return f"{iso[:10]} {iso[11:16]}".strip()


def moment(iso: str | None) -> Markup | None:
    return None if iso is None else name(plain(iso))


def count(value: float | None) -> str | None:
    return None if value is None else f"{value:,}"


def table(rows: list[tuple], heads: tuple, *, numbers: tuple[int, ...] = ()) -> Markup:
    """`numbers` are the columns that are set to the right."""
    head = "".join(_cell("th", place, value, numbers) for place, value in enumerate(heads))
    body = "".join(
        f"<tr>{''.join(_cell('td', place, value, numbers) for place, value in enumerate(row))}</tr>\n" for row in rows
    )
    return Markup(f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n')


def _cell(tag: str, place: int, value: object, numbers: tuple[int, ...]) -> str:
    kind = ' class="number"' if place in numbers else ""
    return f"<{tag}{kind}>{_text(value)}</{tag}>"


def figure(picture: str, caption: str, *, kind: str = "drawn") -> Markup:
    """`picture` is SVG whose maker has escaped its words."""
    return Markup(f'<figure class="{kind}">{picture}<figcaption>{_text(caption)}</figcaption></figure>\n')
