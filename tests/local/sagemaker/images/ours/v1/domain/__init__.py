"""Stands for the rules that an image ships beside its model code."""

WORD = "hello"
