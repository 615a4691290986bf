"""Where the money comes from: rounds, debt, and how much of the cash may be spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    Money,
    Months,
    RatePerYear,
    Section,
    Text,
    YearMonth,
    default,
    quantity,
)

WholeMonths = Annotated[int, quantity("month", ge=0, whole=True)]
PositiveMoney = Annotated[Distribution, quantity("USD", gt=0)]
MoneyPerMonth = Annotated[Distribution, quantity("USD/month", ge=0)]

FOUNDERS = "founders"
"""The holder of what no round has sold."""


class Round(Section):
    """A round of equity: so much money for a share of the firm."""

    name: Text
    """What the round is called; also the name of the holder of its shares."""
    month: YearMonth
    """Month in which the money is paid in; a round before the first month only owns shares."""
    status: Literal["planned", "claimed", "reported"] = default("planned")
    """Whether this is a plan, somebody's claim, or a round that was publicly reported."""
    reported_as: Text | None = default(None)
    """Of a claimed round: the round of this list that reports the same event. Only one counts."""
    row: Text | None = default(None)
    """Row of the catalog's rounds that says what is left out here."""
    raise_usd: Money
    """Money paid in; default: the catalog row's."""
    pre_usd: PositiveMoney | None = default(None)
    """Value of the firm before the round; default: the catalog row's."""
    post_usd: PositiveMoney | None = default(None)
    """Value of the firm after the round, instead of `pre_usd`; default: the catalog row's."""
    investors: tuple[Text, ...] = default(())
    """Who paid it in; compared with customers to find money that goes in a circle."""
    source: str = default("")
    """Where the figures come from."""

    @model_validator(mode="before")
    @classmethod
    def _from_row(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not isinstance(data.get("row"), str):
            return data
        try:
            row = catalog.find("rounds", data["row"])
        except InputError as error:
            problem = error.problems[0]
            raise ValueError(
                f"{problem.found} in rounds; {problem.allowed or problem.fix}"
            ) from None
        known: dict[str, Any] = {"raise_usd": row["raise_usd"], "source": row.cite()}
        if data.get("pre_usd") is None and data.get("post_usd") is None:
            price = "pre_usd" if row["pre_money_usd"] is not None else "post_usd"
            known[price] = row["pre_money_usd" if price == "pre_usd" else "value_usd"]
        known = {key: value for key, value in known.items() if value is not None}
        return known | {key: value for key, value in data.items() if value is not None}

    @model_validator(mode="after")
    def _one_price(self) -> Self:
        if (self.pre_usd is None) == (self.post_usd is None):
            raise ValueError(f"round {self.name!r} wants one of pre_usd and post_usd")
        return self


class Debt(Section):
    """A loan: drawn at once, interest only at first, then level payments."""

    name: Text
    """What the loan is called."""
    month: YearMonth
    """Month in which it is drawn."""
    amount_usd: Money
    """What is lent."""
    rate_per_year: RatePerYear = default(
        "6 to 10 %/year", source="a judgement, no public source", confidence="low"
    )
    """Nominal interest per year, paid monthly."""
    interest_only_months: WholeMonths = default(
        24, source="a judgement: about the time to build a campus", confidence="low"
    )
    """Months from the draw in which nothing is repaid."""
    term_months: WholeMonths = default(84, source="a judgement, no public source", confidence="low")
    """Months from the draw to the last payment, the interest-only months inside."""

    @model_validator(mode="after")
    def _term(self) -> Self:
        if self.term_months <= self.interest_only_months:
            raise ValueError(
                f"debt {self.name!r}: term_months {self.term_months} must be above"
                f" interest_only_months {self.interest_only_months}, which are inside it"
            )
        return self


class Capital(Section):
    """Cash, rounds and debt."""

    opening_cash_usd: Money = default(0)
    """Cash on the first day."""
    opening_burn_usd_per_month: MoneyPerMonth = default(0)
    """Monthly burn that is planned before operations show what it is."""
    runway_months: Months = default(
        "6 to 18 months", source="a judgement, no public source", confidence="low"
    )
    """Months of the burn of the last three months that stay in the bank; the rest may be spent."""
    rests_on: Literal["claimed", "reported"] = default("reported")
    """Which of two rounds of one event pays in: what is claimed, or what is reported. Claimed
    rounds pay in only with "claimed", and then those that they are `reported_as` do not."""
    round: tuple[Round, ...] = default(())
    """Rounds of equity."""
    debt: tuple[Debt, ...] = default(())
    """Tranches of debt."""

    @model_validator(mode="after")
    def _names(self) -> Self:
        once((r.name for r in self.round), "round")
        once((d.name for d in self.debt), "debt")
        if any(r.name == FOUNDERS for r in self.round):
            raise ValueError(f"a round cannot be named {FOUNDERS!r}: that is a holder already")
        reported = {r.name for r in self.round if r.status == "reported"}
        for r in self.round:
            if r.reported_as is not None and (
                r.status != "claimed" or r.reported_as not in reported
            ):
                raise ValueError(
                    f"round {r.name!r} is reported_as {r.reported_as!r}: that must name a reported"
                    f" round, and be said of a claimed one; reported: {', '.join(sorted(reported))}"
                )
        return self

    @property
    def counted(self) -> tuple[Round, ...]:
        """The rounds that pay in and own shares, in the order of time."""
        claimed = self.rests_on == "claimed"
        replaced = {r.reported_as for r in self.round} if claimed else set()
        rounds = [
            r for r in self.round if (claimed or r.status != "claimed") and r.name not in replaced
        ]
        return tuple(sorted(rounds, key=lambda r: r.month))


def once(names: Iterable[str], what: str) -> None:
    """Raises ValueError where two items of a list have one name."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"a second {what} named {name!r}")
        seen.add(name)
