"""Read a range of an object's version like a range of the object; MiniStack answers with the whole version."""

from typing import Any

S3 = "ministack.services.s3"
HOOKS = (f"{S3}:_get_object", f"{S3}:_parse_range", f"{S3}:_range_error_xml", f"{S3}:_xml_body", f"{S3}:_qp")

CHECKSUM = "x-amz-checksum-"  # of a whole version; a range has none
Reply = tuple[int, dict[str, str], Any]


def register() -> None:
    from ministack.services import s3  # lazy: MiniStack is imported when the server runs, after its settings

    get = s3._get_object

    def get_part(bucket: str, key: str, headers: dict[str, str], query_params: dict[str, Any] | None = None) -> Reply:
        status, sent, body = get(bucket, key, headers, query_params)
        asked = headers.get("range")
        if status != 200 or not asked or not s3._qp(query_params or {}, "versionId", ""):
            return status, sent, body
        span = s3._parse_range(asked, len(body))
        if span is None:
            refused = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
            return 416, refused, s3._xml_body(s3._range_error_xml(bucket, key))
        first, last = span
        part = body[first : last + 1]
        told = {"Content-Length": str(len(part)), "Content-Range": f"bytes {first}-{last}/{len(body)}"}
        of_the_part = {name: value for name, value in sent.items() if not name.lower().startswith(CHECKSUM)}
        return 206, {**of_the_part, **told}, part

    s3._get_object = get_part
