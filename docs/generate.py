"""Pages that are made from the code, so that they cannot fall behind it. MkDocs loads this file.

    index.md, contributing.md  the README and CONTRIBUTING.md, their links turned to the site's
    reference/scenario.md      every key of a scenario: unit, default, source, meaning
    reference/tables.md        every column of every table: unit, meaning, formula
    reference/figures.md       the headline figures: unit, window, columns
    reference/catalog.md       every row of the catalog, with its source
    reference/commands.md      every verb of the command line, as `--help` shows it

A page may hold `<!-- generated: STAGE -->`: there stand the stage's part of the scenario, its
tables, its headline figures, and how its engine compares with published measurements;
`<!-- measured: STAGE -->` is the last of these alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"<!-- (generated|measured): ([a-z]+) -->")


def on_files(files: Any, config: Any) -> Any:
    """MkDocs event: the generated pages join those that lie in the folder."""
    from mkdocs.structure.files import File

    for name, page in PAGES.items():
        files.append(File.generated(config, name, content=page()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs event: what the marks stand for."""
    return MARK.sub(lambda mark: MARKS[mark[1]](mark[2]), markdown)


def of_stage(stage: str) -> str:
    """What the code says of a stage: scenario, tables, headline figures, measurements."""
    from lineshaft.kpis import MEASURES
    from lineshaft.scenario import Scenario

    lines = ["## In the program", ""]
    if stage in Scenario.model_fields:
        lines += [f"- Asked in [`[{stage}]`](../reference/scenario.md#{stage}) of the scenario."]
    tables = [f"[`{name}`](../reference/tables.md#{name})" for name in tables_by_stage()[stage]]
    lines += [f"- Hands over {', '.join(tables)}."]
    figures = [m for m in MEASURES if m.name.split(".")[0] == stage]
    if figures:
        names = ", ".join(f"`{m.name}`" for m in figures)
        lines += [f"- [Headline figures](../reference/figures.md): {names}."]
    source = "allocation.py" if stage == "allocation" else f"stages/{stage}/"
    lines += [f"- Code: `src/lineshaft/{source}`.", "", "## Model against measured", ""]
    return "\n".join([*lines, measured(stage)])


def measured(stage: str) -> str:
    """The stage's rows of the validation table."""
    from importlib.util import find_spec

    if find_spec("lineshaft.measured") is None:
        return "No table yet: the published answers stand in the tests of the stage."
    from lineshaft import measured

    if stage not in {row["stage"] for row in measured.summary()}:
        return "No measurement of it is in the table yet."
    return measured.markdown(stage)


MARKS = {"generated": of_stage, "measured": measured}


def home() -> str:
    return _to_site((ROOT / "README.md").read_text("utf-8"))


def contributing() -> str:
    return _to_site((ROOT / "CONTRIBUTING.md").read_text("utf-8"))


def _to_site(text: str) -> str:
    """Files that are pages become links; links into docs/ start at its root."""
    text = text.replace("](docs/", "](").replace("](CONTRIBUTING.md", "](contributing.md")
    text = re.sub(r"`docs/([\w/-]+)\.md`", r"[\1](\1.md)", text)
    return text.replace("`CONTRIBUTING.md`", "[CONTRIBUTING](contributing.md)")


def tables_by_stage() -> dict[str, list[str]]:
    """The names of the tables by the stage that computes them, in the order of the line."""
    from lineshaft.contracts.tables import Tables
    from lineshaft.lineage import formulas

    by_table = {formula.table: formula.stage for formula in reversed(formulas().values())}
    found: dict[str, list[str]] = {}
    for name in Tables.types():
        found.setdefault(by_table[name], []).append(name)
    return found


def tables() -> str:
    from lineshaft.contracts.tables import Tables
    from lineshaft.lineage import formulas

    lines = ["# Tables", "", *_intro(TABLES_INTRO)]
    for stage, names in tables_by_stage().items():
        for name in names:
            kind = Tables.types()[name]
            keys = " × ".join(kind.KEYS) or "one row"
            lines += [f"## {name}", "", f"*{stage}, by {keys}.* {_line(kind.__doc__)}", ""]
            rows = (
                (f"`{c.name}`", c.unit, c.meaning, _formula(formulas().get(f"{name}.{c.name}")))
                for c in kind.columns()
            )
            lines += [*_table(("column", "unit", "meaning", "how it is computed"), rows), ""]
    return "\n".join(lines)


def figures() -> str:
    from lineshaft.kpis import MEASURES

    rows = (
        (f"`{m.name}`", m.unit, m.meaning, m.window, ", ".join(map(_column, m.columns)))
        for m in MEASURES
    )
    head = ("figure", "unit", "meaning", "window", "from")
    return "\n".join(["# Headline figures", "", *_intro(FIGURES_INTRO), *_table(head, rows)])


def scenario() -> str:
    from lineshaft.scenario import Scenario

    lines = ["# Scenario", "", *_intro(SCENARIO_INTRO)]
    for path, section in _sections(Scenario, ""):
        depth = "###" if "." in path else "##"
        lines += [f"{depth} {path or 'the file'}", "", _line(section.__doc__), ""]
        rows = (
            (f"`{name}`", _wanted(field), _default(field), _line(field.description), _cited(field))
            for name, field in section.model_fields.items()
            if path or not _nested(field)
        )
        head = ("key", "takes", "default", "meaning", "source of the default")
        lines += [*_table(head, rows), ""]
    return "\n".join(lines)


