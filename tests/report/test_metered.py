"""The page of a DAA/1 report: whole, closed to the network, drawn in a browser without a clash."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineshaft.meter.definition import Definition
from lineshaft.meter.demo import events
from lineshaft.meter.document import document
from lineshaft.meter.log import Log
from lineshaft.meter.read import read
from lineshaft.report.metered import render, write_metered

DARK = "--blink-settings=preferredColorScheme=0"
Probe = Callable[..., dict[str, Any]]
Check = Callable[[dict[str, Any], int], None]
CHARTS = (
    *("daa", "kind", "work", "flows", "windows", "stickiness", "l28", "retention", "curve"),
    *("vpd", "cpat", "worth", "effective", "autonomy", "om", "leverage", "fte"),
)
SECTIONS = (
    *("active", "flows", "retention", "value", "oversight", "trust", "restated", "definition"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """The document of a made-up log of so many agents and days."""
    folder, known = tmp_path_factory.mktemp("logs"), {}

    def of(agents: int = 24, days: int = 45) -> dict[str, Any]:
        if (agents, days) not in known:
            log = folder / f"{agents}-{days}"
            Log.open(log, create=True).append(events(agents, days))
            known[agents, days] = document(read(log, Definition(wage_usd_per_h=90.0)))
        return dict(known[agents, days])

    return of


@pytest.fixture
def empty(tmp_path: Path) -> dict[str, Any]:
    """The document of a log without an event."""
    Log.open(tmp_path / "empty", create=True)
    return document(read(tmp_path / "empty"))


def data_of(html: str) -> dict[str, Any]:
    """The data that the page's script draws."""
    found: dict[str, Any] = json.loads(html.split('id="data">')[1].split("</script>")[0])
    return found


def test_the_page_is_whole_and_closed(made: Callable[..., dict[str, Any]]) -> None:
    html = render(made())
    assert re.findall(r'<section id="([\w-]+)"', html) == list(SECTIONS)
    assert [chart["key"] for chart in data_of(html)["charts"]] == list(CHARTS)
    assert not re.findall(r'<[^>]+(?:src|href)="(?!#)[^"]*"', html.split("<script>")[0])
    assert render(made()) == html


def test_daa_stands_with_what_must_stand_beside_it(made: Callable[..., dict[str, Any]]) -> None:
    told = made()
    html = render(told)
    tiles = html.split('<ul class="tiles"')[1].split("</ul>")[0]
    for words in ("DAA-B", "per agent and day", "FTE-equivalents", "Value", "Cost", "human touch"):
        assert words in tiles
    assert told["definition"]["hash"] in html
    assert "Restatements" in html and "Closed figures that later events changed" in html


def test_the_drawn_figures_are_those_of_the_document(made: Callable[..., dict[str, Any]]) -> None:
    told = made()
    charts = {chart["key"]: chart for chart in data_of(render(told))["charts"]}
    rows = {row["name"]: row["values"] for row in charts["daa"]["rows"]}
    days = told["days"]
    for letter in "abc":
        assert rows[f"DAA-{letter.upper()}"] == [day[f"daa_{letter}"] for day in days]
    lifecycle = {row["name"]: row["values"] for row in charts["flows"]["rows"]}
    assert lifecycle["lost"] == [-day["lost"] for day in days]
    assert charts["daa"]["open"] == sum(day["status"] == "final" for day in days)
    changed = [[one["day"], one["closed"]] for one in told["restatements"]]
    assert [[days[i]["day"], v] for i, v, _ in charts["daa"]["closed"]] == changed != []
    # a trailing week, by hand
    last = days[-7:]
    ratio = sum(d["accepted"] for d in last) / sum(d["daa_b"] for d in last)
    untouched = sum(d["untouched"] for d in last) / sum(d["accepted"] for d in last)
    assert ratio > 1
    autonomy = next(r for r in charts["autonomy"]["rows"] if r["name"] == "of tasks")
    assert autonomy["values"][-1] == pytest.approx(untouched, rel=1e-5)


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn(
    made: Callable[..., dict[str, Any]], probe: Probe, is_whole: Check, tmp_path: Path, width: int
) -> None:
    """At the width of a desk and of a phone: no clipped and no overlapping label."""
    page = tmp_path / "log.html"
    write_metered(page, made())
    is_whole(probe(page, width), len(CHARTS))


def test_a_dark_page_is_drawn(
    made: Callable[..., dict[str, Any]], probe: Probe, is_whole: Check, tmp_path: Path
) -> None:
    page = tmp_path / "log.html"
    write_metered(page, made())
    is_whole(probe(page, 1280, DARK), len(CHARTS))


@pytest.mark.parametrize(("agents", "days", "least"), [(6, 1, 12), (30, 366, 16)])
def test_one_day_and_a_year_are_drawn(
    made: Callable[..., dict[str, Any]],
    probe: Probe,
    is_whole: Check,
    tmp_path: Path,
    agents: int,
    days: int,
    least: int,
) -> None:
    page = tmp_path / "log.html"
    write_metered(page, made(agents, days))
    is_whole(probe(page, 1280), least)


def test_an_empty_log_is_a_page(empty: dict[str, Any], probe: Probe, tmp_path: Path) -> None:
    page = tmp_path / "log.html"
    write_metered(page, empty)
    assert "The log is empty" in page.read_text("utf-8")
    assert probe(page, 390)["charts"] == []


def test_names_are_text(made: Callable[..., dict[str, Any]]) -> None:
    """Whatever stands in a log or a path is text in HTML and in JSON."""
    evil = "</script><script>alert(1)</script> & \"<b>'"
    told = made()
    told["log"] = {**told["log"], "path": evil, "sources": {evil: 3}}
    told["faults"] = [{"fault": "skew", "count": 1, "meaning": evil, "examples": [evil]}]
    told["assumed"] = [evil]
    html = render(told)
    assert "<script>alert" not in html and "<b>'" not in html
    assert data_of(html)["name"]


def test_a_page_is_whole_or_not_there(
    made: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_metered(tmp_path / "nowhere" / "log.html", made())
    kept = tmp_path / "kept.html"
    kept.write_text("old")
    monkeypatch.setattr("lineshaft.report.metered.render", lambda _: "\ud800")  # cannot be written
    with pytest.raises(UnicodeEncodeError):
        write_metered(kept, made())
    assert kept.read_text() == "old" and list(tmp_path.glob("*.part")) == []


def test_a_picture_is_kept(
    made: Callable[..., dict[str, Any]],
    browse: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    """The whole page as a picture; its path is printed, to look at."""
    page, picture = tmp_path / "log.html", tmp_path / "log.png"
    write_metered(page, made())
    browse(page, "--window-size=1280,6400", f"--screenshot={picture}")
    print(f"\npicture of the report: {picture}")
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 200_000
