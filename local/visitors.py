"""Serve programs on this machine only, never a page in a browser.

A browser sends headers that no page can leave out: the Host, which reveals a name that was rebound to loopback; the
Origin of a form, a fetch, a preflight or a WebSocket; and Sec-Fetch-Site of everything else.
"""

from local.asgi import Message, Scope, Send

NAMES = ("127.0.0.1", "localhost", "[::1]")
TYPED_BY_THE_USER = b"none"  # a link that the user opens, such as a presigned one; no page can send it


def refusal(scope: Scope, port: int) -> str | None:
    """Return why this request is not served, whoever signed it; None if it is."""
    target = scope.get("raw_path") or b"/"
    if not target.startswith(b"/"):
        return f"request target {_shown(target)}: must be a path that begins with /"
    hosts = _values(scope, b"host")
    if len(hosts) != 1 or hosts[0].decode("latin-1").lower() not in {f"{name}:{port}" for name in NAMES}:
        return f"Host = {_shown(b', '.join(hosts))}: must be 127.0.0.1:{port} or localhost:{port}"
    if _values(scope, b"origin"):
        return f"Origin = {_shown(b', '.join(_values(scope, b'origin')))}: the local AWS serves no web page"
    sites = _values(scope, b"sec-fetch-site")
    if any(site != TYPED_BY_THE_USER for site in sites):
        return f"Sec-Fetch-Site = {_shown(b', '.join(sites))}: the local AWS serves no web page"
    return None


def without_cors(send: Send) -> Send:
    """Return a `send` that leaves out every header by which a service would open its answers to web pages."""

    async def send_closed(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [line for line in message["headers"] if not line[0].lower().startswith(b"access-control-")]
            message = {**message, "headers": kept}
        await send(message)

    return send_closed


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value.strip() for key, value in scope["headers"] if key.lower() == name]


def _shown(value: bytes) -> str:
    return repr(value[:100].decode("latin-1"))
