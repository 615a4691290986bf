"""The page in a browser: every chart is drawn, nothing is logged, CSV holds the figures."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineshaft.report import write_report

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
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
    "--dump-dom",
)
PROBE = """<script>addEventListener("load", async () => {
  const blobs = [];
  URL.createObjectURL = (blob) => { blobs.push(blob); return "#"; };
  for (const link of document.querySelectorAll(".csv")) link.click();
  const texts = await Promise.all(blobs.map((blob) => blob.text()));
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = texts.map((text) => text.split("\\r\\n")[1]).join("\\n");
  document.body.append(out);
});</script></body>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no chromium to open the page in")


def opened(path: Path, folder: Path, width: int = 1280) -> tuple[str, list[str]]:
    """The page's DOM after its scripts ran, and what was logged."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER,
            *FLAGS,
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},2000",
            path.resolve().as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.mark.parametrize(("width", "draws", "months"), [(1280, 64, 120), (500, 0, 18)])
def test_every_chart_is_drawn(
    make: Callable[..., Any], tmp_path: Path, width: int, draws: int, months: int
) -> None:
    """As many pictures as charts, with marks in them, and no word on the console."""
    path = tmp_path / "report.html"
    write_report(path, *make(draws=draws, months=months))
    dom, logged = opened(path, tmp_path, width)
    assert logged == []
    charts = dom.count('class="chart"')
    assert charts > 5
    assert f'data-drawn="{charts}"' in dom
    pictures = re.findall(r'data-key="[a-z-]+" role="img".*?</svg>', dom, re.S)
    assert len(pictures) == charts
    assert all(picture.count("<path") > 5 for picture in pictures)
    assert all(re.search(r'aria-label="[^"]{20,}"', picture) for picture in pictures)


def test_an_empty_scenario_logs_nothing(make: Callable[..., Any], tmp_path: Path) -> None:
    """No chart, no error."""
    path = tmp_path / "report.html"
    write_report(path, *make(full=False))
    dom, logged = opened(path, tmp_path)
    assert logged == []
    assert 'data-drawn="0"' in dom


def test_csv_comes_from_the_page(make: Callable[..., Any], tmp_path: Path) -> None:
    """Each chart hands out its figures by month or label, made in the page."""
    path = tmp_path / "report.html"
    write_report(path, *make())
    head, tail = path.read_text("utf-8").rsplit("</body>", 1)
    path.write_text(head + PROBE + tail, "utf-8")
    dom, logged = opened(path, tmp_path)
    assert logged == []
    found = dom[dom.index('<pre id="probe">') :].split(">", 1)[1].split("</pre>")[0].split("\n")
    assert len(found) == dom.count('class="csv"')
    assert found[0] == "2026-01," + ",".join(["power"] * 6)
    assert found[2].startswith("2026-01,0,")