def catalog() -> str:
    from lineshaft import catalog as facts

    lines = ["# Catalog", "", *_intro(CATALOG_INTRO)]
    for name in facts.names():
        rows = (
            (f"`{row.name}`", _facts(row), row.confidence, f"{row.source} ({row['as_of']})")
            for row in facts.table(name)
        )
        lines += [f"## {name}", "", *_table(("row", "facts", "confidence", "source"), rows), ""]
    return "\n".join(lines)


def commands() -> str:
    import typer

    from lineshaft.cli import app

    root = typer.main.get_command(app)
    lines = ["# Commands", "", *_intro(COMMANDS_INTRO)]
    for path, command in _verbs(root, ("lineshaft",)):
        context = type(command).context_class(
            command, info_name=" ".join(path), terminal_width=88, max_content_width=88
        )
        lines += [f"## {' '.join(path)}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "index.md": home,
    "contributing.md": contributing,
    "reference/scenario.md": scenario,
    "reference/tables.md": tables,
    "reference/figures.md": figures,
    "reference/catalog.md": catalog,
    "reference/commands.md": commands,
}
"""Every generated page by its place in the site."""

TABLES_INTRO = """
What the stages hand to each other, in the order of the line. Each table is a file of the run
folder, `<name>.parquet`, with unit and meaning in the metadata of its fields, and an attribute of
`outcome.tables` and of a `Run`. A bare name in a formula is a column of the same table,
`table.column` one of another, `stage.name` a parameter of a stage; `lag` is last month, `curve`
and `engine` stand for what is not arithmetic and list their inputs.
"""
FIGURES_INTRO = """
`outcome["name"]`, `run.kpis["name"]`, and the lines that `lineshaft run` prints. With draws each
has its quantiles besides.
"""
SCENARIO_INTRO = """
A scenario is a TOML file. Everything is optional; what is left out has the default below. A number
may carry its unit (`"150 MW"`), and an uncertain one is written as a range: `"2 to 4"` is a 90 %
interval. `lineshaft schema` prints the same as JSON Schema.
"""
CATALOG_INTRO = """
The facts that scenarios refer to by name. A range follows the value that it belongs to; cells
marked † have no public source and are listed under [gaps](../gaps.md). FLOP rates are dense, link
rates count one direction, money is nominal USD.
"""
COMMANDS_INTRO = """
Data goes to stdout, progress and messages to stderr. Exit status 0: done; 1: a check failed; 2: bad
input, told without a traceback.
"""


def _intro(text: str) -> list[str]:
    return [text.strip(), ""]


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        # the other columns keep their plain text; only a bar would end a cell
        yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |"


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _column(name: str) -> str:
    table = name.split(".")[0]
    return f"[`{name}`](tables.md#{table})"


def _formula(formula: Any) -> str:
    return f"`{_line(formula.text)}`" if formula else ""


def _sections(model: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every table of a scenario by its path, each before what stands inside it."""
    yield path, model
    for name, field in model.model_fields.items():
        for inner in _nested(field):
            yield from _sections(inner, f"{path}.{name}" if path else name)


def _nested(field: Any) -> list[Any]:
    """The sections that a field holds, alone or in a list."""
    from typing import get_args

    from lineshaft.scenario.fields import Section

    def inside(kind: Any) -> Iterator[Any]:
        if isinstance(kind, type) and issubclass(kind, Section):
            yield kind
        for part in get_args(kind):
            yield from inside(part)

    return list(dict.fromkeys(inside(field.annotation)))


def _wanted(field: Any) -> str:
    """What a field takes: the unit and the bounds of a quantity, words, tables, text."""
    from collections.abc import Mapping
    from typing import Literal, get_args, get_origin

    from lineshaft.scenario.fields import quantity_of

    kind = quantity_of(field)
    if kind:
        number = kind.allowed or ("number" if kind.unit == "1" else kind.unit)
        whole = "whole number" if kind.whole else ""
        return ", ".join(filter(None, (number, whole or ("" if kind.uncertain else "no range"))))
    if _nested(field):
        return "tables" if get_origin(field.annotation) is tuple else "a table"
    kinds = [field.annotation, *get_args(field.annotation)]
    words = [str(word) for k in kinds if get_origin(k) is Literal for word in get_args(k)]
    if words:
        return " or ".join(words)
    if field.annotation is bool:
        return "true or false"
    origins = {get_origin(k) for k in kinds}
    return "a table" if origins & {Mapping, dict} else "texts" if tuple in origins else "text"


def _default(field: Any) -> str:
    if field.is_required():
        return "**needed**"
    value = field.get_default()
    if isinstance(value, bool):
        value = str(value).lower()
    return "" if value in (None, "", (), {}) else f"`{value}`"


def _cited(field: Any) -> str:
    extra = field.json_schema_extra or {}
    confidence = extra.get("x-confidence", "")
    parts = (extra.get("x-source", ""), f"{confidence} confidence" if confidence else "")
    return "; ".join(filter(None, parts))


def _facts(row: Any) -> str:
    apart = {"name", "source", "as_of", "confidence", "low_confidence", "notes", "note"}
    parts = []
    for column, value in row.items():
        if value in (None, "") or column in apart or column.endswith(("_low", "_high")):
            continue
        span = row.span(column)
        shown = f"{value:.4g}" if isinstance(value, float) else value
        ends = f" ({span[0]:.4g} to {span[1]:.4g})" if span else ""
        mark = "†" if column in str(row.get("low_confidence") or "").split(";") else ""
        parts.append(f"{column} {shown}{ends}{mark}")
    return "; ".join(parts)


def _verbs(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _verbs(inner, (*path, name))
