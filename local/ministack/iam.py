"""Loopback counts as secure transport: traffic stays on the machine, and TLS-only bucket policies remain in force."""

from ministack import app
from ministack.core import iam_evaluator

HOOKS = ("ministack.app:pin_request_origin", "ministack.core.iam_evaluator:pin_request_origin")
LOOPBACK = ("127.0.0.1", "::1")


def register() -> None:
    stock = iam_evaluator.pin_request_origin

    def pin(source_ip: str, secure_transport: bool) -> None:
        stock(source_ip, secure_transport or source_ip in LOOPBACK)

    app.pin_request_origin = iam_evaluator.pin_request_origin = pin
