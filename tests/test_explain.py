"""Explanations: every node's value follows from its children, down to cited facts."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import lineshaft
from lineshaft.contracts.tables import Tables
from lineshaft.errors import InputError, RunError
from lineshaft.explain import Node, explain, explainable
from lineshaft.explain.walk import MOST
from lineshaft.formulas import keys_of, opaque, parse
from lineshaft.kpis import MEASURES
from lineshaft.lineage import formulas
from lineshaft.runs import Run

EXAMPLES = ("gigawatt", "warehouse", "claimed-9t")
FIGURES = [what.name for what in MEASURES]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Every shipped example, with a few draws."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: lineshaft.record(lineshaft.read(name), folder / name, draws=8, sensitivity=False)
        for name in EXAMPLES
    }


def follows(root: Node, depth: int, most: int = 120) -> int:
    """How many nodes were checked: each value is what its children's values give."""
    checked = 0
    for count, node in enumerate(root.walk(depth)):
        if count >= most:
            break
        found = node.arithmetic
        if found is None:
            continue
        scale = max((abs(c.value) for c in node.children if math.isfinite(c.value)), default=0.0)
        scale = max(scale, abs(node.value)) if math.isfinite(node.value) else scale
        near = abs(found - node.value) <= 1e-9 * scale
        assert near or (math.isnan(found) and math.isnan(node.value)), (node.label, node.formula)
        checked += 1
    return checked


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_a_figure_follows_from_its_parts(runs: dict[str, Run], example: str, name: str) -> None:
    run = runs[example]
    root = explain(run, name)
    stored = run.kpis[name]["value"]
    expected = math.nan if stored is None else stored
    assert root.value == pytest.approx(expected, rel=1e-12, nan_ok=True)
    follows(root, 9)
    if run.kpis[name]["window"] != "at once":
        follows(explain(run, name, month=run.tables.dims.labels["month"][25]), 9)


@pytest.mark.parametrize("name", FIGURES)
def test_a_draw_is_simulated_again_and_follows(runs: dict[str, Run], name: str) -> None:
    run = runs["gigawatt"]
    root = explain(run, name, draw=5)
    assert root.value == pytest.approx(run.draws(name)[4], rel=1e-12, nan_ok=True)
    follows(root, 7, most=60)


def test_every_column_can_be_explained(runs: dict[str, Run]) -> None:
    for example in EXAMPLES[:2]:
        for name in formulas():
            follows(explain(runs[example], name), 2, most=25)


def test_the_first_month_opens_with_what_is_there_at_the_start(runs: dict[str, Run]) -> None:
    root = explain(runs["gigawatt"], "funded.opening_cash_usd", month="2026-01")
    assert root.value == 4e9 and follows(root, 3)
    assert any(node.name == "capital.opening_cash_usd" for node in root.walk(3))
    for name in formulas():
        if "lag(" in formulas()[name].text:
            follows(explain(runs["gigawatt"], name, month="2026-01"), 2)


def test_an_engine_stands_only_where_its_value_can_be_told() -> None:
    """Alone, or as a term of a sum, of which it is what the other terms leave."""
    import ast

    for name, formula in formulas().items():
        tree = formula.tree
        if not opaque(tree) or isinstance(tree, ast.Call):
            continue
        assert isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub)), name
        terms: list[ast.expr] = [tree]
        while any(isinstance(t, ast.BinOp) and isinstance(t.op, (ast.Add, ast.Sub)) for t in terms):
            terms = [
                part
                for t in terms
                for part in (
                    (t.left, t.right)
                    if isinstance(t, ast.BinOp) and isinstance(t.op, (ast.Add, ast.Sub))
                    else (t,)
                )
            ]
        assert sum(opaque(t) for t in terms) == 1, name


