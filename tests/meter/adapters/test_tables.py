"""CSV and Parquet: mapping files, what is wrong with them, and files that are not whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lineshaft.errors import InputError
from lineshaft.meter import adapters
from lineshaft.meter.adapters import mapped, sniff
from lineshaft.meter.events import Faults, table
from lineshaft.meter.normal import normalise

CSV = b"""ticket;status;closed;bot;review;note;kind
T1;Done;02.01.2026 12:00;fixer;1,5;"a; b";x
T2;Reopened;02.07.2026 12:00;fixer;;plain;y
T3;Odd;never;fixer;soon;;z
"""
MAPPING = """
zone = "Europe/Berlin"
decimal = ","
event_id = ["ticket", "status"]
ts = {column = "closed", time = "%d.%m.%Y %H:%M"}
agent_id = "bot"
task_id = "ticket"
kind = {column = "status", values = {Done = "accept", Reopened = "revert"}, otherwise = "act"}
method = {constant = "human"}
human_s = {column = "review", unit = "minute"}
"""


def read(data: bytes | Path, source: str | None = None, **options: Any) -> tuple[pa.Table, Faults]:
    faults, tables = Faults(), []
    for found, wrong in adapters.read(data, source, **options):
        tables.append(found)
        faults.merge(wrong)
    return pa.concat_tables(tables), faults


def plain(**more: Any) -> dict[str, Any]:
    stated = {"event_id": "id", "ts": "at", "agent_id": "who", "kind": "what"}
    return {**stated, "task_id": {"constant": "t"}, **more}


def problems(mapping: dict[str, Any], data: bytes = b"id,at,who,what\n1,2,3,act\n") -> list[str]:
    with pytest.raises(InputError) as error:
        read(data, "table", mapping=mapping)
    return [str(problem) for problem in error.value.problems]


def test_a_mapped_table(tmp_path: Path) -> None:
    path = tmp_path / "tickets.toml"
    path.write_text(MAPPING)
    rows, faults = read(CSV, mapping=path, tenant="acme", ingest_us=4 * 10**15)
    assert faults.counts == {"unreadable": 1}  # minutes that are no number
    events, aside, wrong = normalise(rows)
    assert wrong.counts == {"no_time": 1}
    first, second = events.to_pylist()
    assert [first[n] for n in ("event_id", "agent_id", "task_id", "kind", "method", "human_s")] == [
        "T1:Done", "fixer", "T1", "accept", "human", 90.0,
    ]  # fmt: skip
    assert (first["tenant"], first["src"], second["kind"], second["human_s"]) == (
        "acme", "table", "revert", None,
    )  # fmt: skip
    # winter and summer time of the stated zone
    assert [row["ts"].hour for row in (first, second)] == [11, 10]
    # nothing of the file is lost: what was translated, what has no column, what has a taken name
    kept = json.loads(first["attrs"])
    assert kept == {
        "status": "Done", "closed": "02.01.2026 12:00", "review": "1,5", "note": "a; b",
        "source.kind": "x",
    }  # fmt: skip
    assert aside.to_pylist()[0]["closed"] == "never"
    assert adapters.write(events, "table") is None


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("unix_s", "1767355200"), ("unix_s", "1767355200.0"), ("unix_ms", "1767355200000"),
        ("unix_us", "1767355200000000"), ("unix_ns", "1767355200000000000"),
        ("iso", "2026-01-02T13:00:00+01:00"), ("%Y%m%d %H%M%z", "20260102 1300+0100"),
    ],
)  # fmt: skip
def test_forms_of_time(form: str, value: str) -> None:
    data = f"id,at,who,what\n1,{value},a,act\n2,?,a,act\n".encode()
    rows, _ = read(data, "table", mapping=plain(time=form))
    events, _, wrong = normalise(rows)
    assert [row.isoformat() for row in events["ts"].to_pylist()] == ["2026-01-02T12:00:00+00:00"]
    assert wrong.counts == {"no_time": 1}


def test_naive_times_are_the_normalisers_unless_the_mapping_has_a_zone() -> None:
    data = b"id,at,who,what\n1,2026-07-01 12:00,a,act\n"
    rows, _ = read(data, "table", mapping=plain(), zone="Europe/Berlin")
    events, _, wrong = normalise(rows, zone="Europe/Berlin")
    assert (events["ts"].to_pylist()[0].hour, wrong.counts) == (10, {"naive_time": 1})
    rows, _ = read(data, "table", mapping=plain(zone="Asia/Tokyo"))
    events, _, wrong = normalise(rows)
    assert (events["ts"].to_pylist()[0].hour, wrong.counts) == (3, {})


def test_all_problems_at_once() -> None:
    wrong = problems(
        {
            "ts": "att", "kind": {"column": "what", "values": {"x": "acept"}},
            "agentid": "who", "method": {"constant": "humans"}, "zone": "Mars/Base",
            "human_s": {"column": "what", "unit": "weeks", "colour": 1}, "task_id": {"unit": "s"},
        }
    )  # fmt: skip
    text = "\n".join(wrong)
    for expected in (
        "no column 'att' in the file", "did you mean 'at'?", "did you mean 'accept'?",
        "did you mean 'agent_id'?", "did you mean 'human'?", "'Mars/Base'",
        "human_s.unit: 'weeks'", "human_s.colour: unknown key",
        "task_id: says not where its values come from", "agent_id: required, and left empty",
        "event_id: required, and left empty",
    ):  # fmt: skip
        assert expected in text, expected


@pytest.mark.parametrize(
    "mapping",
    [
        plain(ts=3), plain(ts=[1]), plain(ts={"column": "at", "constant": "x"}), plain(time="noon"),
        plain(tokens_in={"constant": "many"}), plain(agent_id={"constant": ""}), plain(decimal=";"),
        plain(encoding="klingon"), plain(delimiter=",,"),
        plain(kind={"column": "what", "values": 1}),
        plain(ts={"column": "at", "zone": "?"}), plain(model={"column": "id", "unit": "s"}),
        plain(zone=1), plain(ts={"column": "at", "time": "x"}),
    ],
)  # fmt: skip
def test_each_problem(mapping: dict[str, Any]) -> None:
    assert len(problems(mapping)) == 1


def test_a_required_column_that_is_empty() -> None:
    wrong = problems(plain(), b"id,at,who,what\n1,2026-01-01,,act\n2,2026-01-01,,act\n")
    assert wrong[0].startswith("agent_id: required, and empty in the first 2 rows")


def test_units() -> None:
    data = pa.table({"id": ["1"], "at": ["2026-01-01"], "who": ["a"], "what": ["act"], "n": [2]})
    sink = pa.BufferOutputStream()
    pq.write_table(data, sink)
    for name, unit, expected in (
        ("human_s", "hour", 7200.0), ("human_equiv_min", "hour", 120.0),
        ("human_equiv_min", "s", 2 / 60), ("energy_j", "kWh", 7.2e6),
    ):  # fmt: skip
        spec = {"column": "n", "unit": unit}
        rows, _ = read(sink.getvalue().to_pybytes(), "table", mapping=plain(**{name: spec}))
        assert rows[name].to_pylist() == [pytest.approx(expected, rel=1e-12)]
    assert mapped.TIME_UNITS["day"] == 86_400


def test_files_of_every_kind_give_the_same(tmp_path: Path) -> None:
    events = table(
        [{"event_id": str(n), "ts": n, "agent_id": "a", "kind": "act"} for n in range(5)]
    )
    body = adapters.write(events, "events")
    assert body is not None
    (tmp_path / "plain.parquet").write_bytes(body)
    (tmp_path / "packed.parquet.gz").write_bytes(gzip.compress(body))
    path = str(tmp_path / "one.arrow")
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, events.schema) as writer:
        writer.write_table(events)
    for path in sorted(tmp_path.iterdir()):
        assert adapters.detect(path) == "events"
        assert read(path)[0].cast(events.schema).equals(events), path


def test_csv_with_mark_gzip_and_odd_lines(tmp_path: Path) -> None:
    body = b"\xef\xbb\xbfevent_id,ts,agent_id,kind,extra,extra\n1,2026-01-01T00:00:00Z,a,act,x,y\n"
    body += b"2,short\n3,2026-01-01T00:00:00Z,b,act,,\n"
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(body))
    assert adapters.detect(path) == "events"
    rows, faults = read(path, tenant="t")
    assert faults.counts == {"unreadable": 1}
    events, _, _ = normalise(rows)
    assert events["event_id"].to_pylist() == ["1", "3"]
    assert events["tenant"].to_pylist() == ["t", "t"]
    assert json.loads(events["attrs"].to_pylist()[0]) == {"extra": "x", "extra.2": "y"}
    path.write_bytes(gzip.compress(body)[:-9])
    assert read(path)[1].counts["unreadable"] >= 1


def test_json_lines_of_the_table() -> None:
    body = b"""{"event_id":"1","ts":"2026-01-01T00:00:00Z","agent_id":"a","kind":"act","x":{"y":1}}
{"event_id":"2","ts":"2026-01-01T00:00:00Z","agent_id":"a","kind":"act","tokens_in":3,"x":"z"}
17
{"event_id":"3","ts":
"""
    assert adapters.detect(body) == "events"
    rows, faults = read(body, ingest_us=9)
    assert faults.counts == {"unreadable": 2}
    events, _, wrong = normalise(rows)
    assert wrong.counts.keys() <= {"no_task", "skew"}
    assert events["tokens_in"].to_pylist() == [None, 3]
    assert [row.microsecond for row in events["ingest_ts"].to_pylist()] == [9, 9]


def test_arrivals_are_kept_where_they_are_stated() -> None:
    rows, _ = read(b"event_id,ts,agent_id,kind,ingest_ts\n1,2026-01-01,a,act,2026-01-02T00:00:00Z\n"
                   b"2,2026-01-01,a,act,\n", ingest_us=0)  # fmt: skip
    arrivals = normalise(rows)[0]["ingest_ts"].to_pylist()
    assert [when.year for when in arrivals] == [2026, 1970]


def test_half_written_parquet(tmp_path: Path) -> None:
    body = adapters.write(table([]), "events")
    assert body is not None
    path = tmp_path / "cut.parquet"
    path.write_bytes(body[: len(body) // 2])
    assert adapters.detect(path) == "events"
    rows, faults = read(path)
    assert (len(rows), faults.counts) == (0, {"unreadable": 1})
    rows, faults = read(path, "table", mapping=plain())
    assert (len(rows), faults.counts) == (0, {"unreadable": 1})


def test_encodings() -> None:
    body = "id,at,who,what\n1,2026-01-01,Zoë,act\n".encode("latin-1")
    rows, _ = read(body, "table", mapping=plain(encoding="latin-1"))
    assert rows["agent_id"].to_pylist() == ["Zoë"]
    with pytest.raises(InputError, match="state its `encoding`"):
        read(body, "table", mapping=plain())


# --- what is what -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b'{"resourceLogs": []}', "otlp"),
        (b'[{"jsonrpc":"2.0","result":{"task":{"id":"t","status":{}}}}]', "a2a"),
        (b'{"kind":"task","id":"t","status":{"state":"working"}}', "a2a"),
        (b'{"topic":"uagv/v2/K/1/state","payload":"{}"}', "vda5050"),
        (b'{"headerId":1,"manufacturer":"K","serialNumber":"1"}', "vda5050"),
        (b'{"fleet_name":"f","state":1}', "rmf"),
        (b'{"type":"task_state_update","data":{"booking":{"id":"x"}}}', "rmf"),
        (b'{"eventTypes":[],"objectTypes":[],"events":[],"objects":[]}', "ocel"),
        (b"a;b;c\n1;2;3\n", "table"),
        (b"ts,agent_id,kind\n", "events"),
        (b'not JSON at all\n{"fleet_name":"f","state":1}', None),
        (b'{"broken\n{"fleet_name":"f","state":1}\n', "rmf"),
        (b"", None), (b"hello", None), (b"{}", None), (b"\x00\x01\x02", None), (b"\n{}", None),
    ],
)  # fmt: skip
def test_detect(body: bytes, source: str | None) -> None:
    assert sniff.sniff(body) == source
    if source is None:
        with pytest.raises(InputError, match="no source that is known"):
            adapters.detect(body)


def test_sources_and_paths_that_are_not() -> None:
    with pytest.raises(InputError, match="did you mean 'otlp'"):
        adapters.read(b"{}", "otpl")
    with pytest.raises(InputError, match="did you mean 'ocel'"):
        adapters.write(table([]), "ocl")
    for path in (Path("/nowhere/at/all.json"), Path("/")):
        with pytest.raises(InputError, match="cannot be read"):
            adapters.detect(path)
    with pytest.raises(InputError, match="cannot be read"):
        adapters.read(b"a,b\n", mapping=Path("/nowhere.toml"))
    assert {adapters.write(table([]), source) is None for source in ("table",)} == {True}


def test_a_mapping_that_is_no_toml(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text("ts = ")
    with pytest.raises(InputError, match="a TOML file"):
        adapters.read(b"a,b\n", mapping=path)
