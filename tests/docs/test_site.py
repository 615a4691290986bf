"""The site builds without a warning, reads without a network, and leaves nothing out."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest

from lineshaft import catalog
from lineshaft.contracts.tables import Tables
from lineshaft.kpis import MEASURES
from lineshaft.line import LINE
from lineshaft.scenario import Scenario

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=\"?([^\" >]+)")
PLAIN_LINK = re.compile(r'<link[^>]*rel="?(?:canonical|next|prev)')


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text(page: Path) -> str:
    return unescape(re.sub(r"<[^>]+>", "", page.read_text("utf-8")))


def test_every_page_loads_from_its_own_folder(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        found = [
            url
            for tag in re.findall(r"<(?:script|img|iframe|source|link)\b[^>]*>", page.read_text())
            if not PLAIN_LINK.match(tag)
            for url in LOADED.findall(tag)
        ]
        assert found, page
        for url in found:
            assert not re.match(r"(https?:)?//", url), f"{page.name} loads {url}"
            path = url.split("?")[0].split("#")[0]
            if path and not path.startswith("data:"):
                assert (page.parent / path).exists() or page.name == "404.html", f"{page}: {url}"


def test_styles_load_nothing_from_elsewhere(site: Path) -> None:
    for style in site.rglob("*.css"):
        loads = re.findall(r"(?:url\(|@import )[\"']?(https?://[^\"')]+)", style.read_text("utf-8"))
        assert not loads, f"{style.name}: {loads}"


@pytest.mark.parametrize("stage", [*LINE, "allocation"])
def test_a_stage_says_what_it_answers_how_whence_and_where_it_ends(stage: str, site: Path) -> None:
    page = (ROOT / f"docs/stages/{stage}.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Equations", "Sources", "Limits"]
    assert page.rstrip().endswith(f"<!-- generated: {stage} -->")
    built = text(site / f"stages/{stage}.html")
    assert "generated:" not in built
    assert "Model against measured" in built
    from lineshaft.lineage import formulas

    for table in {f.table for f in formulas().values() if f.stage == stage}:
        assert table in built, f"{stage} does not name its table {table}"


def test_the_reference_holds_all_there_is(site: Path) -> None:
    tables = text(site / "reference/tables.html")
    for name, kind in Tables.types().items():
        assert name in tables
        for column in kind.columns():
            meaning = column.meaning.replace("`", "")
            assert column.name in tables and meaning in tables, f"{name}.{column.name}"
    figures = text(site / "reference/figures.html")
    assert all(measure.name in figures for measure in MEASURES)
    facts = text(site / "reference/catalog.html")
    for name in catalog.names():
        for row in catalog.table(name):
            assert row.text("name") in facts, f"{name}: {row['name']}"
    asked = text(site / "reference/scenario.html")
    schema = Scenario.model_json_schema()
    for name, section in schema["$defs"].items():
        for key in section.get("properties", {}):
            assert key in asked, f"{name}.{key}"


def test_every_verb_has_its_help(generate: ModuleType) -> None:
    import typer

    from lineshaft.cli import app

    page = generate.commands()
    command = typer.main.get_command(app)
    verbs: dict[str, object] = command.commands  # type: ignore[attr-defined]
    assert {"run", "check", "catalog", "schema"} <= set(verbs)
    for verb in verbs:
        assert f"## lineshaft {verb}\n" in page


def test_a_bar_in_a_cell_does_not_end_it(generate: ModuleType) -> None:
    rows = list(generate._table(("a", "b"), [("x|y", "z")]))
    assert rows == ["| a | b |", "|---|---|", r"| x\|y | z |"]


def test_what_a_field_takes_is_told(generate: ModuleType) -> None:
    from lineshaft.scenario.build import Build, Phase
    from lineshaft.scenario.capital import Round

    told = {
        "tables": (Build, "phase"),
        "true or false": (Build, "risk"),
        "above 0 W": (Phase, "it_w"),
        "planned or claimed or reported": (Round, "status"),
        "texts": (Round, "investors"),
        "text": (Round, "name"),
    }
    for words, (section, name) in told.items():
        assert generate._wanted(section.model_fields[name]) == words
    assert generate._default(Phase.model_fields["it_w"]) == "**needed**"


def test_pages_name_files_that_exist() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
        for name in re.findall(r"`((?:docs|src|tests|bench|notebooks)/[\w./-]+)`", prose):
            assert (ROOT / name).exists(), f"{page.name} names {name}"


def test_the_glossary_holds_each_term_once_in_order() -> None:
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "docs/glossary.md").read_text("utf-8"), re.M)
    terms = [row.lower() for row in rows if row != "term"]
    assert len(terms) > 40
    assert terms == sorted(set(terms))
