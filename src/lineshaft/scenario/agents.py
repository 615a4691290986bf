"""`[agents]`: the kinds of work, what a task of each takes, who buys it, and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import field_validator, model_validator

from lineshaft import catalog
from lineshaft.errors import InputError
from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.fields import (
    GrowthPerYear,
    Hours,
    Minutes,
    Money,
    NonNegative,
    Positive,
    Seconds,
    Section,
    Share,
    Tasks,
    Text,
    Tokens,
    UsdPerHour,
    UsdPerMtok,
    YearMonth,
    Years,
    default,
    quantity,
)
from lineshaft.scenario.work import EMBODIED, Work, usual, usual_of

Agents_ = Annotated[Distribution, quantity("agent", ge=0)]
PositiveMinutes = Annotated[Distribution, quantity("minute", gt=0)]
PositiveYears = Annotated[Distribution, quantity("year", gt=0)]
PositiveTokens = Annotated[Distribution, quantity("token", gt=0)]
PositiveDays = Annotated[Distribution, quantity("day", gt=0)]
CertainShare = Annotated[float, quantity("1", ge=0, le=1, uncertain=False)]
AtLeastOne = Annotated[int, quantity("1", ge=1, le=100, whole=True)]
HoursPerDay = Annotated[float, quantity("hour", gt=0, le=24, uncertain=False)]
DaysPerWeek = Annotated[float, quantity("day", gt=0, le=7, uncertain=False)]
Scoring = Literal["honest", "discarded", "lenient"]
LoadName = Literal["flat", "office", "evening", "two-shift"]

SHAPES: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "flat": ((1.0,) * 24, (1.0,) * 24),
    "office": (
        (
            *(0.15,) * 6,
            0.25,
            0.5,
            0.85,
            1,
            1,
            1,
            0.85,
            0.95,
            1,
            1,
            0.95,
            0.8,
            *(0.4,) * 3,
            *(0.2,) * 3,
        ),
        (*(0.1,) * 8, *(0.25,) * 12, *(0.15,) * 4),
    ),
    "evening": (
        (*(0.3,) * 6, 0.4, 0.5, 0.6, *(0.75,) * 8, 0.85, 0.95, 1, 1, 0.95, 0.8, 0.5),
        (*(0.35,) * 7, 0.5, 0.65, *(0.85,) * 9, 0.95, 1, 1, 0.95, 0.8, 0.55),
    ),
    "two-shift": ((*(0.0,) * 6, *(1.0,) * 16, 0.0, 0.0), (*(0.0,) * 6, *(1.0,) * 16, 0.0, 0.0)),
}
"""Named load shapes: relative demand in the hours of a weekday and of a weekend day. Estimates,
no public source; two-shift is 06:00 to 22:00, evenly."""


_WAYS = (
    ("price_usd", "usd_per_mtok", "price_row", "price_share"),
    ("tokens_per_attempt", "tokens_per_hour_task"),
    ("calls_per_attempt", "tokens_per_call"),
)
"""Fields that say the same in several ways: the first that is given counts, the last has always a
default."""


def _usual(field: str) -> Any:
    """The default of a field for the class `coder`; other classes fill in their own."""
    found = usual("coder", field)
    return default(found.value, source=found.source, confidence=found.confidence)


class Load(Section):
    """How a month's mean is spread over the hours: a name, or 24 + 24 numbers."""

    shape: LoadName = default("flat")
    """Named shape: flat, office, evening or two-shift (06:00 to 22:00). Low confidence."""
    weekday: tuple[float, ...] = default(())
    """24 numbers, relative to each other and to `weekend`; default: the named shape's."""
    weekend: tuple[float, ...] = default(())
    """24 numbers; default: the named shape's, or `weekday` where that is given."""
    peak_day: Annotated[float, quantity("1", ge=1, uncertain=False)] = default(
        1.2, confidence="low"
    )
    """Demand of the busiest day over that of the mean day."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"shape": data} if isinstance(data, str) else data

    @field_validator("weekday", "weekend")
    @classmethod
    def _hours(cls, hours: tuple[float, ...]) -> tuple[float, ...]:
        if hours and (len(hours) != 24 or min(hours) < 0 or not 0 < max(hours) < float("inf")):
            raise ValueError("24 numbers from 0 on, not all of them 0, are wanted")
        return hours

    @property
    def hours(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """(weekday, weekend), 24 numbers each."""
        weekday, weekend = SHAPES[self.shape]
        return self.weekday or weekday, self.weekend or self.weekday or weekend


class Adoption(Section):
    """The share of the market that asks for agents, over time. `"all"` means all of it at once."""

    curve: Literal["logistic", "bass"] = default("logistic")
    """Logistic, or Bass with innovators and imitators (Bass 1969)."""
    start: YearMonth | None = default(None)
    """First month with demand; default: the scenario's first. May lie before it."""
    share_at_start: Share = default("0.5 % to 3 %", confidence="low")
    """Share in that month."""
    years_10_to_90: PositiveYears = default("5 to 15", confidence="low")
    """Logistic: years from 10 % to 90 % of the saturation."""
    midpoint_years: Years | None = default(None)
    """Logistic: years from the start to half of the saturation, in place of `share_at_start`."""
    saturation: Share = default("30 % to 90 %", confidence="low")
    """Share of the market that asks for agents in the end."""
    innovation: NonNegative = default(
        0.03, source="Sultan, Farley and Lehmann 1990, mean of 213 cases", confidence="medium"
    )
    """Bass: coefficient p of innovation per year."""
    imitation: NonNegative = default(
        0.38, source="Sultan, Farley and Lehmann 1990, mean of 213 cases", confidence="medium"
    )
    """Bass: coefficient q of imitation per year."""

    @model_validator(mode="before")
    @classmethod
    def _all(cls, data: Any) -> Any:
        return {"share_at_start": 1, "saturation": 1} if data == "all" else data


