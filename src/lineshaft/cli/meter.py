"""`lineshaft meter`: daily active agents from real logs, by the standard DAA/1."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from lineshaft.cli.common import Progress

if TYPE_CHECKING:
    from lineshaft.meter.definition import Definition
    from lineshaft.meter.reading import Reading

app = typer.Typer(
    help="Count daily active agents in real logs, by the standard DAA/1.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Folder = Annotated[Path, typer.Argument(metavar="LOG", help="Log folder.")]
Source = Annotated[
    str, typer.Option("--from", metavar="NAME", help="Format of the source; else it is detected.")
]
Mapping = Annotated[
    Path | None,
    typer.Option("--mapping", help="TOML: which column of a CSV or Parquet file is what."),
]
Outcomes = Annotated[
    Path | None,
    typer.Option("--outcomes", help="CSV or Parquet: task_id, outcome, ts, method, value_usd, …"),
]
Zone = Annotated[str, typer.Option("--zone", help="Zone of the days, as Europe/Berlin.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Whose agents; where the source is silent.")]
Wage = Annotated[
    float | None, typer.Option("--wage", metavar="USD/h", min=0, help="What an overseer costs.")
]
Human = Annotated[
    str | None, typer.Option("--human", metavar="ROW", help="Overseer, of `catalog wages`.")
]
Basis = Annotated[
    str, typer.Option("--value", help="stated, or wage: human-equivalent minutes at the wage.")
]
Implied = Annotated[
    float | None,
    typer.Option("--implied-after", metavar="H", min=0, help="Untouched for so long: accepted."),
]
Equivalent = Annotated[
    float | None,
    typer.Option(
        "--assume-human-equiv", metavar="MIN", min=0, help="Of tasks that do not state it."
    ),
]
AsOf = Annotated[
    str, typer.Option("--as-of", metavar="T", help="What had arrived by then; 2026-03-01T12:00Z.")
]
First = Annotated[str, typer.Option("--from", metavar="DAY", help="First day to tell.")]
Last = Annotated[str, typer.Option("--to", metavar="DAY", help="Last day to tell.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command("ingest")
def ingest(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="LOG", help="Log folder.")],
    sources: Annotated[
        list[Path] | None, typer.Argument(metavar="SOURCE...", help="Files or folders.")
    ] = None,
    source: Source = "",
    mapping: Mapping = None,
    outcomes: Outcomes = None,
    zone: Annotated[str, typer.Option("--zone", help="Of times that state none.")] = "UTC",
    tenant: Tenant = "",
    arrived: Annotated[
        str,
        typer.Option("--arrived", metavar="T", help="now, or when; else as the events say."),
    ] = "",
) -> None:
    """Turn files of any source into events of a log. The same file twice changes nothing."""
    from lineshaft.meter.ingest import ingest as take

    _zone(zone)
    when = _now() if arrived == "now" else _moment(arrived, "--arrived")
    progress = Progress()
    taken = take(
        sources or (),
        output,
        source=source or None,
        mapping=mapping,
        outcomes=outcomes,
        zone=zone,
        tenant=tenant,
        ingest_us=when,
        tell=progress.note,
    )
    progress.clear()
    for line in taken.lines():
        print(line)
    _next([["report", str(output)], ["report", str(output), "--html"]])


@app.command("report")
def report(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Log folder, or a source file.")],
    zone: Zone = "UTC",
    outcomes: Outcomes = None,
    as_of: AsOf = "",
    first: First = "",
    last: Last = "",
    wage: Wage = None,
    human: Human = None,
    value: Basis = "stated",
    assume_human_equiv: Equivalent = None,
    implied_after: Implied = None,
    source: Annotated[
        str, typer.Option("--source", metavar="NAME", help="Format of a source file.")
    ] = "",
    mapping: Mapping = None,
    flat: Annotated[
        bool, typer.Option("--flat", help="Settled Parquet: a row an event, outcome resolved.")
    ] = False,
    as_json: Json = False,
    html: Annotated[bool, typer.Option("--html", help="A page to look at.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the page goes; else LOG.html here.")
    ] = None,
) -> None:
    """The DAA/1 report: agents by grade, with all that must stand beside them."""
    from lineshaft.meter.document import document
    from lineshaft.meter.text import text

    if as_json and html:
        _wrong("--html", "--json and --html", "one of them")
    days = (_day(first, "--from"), _day(last, "--to"))
    definition, said = _definition(zone, wage, human, value, implied_after)
    progress = Progress()
    reading = _read(
        log,
        definition,
        progress,
        as_of=_moment(as_of, "--as-of"),
        outcomes=outcomes,
        assume=assume_human_equiv,
        source=source or None,
        mapping=mapping,
        flat=flat,
    )
    told = document(replace(reading, assumed=(*reading.assumed, said)), *days)
    progress.clear()
    if as_json:
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return
    if html:
        _page(told, output or Path(f"{log.resolve().stem}.html"))
        return
    print(text(told))
    again = [str(log), *_given(outcomes=outcomes, mapping=mapping, source=source)]
    again += ["--flat"] if flat else []
    steps = [["report", *again, "--html"]]
    if value != "wage":
        steps.append(["report", *again, "--value", "wage"])
    _next(steps)


@app.command("receive")
def receive(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", help="Log folder; made where there is none.")
    ] = Path("agents-log"),
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0: any free one.")] = 4318,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="File with the bearer token to demand.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine without a token.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option("--tls-cert", help="Certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its key, PEM.")] = None,
    tenant: Tenant = "",
    max_body_mb: Annotated[float, typer.Option("--max-body-mb", help="Of a request.")] = 16.0,
    mqtt: Annotated[
        str, typer.Option("--mqtt", metavar="HOST[:PORT]", help="Broker of VDA 5050 messages.")
    ] = "",
    mqtt_topic: Annotated[
        list[str] | None, typer.Option("--mqtt-topic", help="Topic filter; may be repeated.")
    ] = None,
    mqtt_user: Annotated[str, typer.Option("--mqtt-user", help="User at the broker.")] = "",
    mqtt_password_file: Annotated[
        Path | None, typer.Option("--mqtt-password-file", help="File with the password.")
    ] = None,
    mqtt_tls: Annotated[bool, typer.Option("--mqtt-tls", help="Speak TLS to the broker.")] = False,
    http: Annotated[bool, typer.Option("--http/--no-http", help="Listen for OTLP/HTTP.")] = True,
) -> None:
    """Receive OTLP over HTTP, and robots over MQTT, into a log, until stopped."""
    from lineshaft.meter.receive import Options, serve

    broker, _, broker_port = mqtt.partition(":")
    progress = Progress()
    options = Options(
        log,
        host=host,
        port=port,
        http=http,
        token_file=token_file,
        insecure=insecure,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tenant=tenant,
        max_body_mb=max_body_mb,
        mqtt_host=broker,
        mqtt_port=_whole(broker_port or "0", "--mqtt"),
        mqtt_topics=tuple(mqtt_topic or ()),
        mqtt_username=mqtt_user,
        mqtt_password_file=mqtt_password_file,
        mqtt_tls=mqtt_tls,
        tell=progress.line,
    )
    options.check()
    serve(options)
    _next([["report", str(log)]])


@app.command("drain")
def drain(log: Folder) -> None:
    """Turn what a receiver has acknowledged into events of the log now."""
    from lineshaft.meter.log import Log

    progress = Progress()
    count = Log.open(log).drain(tell=progress.note)
    progress.clear()
    print(f"{count:,} events")
    _next([["report", str(log)]])


@app.command("demo")
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="LOG", help="Log folder.")],
    agents: Annotated[int, typer.Option("--agents", min=1, max=10_000)] = 40,
    days: Annotated[int, typer.Option("--days", min=1, max=3_650)] = 60,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 1,
) -> None:
    """Write a made-up log, to see a report before there is a log of your own."""
    from lineshaft.errors import InputError, Problem
    from lineshaft.meter.demo import events
    from lineshaft.meter.log import Log

    if output.exists() and any(output.iterdir() if output.is_dir() else [output]):
        fix = "made-up events must not stand among real ones"
        raise InputError(Problem("", "-o", f"'{output}' is there already", "a new folder", fix))
    table = events(agents, days, seed)
    Log.open(output, create=True).append(table)
    print(f"{table.num_rows:,} made-up events of {agents} agents: {output}")
    _next([["report", str(output)], ["report", str(output), "--html"]])


@app.command("conform")
def conform(
    command: Annotated[
        str, typer.Option("--command", help="Another implementation, asked for each case.")
    ] = "",
    as_json: Json = False,
) -> None:
    """The twelve cases of DAA/1 with answers by hand; exit status 1 where one is not met."""
    from lineshaft.meter import conform as suite

    progress = Progress()
    progress.note("running the cases …")
    results = suite.run(command or None)
    progress.clear()
    passed = suite.cases(results)
    told: list[dict[str, Any]] = [
        {
            "case": case,
            "title": own[0].check.title,
            "passed": passed[case],
            "checks": [{"name": one.check.name, "wrong": list(one.wrong)} for one in own],
        }
        for case in passed
        if (own := [one for one in results if one.check.case == case])
    ]
    met = bool(passed) and all(passed.values())
    if as_json:
        print(json.dumps({"standard": "DAA/1", "passed": met, "cases": told}))
    else:
        for one in told:
            count = len(one["checks"])
            print(
                f"{one['case']:>3}  {'passed' if one['passed'] else 'WRONG '}  {one['title']}"
                f" ({count} check{'s' if count > 1 else ''})"
            )
            for check in one["checks"]:
                for wrong in check["wrong"]:
                    print(f"       {check['name']}: {wrong}")
        print(f"{sum(passed.values())} of {len(passed)} cases of DAA/1 passed")
    if not met:
        raise typer.Exit(1)


@app.command("sql")
def sql(
    dialect: Annotated[str, typer.Argument(metavar="DIALECT", help="duckdb, bigquery, …")],
    relation: Annotated[
        str, typer.Option("--relation", help="daily, tasks, rollup or retention.")
    ] = "daily",
    table: Annotated[str, typer.Option("--table", help="Name of the event table.")] = "events",
    zone: Zone = "UTC",
) -> None:
    """The definitions of DAA/1 as one SQL query, to run where the logs live."""
    from lineshaft.meter.definition import Definition
    from lineshaft.meter.relations import sql as statement

    definition = Definition(zone=zone)
    definition.check()
    print(statement(dialect, definition, relation=relation, table=table))


@app.command("compare")
def compare(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    log: Folder,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="NAME", help="Of the run; may be repeated; else all."),
    ] = None,
    zone: Zone = "UTC",
    outcomes: Outcomes = None,
    wage: Wage = None,
    human: Human = None,
    as_json: Json = False,
) -> None:
    """Plan against actual: the months of a run beside those of a log."""
    from lineshaft import actuals

    definition, _ = _definition(zone, wage, human, "stated", None)
    progress = Progress()
    reading = _read(log, definition, progress, outcomes=outcomes)
    found = actuals.compare(run, reading, kinds=kind, outcomes=outcomes)
    progress.clear()
    if as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    print(found.text())
    _next([["calibrate", str(log), "-o", "calibrated.toml"]])


@app.command("calibrate")
def calibrate(
    log: Folder,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="TOML file; else to stdout.")
    ] = None,
    into: Annotated[
        str | None, typer.Option("--into", metavar="SCENARIO", help="Put into its sections.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="NAME=PATTERN", help="Of agent ids; may be repeated."),
    ] = None,
    work: Annotated[
        list[str] | None,
        typer.Option("--work", metavar="NAME=CLASS", help="Class of a kind's work."),
    ] = None,
    zone: Zone = "UTC",
    outcomes: Outcomes = None,
    wage: Wage = None,
    human: Human = None,
) -> None:
    """Write the `agents` and `oversee` sections of a scenario, with ranges from the log."""
    from lineshaft import actuals, api
    from lineshaft.files import whole

    definition, _ = _definition(zone, wage, human, "stated", None)
    progress = Progress()
    progress.note(f"calibrating from {log} …")
    found = actuals.calibrate(
        log,
        definition=definition,
        outcomes=outcomes,
        kinds=_pairs(kind, "--kind") or None,
        work=_pairs(work, "--work") or None,
    )
    if into is not None:
        scenario = api.locate(into)
        text = scenario.read_text("utf-8") if isinstance(scenario, Path) else scenario
        found = actuals.merge(text, found)
    progress.clear()
    if output is None:
        print(found, end="")
        return
    with whole(output) as part:
        part.write_text(found, "utf-8")
    print(output.resolve())
    if into is not None:
        print(f"\nNext:\n  lineshaft run {shlex.quote(str(output))}")


@app.command("export")
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="LOG", help="Log folder.")],
    months: Annotated[
        str, typer.Option("--months", help="2027-01 or 2027-01:2027-03; else the last one.")
    ] = "",
    scale: Annotated[
        float | None, typer.Option("--scale", help="Agents of the run for one of the log.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 1,
) -> None:
    """Write simulated months of a run as events, to meter them as if they were real."""
    from lineshaft import actuals

    progress = Progress()
    progress.note("writing events …")
    found = actuals.export(run, output, months=months or None, scale=scale, seed=seed)
    progress.clear()
    print(found)
    _next([["report", str(output)], ["compare", str(run), str(output)]])


def _read(
    log: Path,
    definition: Definition,
    progress: Progress,
    *,
    as_of: int | None = None,
    outcomes: Path | None = None,
    assume: float | None = None,
    source: str | None = None,
    mapping: Path | None = None,
    flat: bool = False,
) -> Reading:
    """The reading of a log; of a source file through a log that is thrown away."""
    from tempfile import TemporaryDirectory

    if flat:
        from lineshaft.meter.flat_read import read_flat

        given = {"--as-of": as_of, "--outcomes": outcomes, "--assume-human-equiv": assume}
        for option in [name for name, value in given.items() if value is not None]:
            _wrong(option, "with --flat", "a log of events: a flat log is settled")
        return read_flat(log, definition)

    from lineshaft.meter.ingest import ingest as take
    from lineshaft.meter.ingest import is_log
    from lineshaft.meter.read import read

    more: dict[str, Any] = {
        "as_of": as_of,
        "outcomes": outcomes,
        "assume_human_equiv_min": assume,
        "tell": progress.note,
    }
    if is_log(log) and source is None and mapping is None:
        return read(log, definition, **more)
    with TemporaryDirectory() as folder:
        place = Path(folder) / "log"
        take([log], place, source=source, mapping=mapping, tell=progress.note)
        return replace(read(place, definition, **more), path=str(log))


def _definition(
    zone: str, wage: float | None, human: str | None, value: str, implied_after: float | None
) -> tuple[Definition, str]:
    """The definition that is asked for, and where its wage comes from, in a sentence."""
    from lineshaft import catalog
    from lineshaft.meter.definition import Definition

    if value not in ("stated", "wage"):
        _wrong("--value", repr(value), "stated or wage")
    if wage is not None and human is not None:
        _wrong("--human", "--wage and --human", "one of them")
    if wage is None:
        row = catalog.find("wages", human or "software developer")
        wage = round(row.number("wage_usd_per_h") * row.number("loaded_factor"), 2)
        source = f"{row.name} with on-costs: {row['source']}, {row['as_of']}"
    else:
        source = "as given"
    definition = Definition(
        zone=zone,
        implied_after_h=implied_after,
        value_basis=value,  # type: ignore[arg-type]
        wage_usd_per_h=wage,
    )
    definition.check()
    return definition, f"an overseer's hour costs ${wage:.2f} ({source})"


def _page(told: dict[str, Any], path: Path) -> None:
    from lineshaft.errors import InputError, Problem
    from lineshaft.report.metered import write_metered

    if path.is_dir():
        raise InputError(Problem("", "-o", f"'{path}' is a folder", "a file"))
    if path.is_file() and not path.read_bytes().startswith(b"<!doctype html>"):
        raise InputError(Problem("", "-o", f"'{path}' is there and is no report", "another file"))
    write_metered(path, told)
    print(path.resolve())


def _day(text: str, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        _wrong(option, repr(text), "a day such as 2026-03-01")


def _moment(text: str, option: str) -> int | None:
    """Microseconds UTC of an ISO time with its zone; a day alone is its beginning in UTC."""
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        _wrong(option, repr(text), "a time such as 2026-03-01T12:00Z")
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return int(when.timestamp()) * 1_000_000 + when.microsecond


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1e6)


def _whole(text: str, option: str) -> int:
    if not text.isdigit():
        _wrong(option, repr(text), "HOST or HOST:PORT")
    return int(text)


def _pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """What is given as NAME=VALUE."""
    found = {}
    for text in texts or ():
        name, _, value = text.partition("=")
        if not (name and value):
            _wrong(option, repr(text), "NAME=VALUE")
        found[name] = value
    return found


def _zone(zone: str) -> None:
    from lineshaft.meter.definition import Definition

    Definition(zone=zone).check()


def _wrong(option: str, found: str, allowed: str) -> NoReturn:
    from lineshaft.errors import InputError, Problem

    raise InputError(Problem("", option, found, allowed))


def _given(**options: Path | str | None) -> list[str]:
    """The words on the command line for options that are given."""
    found = []
    for name, value in options.items():
        found += [f"--{name}", str(value)] if value else []
    return found


def _next(steps: Sequence[Sequence[str]]) -> None:
    print("\nNext:")
    for words in steps:
        print(f"  {shlex.join(['lineshaft', 'meter', *words])}")
