"""`lineshaft meter` as a user meets it: commands, exit status, bad input; nothing is lost."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineshaft.cli import main
from lineshaft.meter.events import table

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def ask(capsys: pytest.CaptureFixture[str], command: str) -> tuple[int, str, str]:
    """Status, what stands on stdout and what on stderr."""
    with pytest.raises(SystemExit) as end:
        main(["meter", *shlex.split(command)])
        raise SystemExit(0)
    out, err = capsys.readouterr()
    status = end.value.code or 0
    assert isinstance(status, int)
    return status, out, err


def said(capsys: pytest.CaptureFixture[str], command: str) -> str:
    status, out, err = ask(capsys, command)
    assert status == 0, err
    return out


def told(capsys: pytest.CaptureFixture[str], command: str) -> str:
    """What is said of bad input: on stderr alone, with status 2."""
    status, out, err = ask(capsys, command)
    assert status == 2 and out == "" and "Traceback" not in err, (status, out, err)
    return err


def figures(capsys: pytest.CaptureFixture[str], command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(capsys, f"report {command} --json"))
    return found


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up log. Not to be written into."""
    from lineshaft.meter.demo import events
    from lineshaft.meter.log import Log

    log = tmp_path_factory.mktemp("logs") / "demo"
    Log.open(log, create=True).append(events(12, 30))
    return log


def task(name: str, agent: str = "coder", day: int = 0, **more: Any) -> list[dict[str, Any]]:
    """A task that is assigned, submitted and accepted by a human within an hour of a day."""
    at = START + timedelta(days=day)
    base = {"tenant": "t", "agent_id": agent, "task_id": name, "src": "test"}
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("assign", {"requester_id": "ann"}),
        ("llm", {"tokens_in": 1000, "tokens_out": 50, "cost_usd": 0.02}),
        ("submit", {}),
        ("accept", {"method": "human", "reviewer_id": "ann", "human_s": 60.0, "value_usd": 4.0}),
    )
    rows = []
    for i, (kind, extra) in enumerate(steps):
        ts = at + timedelta(minutes=10 * i)
        rows.append({**base, "event_id": f"{name}/{i}", "ts": ts, "kind": kind, **extra, **more})
    return rows


def saved(path: str, rows: list[Mapping[str, Any]] | list[dict[str, Any]]) -> str:
    """A canonical Parquet file of the rows."""
    pq.write_table(table([*rows]), path)
    return path


# What a user does.


def test_a_demo_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "demo -o demo --agents 6 --days 12")
    assert "made-up events of 6 agents" in out and "lineshaft meter report demo" in out
    out = said(capsys, "report demo")
    for words in ("DAA/1 of demo", "Daily active agents", "tasks per agent and day (TPA)",
                  "FTE-equivalents", "Completeness", "Gaps", "Join an outcomes table"):  # fmt: skip
        assert words in out
    assert "an overseer's hour costs $90.93 (software developer" in out
    assert "  lineshaft meter report demo --html" in out


def test_a_demo_does_not_go_among_real_events(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "demo -o demo --agents 2 --days 2")
    assert "'demo' is there already" in told(capsys, "demo -o demo")


def test_json_holds_what_is_printed(capsys: pytest.CaptureFixture[str], demo: Path) -> None:
    found = figures(capsys, str(demo))
    assert found["standard"] == "DAA/1" and len(found["definition"]["hash"]) == 16
    assert len(found["days"]) == 30 and found["log"]["agents"] == 12
    mean = found["summary"]["closed"]["daa_b"]
    closed = [day["daa_b"] for day in found["days"] if day["status"] == "final"]
    assert mean == pytest.approx(sum(closed) / len(closed))
    assert found["definition"]["wage_usd_per_h"] == 90.93


def test_a_page_is_written(capsys: pytest.CaptureFixture[str], demo: Path, here: Path) -> None:
    out = said(capsys, f"report {demo} --html")
    assert out.strip() == str(here / "demo.html")
    assert (here / "demo.html").read_text("utf-8").startswith("<!doctype html>")
    said(capsys, f"report {demo} --html -o demo.html")
    (here / "mine.html").write_text("mine")
    assert "is no report" in told(capsys, f"report {demo} --html -o mine.html")
    assert (here / "mine.html").read_text() == "mine"
    assert "is a folder" in told(capsys, f"report {demo} --html -o {here}")


