"""The page as a file: it is whole, small, closed to the network, and the same each time."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from lineshaft.report import write_report

SECTIONS = (
    "line",
    "limits",
    "agents",
    "power",
    "tokens",
    "building",
    "tasks",
    "money",
    "checks",
)
CHARTS = (
    "work",
    "construction",
    "daa",
    "power",
    "accelerators",
    "tokens",
    "token-cost",
    "pue",
    "energy",
    "plan",
    "task-price",
    "task-cost",
    "human-minutes",
    "cash",
    "free-cash-flow",
    "value",
    "revenue",
    "costs",
)
EVIL = "</script><script>alert(1)</script> & \"<b>'"


class Page(HTMLParser):
    """Elements, what they load, and the text of scripts, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.titles = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.tags.append(tag)
        self.open.append(tag)
        self.ids += [own["id"] or ""] if "id" in own else []
        self.loads += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "action")]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        if self.open and self.open[-1] in ("title", "h1"):
            self.titles += data


@pytest.fixture
def written(make: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """The text of the report of a run."""

    def text(**what: Any) -> str:
        path = tmp_path / "report.html"
        write_report(path, *make(**what))
        return path.read_text("utf-8")

    return text


def embedded(page: str) -> dict[str, Any]:
    """The JSON of the page."""
    found: dict[str, Any] = json.loads(Page(page).scripts[0])
    return found


def test_the_page_is_whole(written: Callable[..., str]) -> None:
    """All sections in order, every chart with its alt text, table and CSV."""
    text = written(draws=64)
    page = Page(text)
    assert [i for i in page.ids if i in SECTIONS] == list(SECTIONS)
    assert [i.removeprefix("fig-") for i in page.ids if i.startswith("fig-")] == list(CHARTS)
    assert [c["key"] for c in embedded(text)["charts"]] == list(CHARTS)
    for key in CHARTS:
        figure = text[text.index(f'<figure id="fig-{key}"') :].split("</figure>")[0]
        assert re.search(r'role="img" aria-label="[^"]{20,}"', figure), key
        assert re.search("<table[^>]*><caption>.*<td>", figure), key
        assert 'class="csv"' in figure, key
    assert "conditional on this scenario" in text
    assert text.count('class="tile"') == 8
    assert text.count("p10 – p90: ") == 8


def test_the_page_opens_offline_and_is_small(written: Callable[..., str]) -> None:
    """Nothing is loaded from anywhere, and the page says so to the browser."""
    text = written(draws=64)
    assert len(text.encode()) <= 3_000_000
    assert all(target.startswith("#") for target in Page(text).loads)
    assert "url(" not in (resources.files("lineshaft.report") / "style.css").read_text()
    assert "default-src 'none'" in text
    assert Page(text).scripts[1] == resources.files("lineshaft.report").joinpath(
        "assets/echarts.min.js"
    ).read_text("utf-8")


def test_the_same_run_gives_the_same_bytes(written: Callable[..., str]) -> None:
    """No clock, no path, no order of a set in the page."""
    assert written(draws=64) == written(draws=64)


def test_figures_survive_the_journey(written: Callable[..., str], make: Callable[..., Any]) -> None:
    """What the charts show is what the tables hold, to six figures."""
    _, outcome, _ = make()
    charts = {c["key"]: c for c in embedded(written())["charts"]}
    daa = outcome.tables.accepted.daa_b[..., 0]
    for row in charts["daa"]["rows"]:
        own = daa[:, outcome.tables.dims.index("kind", row["name"])]
        assert row["values"] == pytest.approx(own, rel=1e-5, abs=1e-12)
    assert "bands" not in charts["daa"]
    months = outcome.tables.dims.labels["month"]
    for chart in charts.values():
        for lane in chart.get("lanes", ()):
            if "runs" in lane:
                assert [r[0] for r in lane["runs"][1:]] == [r[1] for r in lane["runs"][:-1]]
                assert lane["runs"][-1][1] == len(months)


def test_a_band_is_shown_only_with_draws(written: Callable[..., str]) -> None:
    """Without draws there is no interval, and the page says how to get one."""
    with_draws, without = written(draws=64), written()
    assert "Shaded: p10 – p90" in with_draws
    assert "Shaded: p10 – p90" not in without
    assert "--draws 1000" in without
    assert "--draws 1000" not in with_draws


def test_an_empty_scenario_says_so(written: Callable[..., str]) -> None:
    """No kinds, no sites: sentences in place of charts."""
    text = written(full=False)
    assert embedded(text)["charts"] == []
    assert [i for i in Page(text).ids if i in SECTIONS] == list(SECTIONS)
    assert "No agent did accepted work" in text
    assert "<figure" not in text
    assert "nan" not in re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S).lower().split()


def test_a_single_month_works(written: Callable[..., str]) -> None:
    """One month is a run too."""
    assert embedded(written(months=1))["months"] == ["2026-01"]


def test_names_cannot_break_the_page(written: Callable[..., str]) -> None:
    """A scenario's name is text, in HTML and in JSON."""
    plain, evil = Page(written()), Page(written(name=EVIL))
    assert evil.tags == plain.tags
    assert EVIL in evil.titles
    assert json.loads(evil.scripts[0])["name"] == EVIL
    assert evil.scripts[1:] == plain.scripts[1:]


def test_an_open_balance_is_not_hidden(make: Callable[..., Any], tmp_path: Path) -> None:
    """A check that failed is told in the first line of its section."""
    info, outcome, curves = make()
    info["checks"][2].update(residual=0.25, passed=False)
    write_report(tmp_path / "r.html", info, outcome, curves)
    assert "1 do NOT close. Largest relative residual: 2.5e-01" in (tmp_path / "r.html").read_text()


def test_the_library_is_the_one_that_is_named() -> None:
    """The chart library is the published file, unchanged, and its licences are shipped."""
    assets = resources.files("lineshaft.report") / "assets"
    said = (assets / "README.md").read_text("utf-8")
    library = (assets / "echarts.min.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() in said
    assert f"{len(library):,} bytes" in said
    assert "</script" not in library.decode().lower()
    for name in ("LICENSE.txt", "NOTICE.txt", "LICENSE-d3.txt", "LICENSE-zrender.txt"):
        assert (assets / name).is_file()


def test_claims_are_listed_gravest_first_and_escaped(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    info, outcome, curves = make()
    claims = {"<b>nine": ["ok: basis: fine", "alarm: unit slip: 10 < 100"]}
    write_report(tmp_path / "with.html", {**info, "claims": claims}, outcome, curves)
    page = (tmp_path / "with.html").read_text("utf-8")
    assert "&lt;b&gt;nine" in page and "10 &lt; 100" in page
    assert page.index("<i>unit slip</i>") < page.index("<i>basis</i>")
    write_report(tmp_path / "without.html", info, outcome, curves)
    assert 'id="claims"' not in (tmp_path / "without.html").read_text("utf-8")
