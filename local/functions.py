"""Recognise requests of functions by their session token: the function's caller waits for the disk instead of them."""

import secrets

_tokens: set[str] = set()


def known(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment of a function, with a session token that identifies its requests."""
    token = environment.get("AWS_SESSION_TOKEN") or secrets.token_hex(16)
    _tokens.add(token)
    return {**environment, "AWS_SESSION_TOKEN": token}


def made(token: str) -> bool:
    """Return whether a function made the request with this session token."""
    return token in _tokens