def test_what_an_engine_leaves_is_the_tax_without_debt(runs: dict[str, Run]) -> None:
    """Nothing is owed in the warehouse: there it is the tax that is paid."""
    run = runs["warehouse"]
    root = explain(run, "worth.free_cash_flow_usd", month="2029-06")
    engine = root.children[-1]
    assert engine.role == "−" and engine.how == "engine"
    month = run.tables.dims.labels["month"].index("2029-06")
    assert engine.value == pytest.approx(run.tables.worth.tax_usd[month, 0], rel=1e-9)
    assert engine.value > 0


def test_leaves_are_cited(runs: dict[str, Run]) -> None:
    root = explain(runs["gigawatt"], "valuation.wacc")
    (wacc,) = root.children
    (key,) = wacc.children
    assert (key.name, key.kind, key.origin) == ("value.wacc", "key", "default")
    assert "cost of capital" in key.source and key.confidence == "medium"
    assert key.written.startswith("0.0900 to 0.140")
    price = explain(
        runs["gigawatt"], "accelerators.purchase_usd", "2027-05", at=("abilene / GB200",)
    )
    cells = [n for n in price.walk(4) if n.kind == "catalog"]
    assert [n.name for n in cells] == ["catalog accelerators/GB200.price_usd"]
    assert cells[0].source and cells[0].confidence and cells[0].value > 10_000


def test_what_the_user_wrote_is_told_from_defaults(runs: dict[str, Run]) -> None:
    keys = {
        node.name: node.origin
        for name in ("fielded.market_tasks", "fielded.price_usd", "powered.bill_usd")
        for node in explain(runs["gigawatt"], name, "2030-01").walk(8)
        if node.kind == "key"
    }
    assert keys["agents.kind.coder.market_tasks_per_day"] == "written"
    assert keys["agents.kind.coder.market_growth_per_year"] == "default"
    assert keys["agents.kind.api.usd_per_mtok"] == "written"
    assert keys["agents.kind.coder.price_share"] == "default"
    assert keys["plant.site.abilene.usd_per_l"] == "default"
    robots = explain(runs["gigawatt"], "robots.purchase_usd", "2030-01", at=("arm",))
    origins = {n.name: n.origin for n in robots.walk(4) if n.kind == "key"}
    assert origins["floor.robots.arm.count"] == "written"
    assert origins["floor.robots.arm.life_years"] == "default"


def test_a_small_part_of_many_is_one_part(runs: dict[str, Run]) -> None:
    root = explain(runs["gigawatt"], "powered.bill_usd", "2033-01")
    assert root.how == "sum" and {c.at["site"] for c in root.children} == {"abilene", "logistics"}
    months = explain(runs["gigawatt"], "build.capex_usd")
    assert follows(months, 2) and all(c.title.isdigit() for c in months.children)
    for node in explain(runs["gigawatt"], "value.enterprise_value_usd").walk(6):
        assert len(node.children) <= MOST + 3


def test_columns_take_labels(runs: dict[str, Run]) -> None:
    run = runs["gigawatt"]
    one = explain(run, "accepted.accepted", "2031-04", at=("coder",))
    dims = run.tables.dims
    month, kind = dims.index("month", "2031-04"), dims.index("kind", "coder")
    assert one.value == run.tables.accepted.accepted[month, kind, 0]
    assert one.label == "accepted.accepted[2031-04, coder]"
    whole = explain(run, "accepted.accepted", "2031-04")
    assert whole.value == pytest.approx(run.tables.accepted.accepted[month].sum())
    price = explain(run, "fielded.price_usd", "2031-04")
    assert math.isnan(price.value) and price.how == "listed" and len(price.children) == 7


def test_last_month_is_a_leaf_that_says_how_to_go_on(runs: dict[str, Run]) -> None:
    root = explain(runs["gigawatt"], "worth.receipts_usd", "2031-04")
    (lag,) = [node for node in root.children if node.kind == "lag"]
    assert lag.at["month"] == "2031-03" and "--month 2031-03" in lag.written
    assert lag.children == ()