class Kind(Section):
    """A kind of work and the agents for it. Defaults are those of its class `work`: shown here
    for `coder`, in `lineshaft.scenario.work` for all, each with its source."""

    name: Text
    """What the kind is called."""
    work: Work = default("coder")
    """Class of work, which sets the defaults: coder, inventory, planner, support, arm, mobile
    robot, drone, or tokens (a direct sale of tokens, whose task is one request)."""
    model: Text | None = default(None)
    """Name of the `[[serve.model]]` that it thinks with; default: the first."""

    market_tasks_per_day: Tasks = _usual("market_tasks_per_day")
    """Tasks a day in the market, on the first day of the scenario."""
    market_growth_per_year: GrowthPerYear = _usual("market_growth_per_year")
    """Growth of the market, at unchanged prices."""
    adoption: Adoption = _usual("adoption")
    """Share of the market that asks for agents; "all" for an operator's own work."""
    least_success: Share = _usual("least_success")
    """Share of tasks that must succeed before anybody buys."""
    seats: Agents_ = default("1e12 agents")
    """Agents that are paid for at the start; ample by default."""
    seats_growth_per_year: GrowthPerYear = default(0)
    """Growth of the seats."""
    seats_path: Mapping[str, float] = default({})
    """Seats by month, {"2027-01" = 100}: straight lines between, growth after the last."""

    price_usd: Money | None = default(None)
    """Price of an accepted task on the first day; default: from `usd_per_mtok`, `price_row` or
    `price_share`, in this order."""
    usd_per_mtok: UsdPerMtok | None = default(None)
    """Price as a price per million tokens of all classes."""
    price_row: Text | None = default(None)
    """Catalog row of `prices` whose prices per token are charged."""
    price_share: NonNegative = _usual("price_share")
    """Price as a share of what the human costs for the task."""
    price_decline_per_year: Share = _usual("price_decline_per_year")
    """Yearly fall of the price under competition."""
    price_floor: Share = default(0.2, confidence="low")
    """Share of the first price below which it does not fall."""
    elasticity: NonNegative = default("0.5 to 2", confidence="low")
    """Work that is demanded grows as (price / first price) ** -elasticity."""
    escape_usd: Money = _usual("escape_usd")
    """Loss from a wrong task that nobody noticed."""
    human: Text = _usual("human")
    """Catalog row of `wages` of the human who would do it."""
    wage_usd_per_h: UsdPerHour | None = default(None)
    """Cost of that human with on-costs; default: the row's wage times its loading."""

    human_minutes: PositiveMinutes = _usual("human_minutes")
    """Median time that a human takes for a task (an embodied kind: for the same piece of work)."""
    sigma: Annotated[float, quantity("1", ge=0, le=4, uncertain=False)] = _usual("sigma")
    """Standard deviation of ln(length) over the kind's tasks."""
    slope: Annotated[float, quantity("1", gt=0, le=3, uncertain=False)] = default(
        0.52, source="METR: median over models 0.52, range 0.43 to 0.77", confidence="high"
    )
    """Logits of success lost per doubling of length."""
    deployment: Positive = _usual("deployment")
    """The kind's own p50 horizon over METR's."""
    attempts: AtLeastOne = _usual("attempts")
    """Attempts allowed before the task is given up."""
    rho: CertainShare = default(0.5, source="tau2-bench: median 0.55", confidence="medium")
    """Correlation of two attempts at the same task."""
    sensitivity: Annotated[float, quantity("1", gt=0, le=1, uncertain=False)] = _usual(
        "sensitivity"
    )
    """Share of right attempts that the verifier passes."""
    specificity: CertainShare = default(0.9, confidence="low")
    """Share of wrong attempts that the verifier stops."""
    verifier_rho: CertainShare = default(0.5, confidence="low")
    """Correlation of two verdicts on the same task."""
    slip: Annotated[float, quantity("1", ge=0, lt=1, uncertain=False)] = default(
        0, source="neutral; 0.05 on tau2-bench, where users take part", confidence="low"
    )
    """Share of attempts that are lost even at a task that is mastered."""
    family_sd: Annotated[float, quantity("1", ge=0, le=10, uncertain=False)] = default(
        0, source="neutral; 1.5 over the task families of METR", confidence="low"
    )
    """Standard deviation of difficulty over families of tasks, logits; `rho` is then the
    correlation within a family."""
    acceptance: CertainShare = default(
        1,
        source="neutral, as `deployment` says it; 0.5 from tests to maintainers (METR 2026-03), "
        "0.77 of what humans hand in (AIDev, Li et al. 2025)",
        confidence="low",
    )
    """Share of right results that whoever asked takes; what is not taken counts as a defect."""
    budget_tokens: Annotated[float, quantity("token", gt=0, uncertain=False)] | None = default(None)
    """Tokens that all attempts at a task may take: an attempt beyond them is not begun; default:
    no limit."""

    tokens_per_hour_task: PositiveTokens = _usual("tokens_per_hour_task")
    """Tokens of one attempt at a task of 60 human minutes."""
    token_exponent: NonNegative = _usual("token_exponent")
    """Tokens grow as length ** exponent."""
    tokens_per_attempt: Tokens | None = default(None)
    """Mean tokens per attempt, in place of the rule above."""
    input_share: Share = _usual("input_share")
    """Prompt tokens, of all tokens."""
    cached_share: Share = _usual("cached_share")
    """Prompt tokens that come from the prefix cache, of the prompt tokens."""
    tokens_per_call: PositiveTokens = _usual("tokens_per_call")
    """Tokens of one model call; calls per attempt follow."""
    calls_per_attempt: NonNegative | None = default(None)
    """Model calls per attempt, in place of tokens over tokens per call."""
    tool_s: Seconds = _usual("tool_s")
    """Time in tools per attempt."""

    review_minutes: Minutes = _usual("review_minutes")
    """Reviewer minutes for a finished task that is reviewed."""
    steer_minutes: Minutes = _usual("steer_minutes")
    """Operator minutes per task besides the interventions of `[[floor.robots]]`."""
    verified: Share = _usual("verified")
    """Share of unreviewed tasks whose acceptance rests on a hard verifier (DAA grade A)."""
    eligible: Share = default(1)
    """Share of accepted tasks that count for daily active agents."""

    hours_per_day: HoursPerDay = default(24)
    """Hours a day in which an agent may work; a robot's are those of its site."""
    days_per_week: DaysPerWeek = default(7)
    """Days a week in which an agent may work."""
    load: Load = _usual("load")
    """How demand is spread over the hours: flat, office, evening, two-shift, or a table."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        known = usual_of(str(data.get("work", "coder")))
        # what is said of the price or of the tokens in one way silences the class's other ways
        for ways in _WAYS:
            if any(field in data for field in ways):
                known = {field: found for field, found in known.items() if field not in ways[:-1]}
        return {field: found.value for field, found in known.items()} | dict(data)

    @field_validator("human")
    @classmethod
    def _wage(cls, name: str) -> str:
        return in_catalog("wages", name)

    @field_validator("price_row")
    @classmethod
    def _price(cls, name: str | None) -> str | None:
        if name is not None:
            row = catalog.find("prices", in_catalog("prices", name))
            if row["output_usd_per_mtok"] is None:
                raise ValueError(f"{name!r} is no price of tokens")
        return name

    @field_validator("seats_path")
    @classmethod
    def _months(cls, path: Mapping[str, float]) -> Mapping[str, float]:
        return month_path(path)

    @property
    def embodied(self) -> bool:
        """Whether its agents are robots."""
        return self.work in EMBODIED

    @property
    def sells_tokens(self) -> bool:
        """Whether it is a direct sale of tokens, without agents."""
        return self.work == "tokens"


class Agents(Section):
    """The kinds of work, and how far public models have come."""

    capability: Text = default("Claude Opus 4.5", source="METR Time Horizon 1.1")
    """Catalog row of `capabilities` from which the public trend starts."""
    horizon: PositiveMinutes | None = default(None)
    """Its p50 horizon on METR's tasks; default: the row's, with its 95 % interval."""
    horizon_date: Annotated[str, "YYYY-MM-DD"] | None = default(None)
    """Day of that horizon; default: the row's release."""
    doubling: PositiveDays = default(
        "89 to 196 days",
        source="METR TH1.1: 130.8 days since 2023 (107 to 161), 89 since 2024, 196 over all time",
        confidence="medium",
    )
    """Days in which the public horizon doubles."""
    cap: Hours = default(
        "16 hours", source="METR: horizons above 16 hours are unreliable", confidence="medium"
    )
    """Longest horizon that is believed."""
    scoring: Scoring = default(
        "honest", source="METR counts an attempt that cheats as failed", confidence="high"
    )
    """How the horizon counts attempts that cheat: honest as failed, discarded not at all, lenient
    as done. It matters where the row of `capabilities` tells them apart (GPT-5.6 Sol: 11.3, 71 or
    270 hours)."""
    kind: tuple[Kind, ...] = default(())
    """Kinds of work."""

    @model_validator(mode="before")
    @classmethod
    def _start(cls, data: Any) -> Any:
        data = {} if data is None else data
        if not isinstance(data, Mapping):
            return data
        try:
            row = catalog.find("capabilities", str(data.get("capability", "Claude Opus 4.5")))
        except InputError:
            return data
        found: dict[str, Any] = {"horizon_date": _day(row.text("release"))}
        column = horizon_column(row, str(data.get("scoring", "honest")))
        middle, ends = row.number(column), row.span(column)
        found["horizon"] = {"p50": middle, "p97.5": ends[1]} if ends else middle
        return found | dict(data)

    @field_validator("capability")
    @classmethod
    def _known(cls, name: str) -> str:
        return in_catalog("capabilities", name)

    @field_validator("horizon_date")
    @classmethod
    def _date(cls, day: str | None) -> str | None:
        import datetime

        return None if day is None else datetime.date.fromisoformat(day).isoformat()

    @model_validator(mode="after")
    def _unique(self) -> Agents:
        unique("agents.kind", [k.name for k in self.kind])
        return self


