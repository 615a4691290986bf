"""What several models share."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TypeVar

from lineshaft.errors import InputError, Problem

T = TypeVar("T")


def named(known: Mapping[str, T], argument: str, name: str) -> T:
    """What is called so; InputError with the names that there are."""
    if name not in known:
        raise InputError(Problem("", argument, f"'{name}'", ", ".join(known)))
    return known[name]


def csv_rows(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file by column."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def example(name: str) -> Path:
    """The file of a shipped scenario."""
    return Path(str(resources.files("lineshaft") / "examples" / f"{name}.toml"))
