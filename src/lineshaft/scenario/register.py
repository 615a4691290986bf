"""What a claim says and how it is tested: the form of the register, checked when it is read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lineshaft.scenario.fields import Section, Text, Whole, default, quantity

Usd = Annotated[float, quantity("USD", gt=0, uncertain=False)]
Share = Annotated[float, quantity("1", gt=0, le=1, uncertain=False)]


class FigureTest(Section):
    """A figure of a run in every draw, held against two conditions."""

    scenario: Text = default("gigawatt")
    """The run that tests it: a shipped example or a file."""
    set: tuple[Text, ...] = default(())
    """Overrides of the scenario, "key.path=value"."""
    of: Text
    """A headline figure ("oversee.daa"), or a formula over columns and parameters of the run
    ("ratio(sum(year(accepted.accepted)), sum(year(fielded.market_tasks)))")."""
    where: dict[str, str] = default({})
    """Rows that count, by key: {kind = "coder"}; without it all do."""
    unit: Text = default("1")
    """The unit that the figure is shown in."""
    supported: Text
    """The condition that bears the claim out: ">= 90 %"."""
    contradicted: Text
    """The condition that speaks against it: "< 50 %"."""


class ValuationTest(Section):
    """A claimed figure of a scenario beside the publicly reported one of the same event."""

    scenario: Text = default("claimed-9t")
    """The scenario that holds the claim."""
    claim: Text
    """The name of the claim in it."""


class LargerTest(Section):
    """A sum of money beside the cells of a catalog table: larger than how many of them?"""

    usd: Usd
    """What is claimed to be larger."""
    table: Text
    """The table of the catalog."""
    column: Text
    """The column to compare with, in USD."""
    group: Text | None = default(None)
    """Only the rows whose `group` is this."""
    share: Share = default(0.5)
    """The share of the rows that it must be larger than."""


class RequireTest(Section):
    """What a target needs, joint by joint, beside what supply can reach."""

    scenario: Text = default("gigawatt")
    """The scenario whose ratios the way back uses."""
    target: Literal["value", "revenue", "daa"] = default("value")
    """What is asked for."""
    amount: Text
    """How much: "9.3T", "10G"."""
    joint: Text | None = default(None)
    """The one joint to look at; without it all are, and the first impossible one decides."""


class CycleTest(Section):
    """The fastest change-over that supply allows, in years, beside the claimed one."""

    scenario: Text = default("gigawatt")
    """The scenario whose ratios the way back uses."""
    years: Whole
    """The claimed number of years."""


class Claim(Section):
    """One claim, where it was made, and its one test."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    """A short name, small letters, digits, hyphens."""
    quote: Text
    """The words of the claim."""
    said_by: Text
    """Who said it."""
    date: Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")]
    """When: YYYY, YYYY-MM or YYYY-MM-DD."""
    source: Text
    """Where it was read."""
    means: Text
    """The claim in the terms of the model: what is measured."""
    caveat: str = default("")
    """What the test cannot see."""
    figure: FigureTest | None = default(None)
    valuation: ValuationTest | None = default(None)
    larger: LargerTest | None = default(None)
    require: RequireTest | None = default(None)
    cycle: CycleTest | None = default(None)

    @property
    def test(self) -> FigureTest | ValuationTest | LargerTest | RequireTest | CycleTest:
        """The one test of the claim."""
        (found,) = self._tests()
        return found

    def _tests(self) -> list[FigureTest | ValuationTest | LargerTest | RequireTest | CycleTest]:
        every = (self.figure, self.valuation, self.larger, self.require, self.cycle)
        return [test for test in every if test is not None]

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if len(self._tests()) != 1:
            raise ValueError(
                f"claim {self.name!r} wants exactly one of "
                "figure, valuation, larger, require, cycle"
            )
        return self


class Register(Section):
    """A list of claims."""

    claim: tuple[Claim, ...] = default(())
    """The claims, in the order in which they are shown."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [claim.name for claim in self.claim]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"claims named twice: {', '.join(twice)}")
        return self
