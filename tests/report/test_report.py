"""The page as a file: it is whole, small, closed to the network, and the same each time."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from lineshaft.errors import RunError
from lineshaft.report import scores, shell, write_report
from lineshaft.runs import Run

SECTIONS = (
    *("line", "must", "limits", "agents", "power", "tokens", "building", "tasks", "money"),
    *("moves", "scores", "checks"),
)
CHARTS = (
    *("joints", "work", "construction", "daa", "power", "accelerators", "tokens", "token-cost"),
    *("energy-flow", "pue", "energy", "plan", "task-parts", "task-price", "task-cost"),
    *("human-minutes", "cash", "free-cash-flow", "value", "value-spread", "money-flow"),
    *("revenue", "costs", "swings", "one-more", "errors"),
)
EVIL = "</script><script>alert(1)</script> & \"<b>'"


class Page(HTMLParser):
    """Elements, what they load, and the text of scripts, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.titles = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.tags.append(tag)
        self.open.append(tag)
        self.ids += [own["id"] or ""] if "id" in own else []
        found = [v or "" for k, v in attrs if k in ("src", "href", "srcset", "action")]
        if tag == "a":
            self.leads += found
        else:
            self.loads += found
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


def written(run: Run) -> str:
    """The text of the report of a run."""
    write_report(run.folder / "report.html", run)
    return (run.folder / "report.html").read_text("utf-8")


def embedded(page: str) -> dict[str, Any]:
    """The JSON of the page."""
    found: dict[str, Any] = json.loads(Page(page).scripts[0])
    return found


def seen(page: str) -> str:
    """What people read: the page without style and scripts."""
    return re.sub(r"<(script|style).*?</\1>", "", page, flags=re.S)


def test_the_page_is_whole(make: Callable[..., Run], asked: dict[str, Any]) -> None:
    """All sections in order, every chart with its alt text, table and CSV."""
    text = written(make(draws=64, **asked))
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
    assert 'id="absent"' not in text


def test_the_page_opens_offline_and_is_small(
    make: Callable[..., Run], gigawatt_run: Run, tmp_path: Path
) -> None:
    """Nothing is loaded from anywhere, and the page says so to the browser."""
    write_report(tmp_path / "gigawatt.html", gigawatt_run)
    for text in (written(make(draws=64)), (tmp_path / "gigawatt.html").read_text("utf-8")):
        assert len(text.encode()) <= 3_000_000
        page = Page(text)
        assert page.loads == []
        assert all(target.startswith(("#", "https://", "http://")) for target in page.leads)
        assert "url(" not in (resources.files("lineshaft.report") / "style.css").read_text()
        assert "default-src 'none'" in text
        assert page.scripts[1] == resources.files("lineshaft.report").joinpath(
            "assets/echarts.min.js"
        ).read_text("utf-8")


def test_the_run_folder_alone_gives_the_same_bytes(gigawatt_run: Run, tmp_path: Path) -> None:
    """The report that the run wrote, written again from a copy of its folder elsewhere."""
    copy = tmp_path / "copy"
    shutil.copytree(gigawatt_run.folder, copy)
    (copy / "report.html").unlink()
    write_report(tmp_path / "again.html", Run.read(copy))
    first = (gigawatt_run.folder / "report.html").read_bytes()
    assert (tmp_path / "again.html").read_bytes() == first
    assert str(tmp_path).encode() not in first


def test_the_same_run_gives_the_same_bytes(make: Callable[..., Run]) -> None:
    """No clock, no path, no order of a set in the page."""
    assert written(make(draws=64)) == written(make(draws=64))


def test_figures_survive_the_journey(make: Callable[..., Run]) -> None:
    """What the charts show is what the tables hold, to six figures."""
    run = make()
    charts = {c["key"]: c for c in embedded(written(run))["charts"]}
    daa = run.tables.accepted.daa_b[..., 0]
    for row in charts["daa"]["rows"]:
        own = daa[:, run.tables.dims.index("kind", row["name"])]
        assert row["values"] == pytest.approx(own, rel=1e-5, abs=1e-12)
    assert "bands" not in charts["daa"]
    months = run.tables.dims.labels["month"]
    for chart in charts.values():
        for lane in chart.get("lanes", ()):
            if "runs" in lane:
                assert [r[0] for r in lane["runs"][1:]] == [r[1] for r in lane["runs"][:-1]]
                assert lane["runs"][-1][1] == len(months)


def test_a_band_is_shown_only_with_draws(make: Callable[..., Run]) -> None:
    """Without draws there is no interval and no spread, and the page says how to get them."""
    with_draws, without = written(make(draws=64)), written(make())
    assert "Shaded: p10 – p90" in with_draws and 'id="fig-value-spread"' in with_draws
    assert "Shaded: p10 – p90" not in without and 'id="fig-value-spread"' not in without
    assert "--draws 1000" in without
    assert "--draws 1000" not in with_draws


def test_an_empty_scenario_says_so(make: Callable[..., Run]) -> None:
    """No kinds, no sites: a sentence for each section that has nothing to show."""
    text = written(make(full=False))
    assert [c["key"] for c in embedded(text)["charts"]] == ["errors"]
    assert [i for i in Page(text).ids if i in SECTIONS] == ["line", "scores", "checks"]
    absent = text[text.index('<ul class="absent">') :].split("</ul>")[0]
    assert absent.count("<li>") == len(SECTIONS) - 3
    assert "No agent did accepted work" in absent
    assert "<code>lineshaft require scenario.toml --value 9.3T --run required</code>" in absent
    assert text.count("<figure") == 1
    assert 'class="tiles"' not in text
    assert "nan" not in seen(text).lower().split()


