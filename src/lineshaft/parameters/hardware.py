"""What train and serve both take from the catalog: chips, architectures, and which fleet is meant.

A fleet is one accelerator type on one campus, or rented. Its place on the fleet axis is its place
in `build.accelerators`, then in `serve.rented`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lineshaft import catalog
from lineshaft.catalog.loader import Row, key_of
from lineshaft.parameters.dims import RENTED
from lineshaft.tables import Dims
from lineshaft.transformer import Architecture, Chip, from_row

if TYPE_CHECKING:
    from lineshaft.scenario import Scenario


def architecture(name: str) -> Architecture:
    """The transformer of a row of the catalog's `models`."""
    row = catalog.find("models", name)
    return from_row({key: _cell(value) for key, value in row.items()})


def chip(row: Row) -> Chip:
    """The accelerator of a row of the catalog's `accelerators`.

    Where a row has no bf16 figure, half of its fp8 figure is taken: the ratio of every row of
    Hopper and Blackwell. A scale-out rate that is not published is 0.
    """
    flops = {p: row[column] for p, column in catalog.PRECISIONS.items()}
    if flops["bf16"] is None:
        flops["bf16"] = row.number("fp8_flops") / 2
    across = row["scaleout_bytes_per_s"]
    return Chip(
        name=row.text("name"),
        generation=row.text("generation"),
        flops=tuple((p, rate) for p, rate in flops.items() if isinstance(rate, float)),
        memory_bytes=row.number("memory_bytes"),
        memory_bytes_per_s=row.number("memory_bytes_per_s"),
        scaleup_bytes_per_s=row.number("scaleup_bytes_per_s"),
        scaleup_size=int(row.number("scaleup_size")),
        scaleout_bytes_per_s=across if isinstance(across, float) else 0.0,
        power_w=row.number("power_w"),
    )


def fleet_rows(scenario: Scenario) -> tuple[Row, ...]:
    """[fleet] the catalog row of every fleet's accelerator."""
    names = [a.accelerator for a in scenario.build.accelerators]
    names += [r.accelerator for r in scenario.serve.rented]
    return tuple(catalog.find("accelerators", name) for name in names)


def own(dims: Dims) -> tuple[int, ...]:
    """The fleets that stand on own sites."""
    return tuple(
        f for f, label in enumerate(dims.labels["fleet"]) if not label.startswith(f"{RENTED} / ")
    )


def fleets_named(words: Iterable[str], dims: Dims) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The fleets that are meant by these words, and the words that mean none.

    A word is a fleet ("campus / accelerator"), a campus (or `rented`), or an accelerator.
    """
    labels = dims.labels["fleet"]
    known = [
        {key_of(name) for name in (label, *label.split(" / "), *_aliases(label))}
        for label in labels
    ]
    found: dict[int, None] = {}
    unknown = []
    for word in words:
        hits = [f for f, names in enumerate(known) if key_of(word) in names]
        found.update(dict.fromkeys(hits))
        if not hits:
            unknown.append(word)
    return tuple(found), tuple(unknown)


def _aliases(label: str) -> tuple[str, ...]:
    return catalog.find("accelerators", label.rpartition(" / ")[2]).names


def _cell(value: str | float | None) -> str:
    if isinstance(value, float):
        return f"{value:.0f}"
    return value or ""
