"""The page in a browser: every chart is drawn, nothing is logged, names do not overlap, CSV holds
the figures."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineshaft.report import write_report
from lineshaft.runs import Run

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
)
PROBE = """<script>addEventListener("load", async () => {
  const blobs = [];
  URL.createObjectURL = (blob) => { blobs.push(blob); return "#"; };
  const links = [...document.querySelectorAll(".csv")];
  for (const link of links) link.click();
  const sheets = await Promise.all(blobs.map((blob) => blob.text()));
  const wide = document.documentElement.clientWidth;
  const charts = [...document.querySelectorAll(".chart")].map((element, i) => {
    const texts = [...element.querySelectorAll("svg text")].filter((t) => t.textContent.trim())
      .map((t) => [t.textContent, t.getBoundingClientRect()]);
    const overlap = texts.flatMap(([a, p], i) => texts.slice(i + 1).filter(([b, q]) =>
      Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2
      && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4).map(([b]) => [a, b]));
    const box = element.getBoundingClientRect();
    const cut = texts.filter(([, p]) => p.left < box.left - 1 || p.right > box.right + 1
      || p.top < box.top - 3 || p.bottom > box.bottom + 3).map(([a]) => a);
    const figure = element.closest("figure");
    return { key: element.dataset.key, marks: element.querySelectorAll("svg path").length,
      words: element.getAttribute("aria-label"), cells: figure.querySelectorAll("table td").length,
      file: links[i].download, sheet: sheets[i], texts: texts.length, overlap, cut };
  });
  const found = { drawn: document.documentElement.dataset.drawn, charts,
    width: document.documentElement.scrollWidth, wide };
  parent.postMessage(JSON.stringify(found), "*");
});</script></body>"""
FRAME = """<body style="margin:0"><script>addEventListener("message", (event) => {
  const out = document.createElement("pre");
  out.textContent = event.data;
  document.body.append(out);
});</script><iframe src="page.html" style="border:0;width:%dpx;height:3000px"></iframe></body>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no chromium to open the page in")


def browse(page: Path, folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Chromium at work on a file of this machine."""
    assert BROWSER is not None
    profile = f"--user-data-dir={folder / 'profile'}"
    return subprocess.run(
        [BROWSER, *FLAGS, profile, *flags, page.resolve().as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def probed(run: Run, folder: Path, width: int) -> dict[str, Any]:
    """What a browser of this width shows of the report; nothing may be logged.

    The page stands in a frame, because a window cannot be as narrow as a phone.
    """
    path = folder / "report.html"
    write_report(path, run)
    head, tail = path.read_text("utf-8").rsplit("</body>", 1)
    (folder / "page.html").write_text(head + PROBE + tail, "utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME % width, "utf-8")
    done = browse(frame, folder, f"--window-size={max(width, 500)},3000", "--dump-dom")
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
    text = done.stdout.split("<pre>")[1].split("</pre>")[0]
    for sign, name in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
        text = text.replace(name, sign)
    found: dict[str, Any] = json.loads(text)
    return found


def is_whole(found: dict[str, Any], least: int) -> None:
    """Every chart is drawn and has its words, its table and its CSV; nothing hides another."""
    charts = found["charts"]
    assert len(charts) >= least
    assert found["drawn"] == str(len(charts))
    assert found["width"] <= found["wide"]
    for chart in charts:
        assert chart["marks"] + chart["texts"] > 5, chart["key"]
        assert len(chart["words"]) >= 20
        assert chart["cells"] > 0, chart["key"]
        rows = list(csv.reader(chart["sheet"].removeprefix("\ufeff").splitlines()))
        assert len(rows) > 1 and len({len(row) for row in rows}) == 1, chart["key"]
        assert chart["file"].endswith(f"-{chart['key']}.csv")
        assert chart["overlap"] == [], chart["key"]
        assert chart["cut"] == [], chart["key"]


@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn(
    make: Callable[..., Run], asked: dict[str, Any], tmp_path: Path, width: int
) -> None:
    """All forms at the width of a desk and of a phone: drawn, named, with table and CSV."""
    is_whole(probed(make(draws=64, **asked), tmp_path, width), 26)


def test_a_short_run_without_draws_is_drawn(make: Callable[..., Run], tmp_path: Path) -> None:
    """Eighteen months, no band, no histogram."""
    is_whole(probed(make(months=18), tmp_path, 500), 10)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_shipped_example_is_drawn(gigawatt_run: Run, tmp_path: Path, width: int) -> None:
    """The report that people see first."""
    is_whole(probed(gigawatt_run, tmp_path, width), 22)


def test_a_picture_is_kept(gigawatt_run: Run, tmp_path: Path) -> None:
    """The whole page as a picture; its path is printed, to look at."""
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    write_report(page, gigawatt_run)
    browse(page, tmp_path, "--window-size=1280,9500", f"--screenshot={picture}")
    print(f"\npicture of the report: {picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 300_000


def test_an_empty_scenario_logs_nothing(make: Callable[..., Run], tmp_path: Path) -> None:
    """No chart but that of the engines' own errors, and nothing logged."""
    found = probed(make(full=False), tmp_path, 1280)["charts"]
    assert [chart["key"] for chart in found] == ["errors"]


def test_csv_comes_from_the_page(make: Callable[..., Run], tmp_path: Path) -> None:
    """Each chart hands out its figures by month or label, made in the page."""
    found = {c["key"]: c["sheet"] for c in probed(make(), tmp_path, 1280)["charts"]}
    lines = {key: sheet.removeprefix("\ufeff").split("\r\n") for key, sheet in found.items()}
    assert lines["work"][1] == "2026-01," + ",".join(["power"] * 6)
    assert lines["daa"][1].startswith("2026-01,0,")
    assert lines["energy-flow"][0] == "from,to,value [Wh]"
    assert lines["money-flow"][1].startswith("equity,money in,45000000000")
