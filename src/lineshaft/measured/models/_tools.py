"""What several models share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from lineshaft.errors import InputError, Problem

T = TypeVar("T")


def named(known: Mapping[str, T], argument: str, name: str) -> T:
    """What is called so; InputError with the names that there are."""
    if name not in known:
        raise InputError(Problem("", argument, f"'{name}'", ", ".join(known)))
    return known[name]