def test_the_same_source_twice_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    saved("a.parquet", task("a") + task("b", "arm", 1))
    assert "8 events of a.parquet" in said(capsys, "ingest a.parquet -o log")
    first = figures(capsys, "log")
    said(capsys, "ingest a.parquet -o log")
    assert figures(capsys, "log") == first
    assert first["log"]["events"] == 8 and first["faults"] == []
    assert [day["daa_a"] for day in first["days"]] == [1, 1]
    saved("c.parquet", task("c", "arm", 0))
    said(capsys, "ingest a.parquet c.parquet -o log")
    assert [day["daa_a"] for day in figures(capsys, "log")["days"]] == [2, 1]


def test_a_folder_is_ingested(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "in/deep").mkdir(parents=True)
    saved("in/a.parquet", task("a"))
    saved("in/deep/b.parquet", task("b"))
    said(capsys, "ingest in -o log")
    assert figures(capsys, "log")["days"][0]["accepted"] == 2


def test_a_source_file_is_reported_without_a_log(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    saved("a.parquet", task("a"))
    assert figures(capsys, "a.parquet")["days"][0]["daa_a"] == 1
    (here / "jobs.csv").write_text(
        "job,bot,when,what,minutes\nj1,bot1,2026-03-02T10:00:00Z,done,5\n"
        "j2,bot2,2026-03-02T11:00:00Z,done,7\n"
    )
    (here / "map.toml").write_text(MAPPING)
    found = figures(capsys, "jobs.csv --mapping map.toml")
    assert found["log"]["path"] == "jobs.csv" and found["days"][0]["daa_a"] == 2
    assert sorted(path.name for path in here.iterdir()) == ["a.parquet", "jobs.csv", "map.toml"]


MAPPING = """\
event_id = { column = "job" }
task_id = { column = "job" }
agent_id = { column = "bot" }
ts = { column = "when" }
kind = { column = "what", values = { done = "accept" } }
method = { constant = "human" }
human_equiv_min = { column = "minutes" }
"""


def test_outcomes_are_joined(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    work = [row for row in task("a") + task("b", "arm") if row["kind"] != "accept"]
    saved("a.parquet", work)
    assert figures(capsys, "a.parquet")["summary"]["all"]["daa_b"] == 0
    (here / "outcomes.csv").write_text(
        "task_id,tenant,outcome,ts,method,value_usd\n"
        "a,t,accepted,2026-03-02T12:00:00Z,human,9\n"
        "b,t,rejected,2026-03-02T12:00:00Z,human,\n"
    )
    found = figures(capsys, "a.parquet --outcomes outcomes.csv")
    assert [found["days"][0][key] for key in ("daa_a", "accepted", "value_usd")] == [1, 1, 9]
    said(capsys, "ingest a.parquet -o log --outcomes outcomes.csv")
    kept = figures(capsys, "log")
    assert [kept["days"][0][key] for key in ("daa_a", "accepted", "value_usd")] == [1, 1, 9]
    said(capsys, "ingest a.parquet -o log --outcomes outcomes.csv")
    assert figures(capsys, "log") == kept


def test_days_zone_wage_and_value_are_as_asked(
    capsys: pytest.CaptureFixture[str], demo: Path
) -> None:
    found = figures(capsys, f"{demo} --from 2026-01-10 --to 2026-01-12 --zone Asia/Tokyo")
    assert [day["day"] for day in found["days"]] == ["2026-01-10", "2026-01-11", "2026-01-12"]
    assert found["zone"] == "Asia/Tokyo"
    stated, waged = (figures(capsys, f"{demo} --wage 60 --value {v}") for v in ("stated", "wage"))
    day, other = stated["days"][10], waged["days"][10]
    assert other["value_usd"] == pytest.approx(day["human_equiv_min"])
    assert day["value_usd"] != other["value_usd"]
    drone = figures(capsys, f"{demo} --human 'drone operator'")
    assert drone["definition"]["wage_usd_per_h"] == pytest.approx(33.65 * 1.423, abs=0.01)
    assert "drone operator" in drone["assumed"][-1]


def test_as_of_tells_what_was_known_then(capsys: pytest.CaptureFixture[str]) -> None:
    late = task("late", "arm", ingest_ts=START + timedelta(days=6))
    saved("a.parquet", task("a") + late)
    then = figures(capsys, "a.parquet --as-of 2026-03-07")
    now = figures(capsys, "a.parquet")
    assert then["days"][0]["daa_a"] == 1 and now["days"][0]["daa_a"] == 2
    assert then["as_of"] == "2026-03-07T00:00:00Z"


def test_a_flat_log_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    day = 86_400_000_000
    rows = {
        "agent_id": [1, 1, 2, 2],
        "ts": [day * 20_500 + 5, day * 20_500 + 9, day * 20_500 + 5, day * 20_501 + 5],
        "accepted": [True, True, False, True],
        "tokens": [10, 10, 10, 10],
        "cost_usd": [1.0, 1.0, 1.0, 1.0],
        "human_s": [60.0, 0.0, 0.0, 0.0],
    }
    pq.write_table(pa.table(rows), "flat.parquet")
    found = figures(capsys, "flat.parquet --flat --wage 60")
    assert [d["daa_b"] for d in found["days"]] == [1, 1]
    assert [d["seen"] for d in found["days"]] == [2, 1]
    assert [d["accepted"] for d in found["days"]] == [2, 1]
    assert found["days"][0]["autonomy"] == 0.5
    assert found["summary"]["all"]["cost_per_task_usd"] == pytest.approx((4 + 1) / 3)
    assert "with --flat" in told(capsys, "report flat.parquet --flat --as-of 2026-03-01")
    # a folder keeps what was decoded, and says the same from it
    Path("flat").mkdir()
    Path("flat.parquet").rename("flat/part.parquet")
    first = figures(capsys, "flat --flat --wage 60")
    assert list(Path("flat/.daa1").iterdir()) and first["days"] == found["days"]
    assert figures(capsys, "flat --flat --wage 60") == first


def test_the_standard_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "conform")
    assert "12" in out
    found = json.loads(said(capsys, "conform --json"))
    assert found["passed"] is True


def test_another_implementation_can_fail(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "wrong.py").write_text("print('{}')\n")
    status, out, _ = ask(capsys, f"conform --command '{sys.executable} wrong.py'")
    assert status == 1 and out


def test_plan_against_actual(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    """A run's month as events, metered, compared with the run, and calibrated back into it."""
    import lineshaft
    from lineshaft import api

    lineshaft.record(lineshaft.read("warehouse"), here / "run", sensitivity=False)
    out = said(capsys, "export run -o log --scale 200")
    assert "lineshaft meter compare run log" in out
    assert "is there already" in told(capsys, "export run -o log")
    assert figures(capsys, "log")["summary"]["all"]["daa_b"] > 0
    assert "accepted tasks per DAA (TPA)" in said(capsys, "compare run log")
    assert json.loads(said(capsys, "compare run log --json"))
    assert "[[agents.kind]]" in said(capsys, "calibrate log")
    out = said(capsys, "calibrate log --into warehouse -o calibrated.toml")
    assert "lineshaft run calibrated.toml" in out
    assert api.read(here / "calibrated.toml") is not None
    assert "no such file" in told(capsys, "calibrate log --into nowhere.toml")
    assert "NAME=VALUE" in told(capsys, "calibrate log --kind coder")
    assert "nowhere" in told(capsys, "compare nowhere log")


# What is done wrong.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--zone Mars/Base", "an IANA zone"),
        ("--value guess", "stated or wage"),
        ("--json --html", "one of them"),
        ("--wage 50 --human worker", "one of them"),
        ("--human wizard", "wizard"),
        ("--from yesterday", "a day such as"),
        ("--from 2026-02-01 --to 2026-01-01", "a day from 2026-02-01 on"),
        ("--from 2030-01-01", "days of the log"),
        ("--as-of soon", "a time such as"),
        ("--outcomes nowhere.csv", "nowhere.csv"),
    ],
)
def test_options_that_cannot_be(
    capsys: pytest.CaptureFixture[str], demo: Path, options: str, words: str
) -> None:
    assert words in told(capsys, f"report {demo} {options}")


