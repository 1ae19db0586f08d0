"""Requests of every service read and checked by botocore's own model of it. Pure: bytes in, problems out."""
