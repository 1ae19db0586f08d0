"""One HTTP request as the parser fills it in."""

from model_code.answers.reply import Reply


class Request:
    """The headers that this server reads, the body, and the refusal if there is one.

    Times are seconds of the server's clock. `held` counts the bytes of the body that are charged to the server.
    """

    __slots__ = (
        "accept",
        "admitted",
        "attributes",
        "body",
        "connection",
        "content_type",
        "encoding",
        "expect",
        "head_bytes",
        "held",
        "host",
        "json_bytes",
        "keep_alive",
        "length",
        "method",
        "path",
        "refusal",
        "since",
        "transfer_encoding",
        "whole_at",
    )

    path: bytes
    method: bytes
    body: bytes | bytearray
    content_type: bytes | None
    accept: bytes | None
    attributes: bytes | None
    host: bytes | None
    length: bytes | None
    expect: bytes | None
    transfer_encoding: bytes | None
    encoding: bytes | None
    connection: bytes | None
    json_bytes: bytes | None
    refusal: Reply | None

    def __init__(self, since: float) -> None:
        self.since = self.whole_at = since  # when its first byte came, and its last
        self.path = self.method = self.body = b""
        self.content_type = self.accept = self.attributes = self.host = self.length = self.expect = None
        self.transfer_encoding = self.encoding = self.connection = self.json_bytes = self.refusal = None
        self.keep_alive = self.admitted = False
        self.head_bytes = self.held = 0


READ_HEADERS = {
    b"content-type": "content_type",
    b"accept": "accept",
    b"host": "host",
    b"connection": "connection",
    b"content-length": "length",
    b"transfer-encoding": "transfer_encoding",
    b"content-encoding": "encoding",
    b"expect": "expect",
    b"x-amzn-sagemaker-custom-attributes": "attributes",
    b"inference-header-content-length": "json_bytes",
}
LISTS = ("accept", "connection")  # may be given in several lines