def horizon_column(row: catalog.Row, scoring: str) -> str:
    """The column of `capabilities` that holds the horizon under a way of scoring cheats; where the
    row does not tell them apart, the usual one."""
    column = {"discarded": "discarded_minutes", "lenient": "lenient_minutes"}.get(scoring, "")
    return column if row.get(column) is not None else "p50_minutes"


def in_catalog(table: str, name: str) -> str:
    """The name, where the catalog has it; ValueError with what is near, where not."""
    try:
        catalog.find(table, name)
    except InputError as error:
        problem = error.problems[0]
        raise ValueError(f"{problem.found} in {table}; {problem.allowed or problem.fix}") from None
    return name


def month_path(path: Mapping[str, float]) -> Mapping[str, float]:
    """A path of values by month; ValueError where a key is no month or a value is negative."""
    from re import fullmatch

    for month, value in path.items():
        if not fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month):
            raise ValueError(f"{month!r} is no month; write YYYY-MM")
        if not 0 <= value < float("inf"):
            raise ValueError(f"{value!r} in {month} is not a number from 0 on")
    return dict(sorted(path.items()))


def unique(where: str, names: list[str]) -> None:
    """ValueError where a name is given twice."""
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"two items of {where} are named {', '.join(map(repr, twice))}")


def _day(release: str) -> str:
    """A release date of the catalog as a day: the middle of a month or of a year."""
    return {4: f"{release}-07-01", 7: f"{release}-15"}.get(len(release), release)
