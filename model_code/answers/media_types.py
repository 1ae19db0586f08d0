"""The media types of bodies: the type that a request is in, and the type that its reply is written in."""

import re

from model_code.answers.reply import JSON, RequestRefused

CSV, LINES = "text/csv", "application/jsonlines"
_MEDIA_TYPES = (JSON, LINES, CSV)  # in order of preference, and as the kernel counts them (FORMS)
FORMS = {media_type: form for form, media_type in enumerate(_MEDIA_TYPES)}  # `enum class Form` in kernel/reply.hpp
_SYNONYMS_OF_LINES = ("application/jsonl", "application/x-jsonlines", "application/x-ndjson", "application/ndjson")


def media_types_of(content_type: str, accept: str) -> tuple[str, str]:
    """Return the media types of the body and of the reply. Raises RequestRefused (415 or 406) for an unknown one."""
    body = _media_type(content_type) or JSON
    if body not in _MEDIA_TYPES:
        message = f"content type {content_type!r}: must be one of {', '.join(_MEDIA_TYPES)}"
        raise RequestRefused(415, "unsupported_content_type", message)
    return body, _reply_type(accept, body)


def _media_type(header: str) -> str:
    media_type = header.partition(";")[0].strip().lower()
    return LINES if media_type in _SYNONYMS_OF_LINES else media_type


def _reply_type(accept: str, body_type: str) -> str:
    """Return the type of the largest weight, then the one named first, then the body's own (RFC 9110, 12.5.1)."""
    ranges = [(_media_type(part), _weight(part)) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    best = max([body_type, *_MEDIA_TYPES], key=lambda media_type: _preference(media_type, ranges))
    if _preference(best, ranges)[0] == 0:
        message = f"accept {accept!r}: must include one of {', '.join(_MEDIA_TYPES)}"
        raise RequestRefused(406, "unsupported_accept", message)
    return best


def _weight(part: str) -> float:
    match = re.search(r";\s*q=(0(?:\.\d*)?|1(?:\.0*)?)\s*(?:;|$)", part, re.IGNORECASE)
    return float(match[1]) if match else 1.0


def _preference(media_type: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """Return (weight, minus its place) of the most specific range that covers the media type."""
    for covering in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        for place, (name, weight) in enumerate(ranges):
            if name == covering:
                return weight, -place
    return 0.0, 0