def test_nothing_is_explained_within_itself(runs: dict[str, Run]) -> None:
    """Engines of a month read what other engines of it give: the walk must end."""
    for name in ("fielded.wall_s", "served.ttft_s", "accepted.reviewed", "phases.progress"):
        at = ("coder",) if "kind" in keys_of(name.split(".")[0]) else ()
        stack: list[tuple[Node, tuple[str, ...]]] = [
            (explain(runs["gigawatt"], name, "2030-06", at=at), ())
        ]
        seen = 0
        while stack and seen < 800:
            node, above = stack.pop()
            seen += 1
            if node.kind == "column":
                assert node.label not in above
                above = (*above, node.label)
            stack += [(child, above) for child in node.children]
        assert seen > 10


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("value.enterprize_value_usd", {}, r"did you mean value\.enterprise_value_usd"),
        ("worth.revenu", {}, r"worth\.revenue_usd"),
        ("oversee.daa", {"month": "2040-01"}, "2026-01 to 2035-12"),
        ("value.irr", {"month": "2030-01"}, r"value\.irr has no month"),
        ("oversee.daa", {"draw": 9}, "1 to 8"),
        ("oversee.daa", {"at": ("coder",)}, "is over all kinds"),
        ("accepted.accepted", {"at": ("codr", "x")}, "did you mean 'coder'"),
    ],
)
def test_what_is_not_there_is_told(
    runs: dict[str, Run], name: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        explain(runs["gigawatt"], name, **options)  # type: ignore[arg-type]


def test_a_run_of_other_code_is_told(runs: dict[str, Run], tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "other"
    shutil.copytree(runs["gigawatt"].folder, folder)
    run = Run.read(folder)
    worth = run.worth
    worth.revenue_usd[:] = worth["revenue_usd"] + 1e6
    worth.write(folder / "worth.parquet")
    with pytest.raises(RunError, match="written by other code"):
        explain(Run.read(folder), "worth.revenue_usd")


def test_text_is_short_aligned_and_says_how_to_go_on(runs: dict[str, Run]) -> None:
    for example in EXAMPLES:
        for name in FIGURES:
            text = explain(runs[example], name).text()
            assert len(text.splitlines()) <= 63
            assert max(map(len, text.splitlines())) <= 130
    text = explain(runs["gigawatt"], "value.enterprise_value_usd").text()
    for said in (
        runs["gigawatt"].kpis["value.enterprise_value_usd"]["text"].split()[0],
        "valuation.terminal_value_usd",
        "value.wacc",
        "source:",
        "lineshaft explain RUN",
    ):
        assert said in text
    deep = explain(runs["gigawatt"], "worth.revenue_usd").text(depth=1)
    assert [line.split()[0] for line in deep.splitlines()] == [
        *("worth.revenue_usd[2035-12]", "├", "├", "└")
    ]
    assert deep.splitlines()[-1] == "└ 2 more are 0"


def test_plain_data_is_bounded_and_holds_no_nan(runs: dict[str, Run]) -> None:
    root = explain(runs["gigawatt"], "value.usd_per_task")
    plain = root.to_dict(depth=3)
    text = json.dumps(plain, allow_nan=False)
    assert plain["name"] == "value.usd_per_task" and plain["how"] == "ratio"
    top, bottom = plain["children"]
    assert plain["value"] == pytest.approx(top["value"] / bottom["value"])
    assert '"more": true' in text
    assert "children" not in root.to_dict(depth=0)


def test_html_escapes_and_nests(runs: dict[str, Run]) -> None:
    html = explain(runs["gigawatt"], "valuation.terminal_value_usd")._repr_html_()
    assert html.count("<details") == html.count("</details>") > 3
    assert "<script" not in html and "&lt;" not in html.replace("&lt;=", "")


def test_names_that_can_be_explained(runs: dict[str, Run]) -> None:
    assert set(FIGURES) < set(explainable())
    columns = {f"{n}.{c.name}" for n, table in Tables.types().items() for c in table.columns()}
    assert set(explainable()) == columns | set(FIGURES)
    assert np.isfinite(explain(runs["warehouse"], "value.irr").value)
    assert parse("a + b") is parse("a + b")