def test_a_run_without_a_campus_says_what_it_lacks(warehouse_run: Run) -> None:
    """Robots and rented tokens: no plan, no PUE, no accelerators, each in one sentence."""
    text = written(warehouse_run)
    keys = [c["key"] for c in embedded(text)["charts"]]
    assert {"daa", "task-parts", "money-flow", "energy-flow", "tokens"} <= set(keys)
    assert not {"plan", "pue", "accelerators", "construction", "joints"} & set(keys)
    for said in ("Nothing is built", "There are no accelerators", "Without IT energy"):
        assert text.count(said) == 1


def test_a_single_month_works(make: Callable[..., Run]) -> None:
    """One month is a run too."""
    assert embedded(written(make(months=1)))["months"] == ["2026-01"]


def test_names_cannot_break_the_page(make: Callable[..., Run], asked: dict[str, Any]) -> None:
    """A scenario's name, and every text of run.json, is text in HTML and in JSON."""
    plain = Page(written(make(**asked)))
    for text in ("sensitivity", "required", "one_more"):
        asked[text] = json.loads(json.dumps(asked[text]).replace("a source", "<b>x</b>"))
    asked["required"]["text"] = asked["one_more"][0]["what"] = EVIL
    evil = Page(written(make(name=EVIL, **asked)))
    assert evil.tags == plain.tags
    assert EVIL in evil.titles
    assert json.loads(evil.scripts[0])["name"] == EVIL
    assert evil.scripts[1:] == plain.scripts[1:]


def test_an_open_balance_is_not_hidden(make: Callable[..., Run]) -> None:
    """A check that failed is told in the first line of its section."""
    run = make()
    info = json.loads((run.folder / "run.json").read_text("utf-8"))
    info["checks"][2].update(residual=0.25, passed=False)
    (run.folder / "run.json").write_text(json.dumps(info), "utf-8")
    text = written(Run.read(run.folder))
    assert "1 do NOT close. Largest relative residual: 2.5e-01" in text


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


def test_every_script_is_used() -> None:
    """No script lies in the package without being put into the page."""
    folder = resources.files("lineshaft.report")
    assert {p.name for p in folder.iterdir() if p.name.endswith(".js")} == set(shell.SCRIPTS)


def test_a_report_is_whole_or_not_there(
    make: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written leaves nothing, and what was there stays."""
    run = make()
    with pytest.raises(RunError, match="cannot be written"):
        write_report(tmp_path / "nowhere" / "report.html", run)
    path = tmp_path / "kept.html"
    path.write_text("old")
    (run.folder / "worth.parquet").unlink()
    with pytest.raises(RunError, match=r"worth\.parquet is missing"):
        write_report(path, Run.read(run.folder))
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


ROW = {
    "stage": "serve",
    "what": "tokens per second <of a node>",
    "source": "DeepSeek",
    "url": "https://example.org/day",
    "measured": 14800.0,
    "model": 12000.0,
    "unit": "token/s",
    "error": -0.189,
    "tolerance": 0.15,
    "absolute": False,
    "kind": "unseen",
    "passed": False,
    "known_miss": "the first engine has no overlap",
    "skipped": "",
}


def test_model_against_measured_is_shown(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stage with its counts and rows; what was missed stands open, above."""
    passing = {**ROW, "what": "a row that passes", "error": 0.02, "passed": True, "known_miss": ""}
    skipped = {**ROW, "what": "a row that needs data", "model": None, "error": None, "passed": None}
    monkeypatch.setattr(scores, "summary", lambda: [ROW, passing, {**skipped, "known_miss": ""}])
    text = written(make())
    section = text[text.index('<section id="scores"') :].split("</section>")[0]
    assert "Within what is allowed: unseen 1/2" in section
    misses = section[section.index('<ul class="misses">') :].split("</ul>")[0]
    assert "tokens per second &lt;of a node&gt;: measured 14.8 k tokens/s, model 12.0 k" in misses
    assert "the first engine has no overlap" in misses
    table = section[section.index('<table class="words scores">') :]
    assert table.count("<tr") == 4 and table.count('<tr class="miss">') == 1
    (chart,) = [c for c in embedded(text)["charts"] if c["key"] == "errors"]
    assert [(dot[1], dot[3]) for dot in chart["dots"]] == [(-0.189, False), (0.02, True)]
    assert len(chart["sheet"]) == 4
    assert "−18.9 %" in section and "needs data" in section
    assert '<a href="https://example.org/day">DeepSeek</a>' in section


def test_claims_are_listed_gravest_first_and_escaped(make: Callable[..., Run]) -> None:
    """Alarms first; no claim, no list."""
    claims = {"<b>nine": ("ok: basis: fine", "alarm: unit slip: 10 < 100")}
    page = written(make(claims=claims))
    assert "&lt;b&gt;nine" in page and "10 &lt; 100" in page
    assert page.index("<i>unit slip</i>") < page.index("<i>basis</i>")
    assert 'class="claims"' not in written(make())