def test_a_log_that_is_not_there(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert "no such log" in told(capsys, "report nowhere")
    (here / "hollow").mkdir()
    assert "neither events nor a Parquet file" in told(capsys, "report hollow")
    assert "no such file" in told(capsys, "ingest nowhere.jsonl -o log")
    assert not (here / "log").exists()


def test_what_no_adapter_knows(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "poem.txt").write_text("Roses are red\n")
    saved("a.parquet", task("a"))
    assert "poem.txt" in told(capsys, "ingest a.parquet poem.txt -o log")
    assert not (here / "log").exists()
    assert told(capsys, "ingest a.parquet -o log --from gopher")


def test_an_empty_log_is_told(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "log/events").mkdir(parents=True)
    out = said(capsys, "report log")
    assert "The log is empty" in out
    said(capsys, "report log --html")
    assert "The log is empty" in (here / "log.html").read_text("utf-8")
    assert figures(capsys, "log")["days"] == []


def counted(capsys: pytest.CaptureFixture[str], log: str) -> dict[str, int]:
    return {one["fault"]: one["count"] for one in figures(capsys, log)["faults"]}


def test_faulty_rows_are_counted_and_nothing_is_lost(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    """Skew, replays, negative tokens, agents without ids, kinds unknown: all in one file."""
    rows = task("a")
    rows += [dict(rows[2]), {**rows[1], "tokens_in": 7}]  # a replay, and another content
    rows += task("ahead", ingest_ts=START - timedelta(minutes=5))
    rows += [{**task("minus")[1], "tokens_in": -5}]
    rows += [{**task("nobody")[1], "agent_id": ""}]
    rows += [{**task("odd")[1], "kind": "dance"}]
    nullable = pa.schema([field.with_nullable(True) for field in table([]).schema])
    pq.write_table(table(rows).cast(nullable), "a.parquet")
    out = said(capsys, "ingest a.parquet -o log")
    assert "negative" in out and "unknown_kind" in out and "set aside" in out
    found = counted(capsys, "log")
    assert found["skew"] == 4 and found["negative"] == 1 and found["unknown_kind"] == 1
    assert found["no_agent"] == 1 and found["replay"] == 1 and found["conflict"] == 1
    aside = pa.concat_tables(
        [pq.read_table(p) for p in (here / "log/aside").glob("*.parquet")],
        promote_options="default",
    )
    assert aside["kind"].to_pylist() == ["dance"]
    told_in_all = figures(capsys, "log")["log"]
    assert told_in_all["received"] == len(rows)
    said(capsys, "ingest a.parquet -o log")
    assert counted(capsys, "log") == found


def test_zones_that_are_mixed(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    """Times with offsets are moved to UTC; those without are read in the zone that is stated."""
    (here / "jobs.csv").write_text(
        "job,bot,when,what,minutes,colour\n"
        "j1,b1,2026-03-02T23:30:00-05:00,done,5,red\nj2,b2,2026-03-02T23:30:00,done,5,blue\n"
    )
    (here / "map.toml").write_text(MAPPING)
    said(capsys, "ingest jobs.csv -o log --mapping map.toml --zone America/New_York")
    found = figures(capsys, "log")
    assert [day["day"] for day in found["days"]] == ["2026-03-03"]
    assert found["days"][0]["daa_a"] == 2
    assert counted(capsys, "log")["naive_time"] == 1
    # an attribute that nobody asked for is kept
    kept = pq.read_table(sorted((here / "log/events").rglob("*.parquet"))[0])
    assert "red" in " ".join(filter(None, kept["attrs"].to_pylist()))


def test_a_mapping_that_cannot_be(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "jobs.csv").write_text("job,bot,when\nj1,b1,2026-03-02T10:00:00Z\n")
    (here / "map.toml").write_text(
        'agent_id = { column = "bott" }\nkind = { constant = "dance" }\n'
        'event_id = { column = "job" }\n'
    )
    err = told(capsys, "ingest jobs.csv -o log --mapping map.toml")
    assert "bott" in err and "dance" in err and "ts" in err  # all at once
    assert not (here / "log").exists()


def test_a_half_written_file_is_told_and_the_others_are_read(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    saved("a.parquet", task("a"))
    said(capsys, "ingest a.parquet -o log")
    good = next((here / "log/events").rglob("*.parquet"))
    (good.parent / "torn.parquet").write_bytes(good.read_bytes()[:-40])
    found = figures(capsys, "log")
    assert found["days"][0]["daa_a"] == 1
    assert {one["fault"]: one["count"] for one in found["faults"]} == {"unreadable": 1}
    assert "torn.parquet" in found["faults"][0]["examples"][0]


def test_a_full_disk_is_told_and_nothing_is_half_written(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    """A process that may write 20 kB a file: status 2, the reason, and whole files only."""
    rows = [row for i in range(3000) for row in task(f"{os.urandom(16).hex()}-{i}")]
    saved("a.parquet", rows)
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from lineshaft.cli import main; main(sys.argv[1:])"
    )
    words = [sys.executable, "-c", limited, "meter", "ingest", "a.parquet", "-o", "log"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "cannot be written" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert list((here / "log").rglob("*.part")) == []
    for path in (here / "log").rglob("*.parquet"):
        pq.read_metadata(path)
    said(capsys, "ingest a.parquet -o log")
    assert figures(capsys, "log")["log"]["events"] == len(rows)


def test_a_receiver_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no token" in told(capsys, "receive log --host 0.0.0.0")
    assert "no such file" in told(capsys, "receive log --token-file nowhere")
    assert "HOST or HOST:PORT" in told(capsys, "receive log --mqtt broker:many")


def test_a_log_without_a_receiver_has_nothing_to_drain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    saved("a.parquet", task("a"))
    said(capsys, "ingest a.parquet -o log")
    assert "0 events" in said(capsys, "drain log")


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "--help")
    for verb in ("ingest", "report", "receive", "conform", "compare", "calibrate", "export"):
        assert verb in out
