"""The page in a browser: every chart is drawn, nothing is logged, names do not overlap, CSV holds
the figures."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineshaft.report import write_report
from lineshaft.runs import Run

Probe = Callable[[Path, int], dict[str, Any]]
Probed = Callable[[Run, int], dict[str, Any]]
Browse = Callable[..., subprocess.CompletedProcess[str]]
Check = Callable[[dict[str, Any], int], None]


@pytest.fixture
def probed(probe: Probe, tmp_path: Path) -> Probed:
    """What a browser of a width shows of the report of a run."""

    def found(run: Run, width: int) -> dict[str, Any]:
        path = tmp_path / "report.html"
        write_report(path, run)
        return probe(path, width)

    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn(
    make: Callable[..., Run], asked: dict[str, Any], probed: Probed, is_whole: Check, width: int
) -> None:
    """All forms at the width of a desk and of a phone: drawn, named, with table and CSV."""
    is_whole(probed(make(draws=64, **asked), width), 26)


def test_a_short_run_without_draws_is_drawn(
    make: Callable[..., Run], probed: Probed, is_whole: Check
) -> None:
    """Eighteen months, no band, no histogram."""
    is_whole(probed(make(months=18), 500), 10)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_shipped_example_is_drawn(
    gigawatt_run: Run, probed: Probed, is_whole: Check, width: int
) -> None:
    """The report that people see first."""
    is_whole(probed(gigawatt_run, width), 22)


def test_a_picture_is_kept(gigawatt_run: Run, browse: Browse, tmp_path: Path) -> None:
    """The whole page as a picture; its path is printed, to look at."""
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    write_report(page, gigawatt_run)
    browse(page, "--window-size=1280,9500", f"--screenshot={picture}")
    print(f"\npicture of the report: {picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 300_000


def test_an_empty_scenario_logs_nothing(make: Callable[..., Run], probed: Probed) -> None:
    """No chart but that of the engines' own errors, and nothing logged."""
    found = probed(make(full=False), 1280)["charts"]
    assert [chart["key"] for chart in found] == ["errors"]


def test_csv_comes_from_the_page(make: Callable[..., Run], probed: Probed) -> None:
    """Each chart hands out its figures by month or label, made in the page."""
    found = {c["key"]: c["sheet"] for c in probed(make(), 1280)["charts"]}
    lines = {key: sheet.removeprefix("\ufeff").split("\r\n") for key, sheet in found.items()}
    assert lines["work"][1] == "2026-01," + ",".join(["power"] * 6)
    assert lines["daa"][1].startswith("2026-01,0,")
    assert lines["energy-flow"][0] == "from,to,value [Wh]"
    assert lines["money-flow"][1].startswith("equity,money in,45000000000")
