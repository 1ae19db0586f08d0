"""Requests that functions make are known by their session token: what waits for the disk is who called the function."""

import secrets

_tokens: set[str] = set()


def known(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a function, with a session token by which its requests are known."""
    token = environment.get("AWS_SESSION_TOKEN") or secrets.token_hex(16)
    _tokens.add(token)
    return {**environment, "AWS_SESSION_TOKEN": token}


def made(token: str) -> bool:
    """Whether a function made the request that has this session token."""
    return token in _tokens
