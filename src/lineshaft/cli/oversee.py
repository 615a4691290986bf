"""`lineshaft oversee`: how many humans a fleet needs, where the ceiling is, what happens there."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineshaft.cli.common import Progress

if TYPE_CHECKING:
    from lineshaft.oversee import Ceiling, Simulated, Staffing

app = typer.Typer(
    help="How many humans a fleet of agents needs, where the ceiling is, what one more is worth.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

OPTIONS: tuple[tuple[str, type, str], ...] = (
    ("defects", float, "Share of the finished tasks that is defective; 0.1."),
    ("detection", float, "Share of the defects that a reviewer finds; 0.65."),
    ("false_alarms", float, "Share of the good tasks that a reviewer rejects; 0."),
    ("aoql", float, "Most defects that may go out, as a share; without it, no bound."),
    ("holds_to", float, "Defect share up to which the bound holds; half more than expected."),
    ("plans", str, "What keeps the bound: csp1, lots, share, or best (of csp1 and share)."),
    ("review_share", float, "Share that is reviewed where there is no bound; 1."),
    ("irreversible", float, "Share that cannot be undone: always reviewed, and first; 0."),
    ("verified", float, "Share that a hard verifier decides without a human; 0."),
    ("wait", str, "The wait to keep, such as 30min; 4 h."),
    ("share", float, "Share of the reviews that must keep it; 0.95."),
    ("patience", str, "Mean time after which somebody gives up waiting; never."),
    ("expiry", str, "Time after which waiting work is worth nothing; never."),
    ("merges", bool, "Whether abandoned work goes out without review; dropped."),
    ("load", str, "Hours of work: office (9-17, 5 days), daytime, always, or 8-18x6; office."),
    ("cv", float, "Deviation of review times over their mean; 1: exponential."),
    ("rework_share", float, "Share of the rejected tasks that is tried again; 0.8."),
    ("rework_min", float, "Reviewer minutes to send one back; 9."),
    ("rework_h", float, "Mean hours until it is back; 1."),
    ("wage", str, "Row of the catalog's wages, or USD/h without on-costs; software developer."),
    ("on_duty_h", float, "Hours on duty per person and month; 150."),
    ("paid_h", float, "Hours paid per person and month; 173.33."),
    ("work_min", float, "Minutes on task between breaks; 60. 0: no breaks."),
    ("break_min", float, "Minutes of a break; 10."),
    ("fade", float, "Share of the detection that is lost after 90 minutes on task; 0.3."),
    ("bias", float, "Share of the reviews that follow the agent without looking; 0."),
    ("seeds", float, "Planted defects per review; 0."),
    ("value", float, "USD per accepted task; else the minutes of a human at the wage."),
    ("task_min", float, "Minutes that a human alone would need; 102."),
    ("task_cost", float, "USD that agents cost per accepted task; 0."),
    ("loss", float, "USD lost by an escaped defect; 0."),
    ("seed", int, "Seed of all randomness; 0."),
)
"""Options of all verbs, told with the default that `lineshaft.oversee.Asked` has."""

ReviewMin = Annotated[float, typer.Option("--review-min", help="Mean minutes of a review.")]
PerAgent = Annotated[
    float, typer.Option("--tasks-per-agent", help="Accepted tasks per active agent and day.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def _with_options(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with `OPTIONS` besides its own; those that were given come as `options`."""
    own = inspect.signature(verb, eval_str=True).parameters
    kept = [one for one in own.values() if one.kind is not one.VAR_KEYWORD]
    extra = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                kind | None,
                typer.Option(f"--{name.replace('_', '-')}", help=text),
            ],
        )
        for name, kind, text in OPTIONS
    ]

    def run(**given: Any) -> None:
        names = {name for name, _, _ in OPTIONS}
        options = {key: value for key, value in given.items() if key in names}
        rest = {key: value for key, value in given.items() if key not in names}
        verb(**rest, **{key: value for key, value in options.items() if value is not None})

    run.__signature__ = inspect.Signature([*kept, *extra])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in (*kept, *extra)}
    run.__doc__, run.__name__ = verb.__doc__, verb.__name__
    return run


def staff(
    daa: Annotated[float, typer.Option("--daa", help="Daily active agents.")],
    tasks_per_agent: PerAgent,
    review_min: ReviewMin,
    as_json: Json = False,
    **options: Any,
) -> None:
    """How many reviewers so many daily active agents need, on duty and on the payroll."""
    from lineshaft import oversee

    with _Telling() as tell:
        found = oversee.staff(
            daa=daa,
            tasks_per_agent=tasks_per_agent,
            review_min=review_min,
            tell=tell,
            **_wage(options),
        )
    _show(found, as_json)


def ceiling(
    reviewers: Annotated[float, typer.Option("--reviewers", help="People on the payroll.")],
    tasks_per_agent: PerAgent,
    review_min: ReviewMin,
    as_json: Json = False,
    **options: Any,
) -> None:
    """The highest DAA that so many reviewers allow, and what one more of them is worth."""
    from lineshaft import oversee

    with _Telling() as tell:
        found = oversee.ceiling(
            reviewers=reviewers,
            tasks_per_agent=tasks_per_agent,
            review_min=review_min,
            tell=tell,
            **_wage(options),
        )
    _show(found, as_json)


def simulate(
    reviewers: Annotated[float, typer.Option("--reviewers", help="People on the payroll.")],
    review_min: ReviewMin,
    tasks_per_day: Annotated[
        float | None, typer.Option("--tasks-per-day", help="Finished tasks a day with work.")
    ] = None,
    daa: Annotated[
        float | None, typer.Option("--daa", help="Instead: daily active agents.")
    ] = None,
    tasks_per_agent: Annotated[
        float | None, typer.Option("--tasks-per-agent", help="With --daa: accepted tasks; 1.")
    ] = None,
    ai_share: Annotated[
        float | None,
        typer.Option("--ai-share", help="AI is to write this share, people as much as before."),
    ] = None,
    ai_share_now: Annotated[
        float | None, typer.Option("--ai-share-now", help="Share that it writes now; 0.25.")
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Picture of waiting, defects and cost against reviewers."),
    ] = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """What so many reviewers do with so much work, task by task."""
    from lineshaft import oversee
    from lineshaft.files import whole

    own = {"tasks_per_agent": tasks_per_agent, "ai_share_now": ai_share_now}
    with _Telling() as tell:
        found = oversee.simulate(
            reviewers=reviewers,
            review_min=review_min,
            tasks_per_day=tasks_per_day,
            daa=daa,
            ai_share=ai_share,
            curve=svg is not None,
            tell=tell,
            **{key: value for key, value in own.items() if value is not None},
            **_wage(options),
        )
    _show(found, as_json)
    if svg is not None:
        with whole(svg) as part:
            part.write_text(found.svg(), "utf-8")
        Progress().line(f"written: {svg}")


app.command("staff")(_with_options(staff))
app.command("ceiling")(_with_options(ceiling))
app.command("simulate")(_with_options(simulate))


class _Telling:
    """Notes of what is being simulated, gone when it is done."""

    def __enter__(self) -> Callable[[str], None]:
        self.progress = Progress()
        return lambda text: self.progress.note(f"{text} …")

    def __exit__(self, *error: object) -> None:
        self.progress.clear()


def _wage(options: dict[str, Any]) -> dict[str, Any]:
    """A wage that is a number is one; any other text names a row of the catalog."""
    try:
        return options | {"wage": float(options["wage"])}
    except (KeyError, ValueError):
        return options


def _show(found: Staffing | Ceiling | Simulated, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
    else:
        print(found.text())
