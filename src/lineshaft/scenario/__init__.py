"""What the user asks: one TOML file, one table per stage in the order of the line.

Everything is optional; every default names its source. `read` checks a file and shows all its
errors at once; a scenario never changes, `--set` and variants make another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Annotated, Any, Self

from lineshaft.scenario.agents import Agents
from lineshaft.scenario.build import Build
from lineshaft.scenario.capital import Capital
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    Section,
    Text,
    Whole,
    YearMonth,
    default,
    quantity,
    quantity_of,
)
from lineshaft.scenario.floor import Floor
from lineshaft.scenario.oversee import Oversee
from lineshaft.scenario.plant import Plant
from lineshaft.scenario.serve import Serve
from lineshaft.scenario.train import Train
from lineshaft.scenario.value import Value

__all__ = ["Scenario"]


class Scenario(Section):
    """A whole AI factory, from watts to worth."""

    name: Text = default("unnamed")
    """What the scenario is called in the report."""
    about: str = default("")
    """A few sentences on what it is for."""
    start: YearMonth = default("2026-01")
    """First month, "YYYY-MM"."""
    months: Annotated[int, quantity("1", ge=1, le=600, whole=True)] = default(120)
    """Number of months."""
    seed: Whole = default(1)
    """Seed of all randomness; the same scenario and seed give the same bytes."""
    policy: Text = default("value")
    """How scarce tokens, people and robots are shared out: value, priority or proportional."""
    correlation: Mapping[str, Mapping[str, float]] = default({})
    """Correlation of uncertain inputs, as [correlation."path.a"] "path.b" = 0.5."""
    capital: Capital = default({})
    """Rounds, debt, cash."""
    build: Build = default({})
    """Campuses, phases, crews, parts, accelerators."""
    train: Train = default({})
    """Training runs."""
    agents: Agents = default({})
    """Kinds of work and the agents for it."""
    serve: Serve = default({})
    """The inference service."""
    floor: Floor = default({})
    """Sites with robots."""
    plant: Plant = default({})
    """Power, cooling, water, tariffs."""
    oversee: Oversee = default({})
    """The humans, and what they review."""
    value: Value = default({})
    """Prices, costs, tax, valuation."""

    def with_trace_from(self, folder: Path) -> Self:
        """The same with its trace found in `folder`, where it is not where it says."""
        trace = self.serve.trace
        if trace is None or Path(trace).exists() or not (folder / trace).exists():
            return self
        serve = self.serve.model_copy(update={"trace": str((folder / trace).resolve())})
        return self.model_copy(update={"serve": serve})

    def __dir__(self) -> list[str]:
        """The keys of the file, for the Tab key; what pydantic adds stays callable."""
        return [*type(self).model_fields, "model_copy", "model_dump"]

    def __repr__(self) -> str:
        return f"Scenario({self.name!r}: {self.months} months from {self.start}, seed {self.seed})"

    def _repr_html_(self) -> str:
        """For notebooks: what is asked of each stage; what took its default is left out."""
        sections = ((name, getattr(self, name)) for name in type(self).model_fields)
        rows = "".join(
            f"<tr><td>{name}</td><td>{escape('; '.join(_asked(section)))}</td></tr>"
            for name, section in sections
            if isinstance(section, Section) and section.model_fields_set
        )
        head = f"{escape(self.name)}: {self.months} months from {self.start}, seed {self.seed}"
        return f"<table><caption>{head}</caption><tbody>{rows}</tbody></table>"


def _asked(section: Section) -> Iterator[str]:
    """What a section was given, in the order of its fields; of lists the names."""
    for name, field in type(section).model_fields.items():
        if name in section.model_fields_set:
            value: Any = getattr(section, name)
            kind = quantity_of(field)
            if kind is not None and isinstance(value, Distribution):
                value = value.describe(kind.unit)
            elif isinstance(value, tuple):
                value = ", ".join(str(getattr(item, "name", item)) for item in value)
            yield f"{name} {value}"
