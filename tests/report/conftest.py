"""Runs made by hand, so that the report is tested without the line; and a browser to look with."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lineshaft.balances import residuals
from lineshaft.characterise import Characterised, Curves
from lineshaft.contracts.calendar import Calendar
from lineshaft.contracts.curves import BuildCurve
from lineshaft.contracts.reasons import CODE, ROLES, TRADES
from lineshaft.contracts.tables import Tables
from lineshaft.kpis import Kpi, Series, measure, series
from lineshaft.line import Outcome
from lineshaft.runs import Run, write
from lineshaft.tables import Dims

KINDS = ("software engineer", "support agent", "bookkeeper", "sorter", "courier drone", "tokens")


def dims(months: int, kinds: tuple[str, ...], sites: tuple[str, ...], phases: int) -> Dims:
    """Labels of a run."""
    return Dims(
        {
            "month": Calendar.of("2026-01", months).labels,
            "site": sites,
            "phase": tuple(f"campus phase {p + 1}" for p in range(phases)),
            "trade": TRADES,
            "fleet": ("campus / B200", "campus / GB300") if sites else (),
            "run": ("base",) if sites else (),
            "model": ("own", "bought") if kinds else (),
            "kind": kinds,
            "role": ROLES,
            "holder": ("founders",),
            "asset": ("halls", "accelerators", "robots"),
        }
    )


def fill(x: Tables) -> None:
    """Plausible figures: power comes in steps, work grows into it, money turns in year five."""
    n = x.dims.size("month")
    t = np.arange(n)
    rise = 1 / (1 + np.exp(-(t - 50) / 12))
    on = 1e9 * np.clip(np.floor((t - 14) / 9) / 6, 0, 1)
    x.energised.it_w[:, 0, 0] = on
    x.energised.it_w[:, 1, 0] = 5e6 * (t > 20)
    gpus = on / 1.4e3
    x.states.installed[:, 0, 0], x.states.installed[:, 1, 0] = 0.6 * gpus, 0.4 * gpus
    for name, share in (("leased", 0.2), ("training", 0.25), ("broken", 0.01)):
        x.states[name][..., 0] = share * x.states.installed[..., 0]
    left = 0.54 * x.states.installed[..., 0]
    x.states.busy[..., 0] = left * (0.2 + 0.5 * rise[:, None])
    x.states.headroom[..., 0] = 0.5 * x.states.busy[..., 0] * (1 - rise[:, None])
    taken = x.states.busy + x.states.headroom
    x.states.empty[..., 0] = left - taken[..., 0]
    x.accelerators.stored[:, 0, 0] = 4e4 * (on > 0) * (t % 9 < 3)
    size = np.array([4e5, 2e5, 1e5, 3e4, 8e3, 0.0])
    x.accepted.daa_b[..., 0] = size * rise[:, None] * (on > 0)[:, None]
    x.accepted.daa_a[..., 0] = 0.6 * x.accepted.daa_b[..., 0]
    x.accepted.accepted_per_daa[..., 0] = 9.0 * (x.accepted.daa_b[..., 0] > 0)
    x.accepted.accepted[..., 0] = 270 * x.accepted.daa_b[..., 0]
    x.accepted.review_min[..., 0] = 0.8 * x.accepted.accepted[..., 0]
    x.fielded.fielded[..., 0] = 1.2 * x.accepted.daa_b[..., 0]
    x.fielded.demand_tasks[..., 0] = 1.5 * x.accepted.accepted[..., 0] + 1
    x.admitted.turned_away_tasks[..., 0] = 0.5 * x.accepted.accepted[..., 0] + 1
    x.fielded.price_usd[..., 0] = np.array([22.0, 1.4, 0.6, 0.09, 3.5, 0.0])
    parts = np.array([3.1, 0.22, 0.3, 0.004, 0.1, 0.0])
    x.task_costs.token_usd[..., 0] = parts
    x.task_costs.robot_usd[..., 0] = np.array([0, 0, 0, 0.05, 2.6, 0])
    x.task_costs.human_usd[..., 0] = 0.8 * parts
    x.task_costs.escape_usd[..., 0] = 0.1 * parts
    c = x.task_costs
    c.usd_per_task[:] = c.token_usd + c.robot_usd + c.human_usd + c.escape_usd
    c.human_min_per_task[..., 0] = np.array([4.2, 0.3, 0.5, 0.002, 0.4, 0.0])
    served = 2e15 * rise * (on > 0)
    x.served.served[:, 0, 0], x.served.served[:, 1, 0] = 0.9 * served, 0.1 * served
    x.worth.usd_per_mtok[:, 0] = 4.0 * np.exp(-t / 40) * (on > 0)
    x.worth.marginal_usd_per_mtok[:, 0] = 0.4 * np.exp(-t / 40) * (on > 0)
    it = x.energised.it_w[..., 0] * 0.8 * 2.63e6
    p = x.powered
    p.it_j[..., 0], p.losses_j[..., 0], p.cooling_j[..., 0] = it, 0.06 * it, 0.14 * it
    p.cooling_j[..., 0] *= 1 + 0.2 * np.cos(2 * np.pi * (t - 6) / 12)[:, None]
    p.floor_j[:, 1, 0], p.other_j[..., 0] = 2e11 * rise, 0.02 * it
    p.facility_j[:] = p.it_j + p.losses_j + p.cooling_j + p.floor_j + p.other_j
    p.peak_w[:] = 1.3 * x.energised.it_w
    s = x.states
    s.it_j[:, 0, 0], s.it_j[:, 1, 0] = 0.6 * it[:, 0], 0.4 * it[:, 0]
    s.training_j[:], s.waiting_j[:] = 0.45 * s.it_j, 0.1 * s.it_j
    w = x.worth
    w.task_revenue_usd[:, 0] = (x.accepted.accepted * x.fielded.price_usd)[..., 0].sum(axis=1)
    w.token_revenue_usd[:, 0], w.lease_revenue_usd[:, 0] = 1e-6 * served, 2e3 * gpus * 0.2
    w.revenue_usd[:] = w.task_revenue_usd + w.token_revenue_usd + w.lease_revenue_usd
    w.accelerator_usd[:, 0] = 4e4 * np.maximum(np.diff(gpus, prepend=0), 0)
    w.construction_usd[:, 0] = 2.4e8 * (t < 70)
    w.robot_usd[:, 0] = 2e6 * rise
    w.energy_usd[:, 0] = p.facility_j[..., 0].sum(axis=1) / 3.6e6 * 0.06
    w.people_usd[:, 0], w.staff_usd[:, 0] = 8e7 * rise, 5e6
    w.maintenance_usd[:, 0], w.escape_usd[:, 0] = 20 * gpus, 1e7 * rise
    w.opex_usd[:] = w.energy_usd + w.people_usd + w.staff_usd + w.maintenance_usd + w.escape_usd
    w.capex_usd[:] = w.accelerator_usd + w.construction_usd + w.robot_usd
    w.receipts_usd[:], w.payments_usd[:] = 0.9 * w.revenue_usd, 0.95 * w.opex_usd
    w.free_cash_flow_usd[:] = w.receipts_usd - w.payments_usd - w.capex_usd
    x.funded.equity_usd[0] = 45e9
    w.cash_usd[:] = 45e9 + np.cumsum(w.free_cash_flow_usd, axis=0)
    w.compute_capital_usd[:], w.compute_upkeep_usd[:] = 3e8, 2e7
    w.compute_energy_usd[:], w.compute_staff_usd[:] = 5e7, 1e7
    c.provider_usd[:] = 0.2 * c.token_usd
    v = x.valuation
    v.explicit_value_usd[0], v.terminal_value_usd[0] = 9.4e10, 3.1e11
    v.enterprise_value_usd[:] = v.explicit_value_usd + v.terminal_value_usd
    v.equity_value_usd[:] = v.enterprise_value_usd + 2e10
    v.wacc[:], v.irr[:] = 0.11, 0.42
    for i in range(x.dims.size("kind")):
        x.admitted.binding[:, i, 0] = np.select(
            [t < 14, t < 30 + 5 * i, t < 60, t < 80],
            [CODE["power"], CODE["tokens"], CODE["capability"], CODE["people: reviewer"]],
            CODE["demand"] if i else CODE["seats"],
        )
    for i in range(x.dims.size("phase")):
        begin = 20 * i
        x.phases.binding[:, i, 0] = np.select(
            [t < begin, t < begin + 4, t < begin + 9, t < begin + 20, t < begin + 26],
            [0, CODE["permit"], CODE["funds"], CODE["trade: electrical"], CODE["construction"]],
            0,
        )


def curves(phases: int, halls: int = 4) -> Curves:
    """A construction plan of four packages per hall, the other curves left out."""
    packages = ("shell", "electrical", "cooling", "commissioning")
    rows = []
    for p in range(phases):
        rows.append((f"phase {p + 1}", -1, "site", 20.0 * p, 20.0 * p + 5, CODE["permit"]))
        for h in range(halls):
            at = 20.0 * p + 5 + 1.5 * h
            for name, start, months, why in zip(
                packages,
                (0, 2.0, 2.5, 7.0),
                (3.0, 5.5, 4.0, 2.0),
                ("construction", "trade: electrical", "part: chiller", "grid"),
                strict=True,
            ):
                row = (f"phase {p + 1}", p * halls + h, name, at + start, at + start + months)
                rows.append((*row, CODE[why]))
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    ready = np.array([20.0 * (h // halls) + 14 + 1.5 * (h % halls) for h in range(phases * halls)])
    build = SimpleNamespace(
        hall_phase=np.repeat(np.arange(phases), halls), p50_month=ready, p80_month=ready + 2.2
    )
    activities = SimpleNamespace(
        phase=columns[0],
        hall=np.array(columns[1], int),
        name=columns[2],
        start_month=np.array(columns[3]),
        finish_month=np.array(columns[4]),
        plan_start_month=np.array(columns[3]),
        plan_finish_month=np.array(columns[4]),
        reason=np.array(columns[5], np.int8),
    )
    made = (Characterised("serve", 1.2, 2, False), Characterised("build", 0.01, 1, True))
    none = cast(Any, None)
    if not phases:
        return Curves(None, None, {}, {}, {}, {}, agents=none, oversee=none, made=made)
    return Curves(
        cast(BuildCurve, build), activities, {}, {}, {}, {}, agents=none, oversee=none, made=made
    )


def outcome(x: Tables, draws: int) -> Outcome:
    """Headline figures and bands; draws scatter around the median case."""
    rng = np.random.default_rng(1)
    scatter = np.concatenate(([1.0], rng.lognormal(0.0, 0.3, draws)))
    kpis = tuple(Kpi.of(what, values[0] * scatter) for what, values in measure(x))
    bands = tuple(Series.of(what, values * scatter) for what, values in series(x))
    return Outcome(x, kpis, bands, cast(Any, None), draws)


SENSITIVITY = {
    "kpi": "value.enterprise_value_usd",
    "base": 4e11,
    "moves": [
        {
            "input": f"agents.kind.coder.input_{i}" if i == 1 else f"serve.input_{i}",
            "meaning": f"what input {i} means",
            "unit": "USD/kWh",
            "low_input": 0.04,
            "high_input": 0.08,
            "low": 4e11 - 3e11 / (i + 1),
            "high": 4e11 + (3e11 if i % 3 else -1e11) / (i + 1),
            "confidence": ("low", "medium", "high")[i % 3],
            "source": "a source",
        }
        for i in range(14)
    ],
}
ONE_MORE = [
    {
        "what": "one more electrical crew",
        "step": "1 crew from 2026-01",
        "value_usd": 2e7,
        "up_usd": 1e7,
        "down_usd": -3e7,
        "kink": True,
        "note": "",
    },
    {
        "what": "one more drone",
        "step": "1 robot from 2026-01",
        "value_usd": -1e5,
        "up_usd": -1e5,
        "down_usd": None,
        "kink": False,
        "note": "none to take away",
    },
]
CONFIDENCE = {
    "low_share": 0.62,
    "low_share_se": 0.04,
    "unrated_share": 0.2,
    "next": "serve.input_0",
    "next_share": 0.3,
}


def required() -> dict[str, Any]:
    """What `require` found: reviewers are the first that cannot be, in the third year."""
    joints = [
        {
            "joint": name,
            "stage": stage,
            "unit": "person",
            "required": [1e6, 2e6, 4e6],
            "reachable": [
                None if m is None else r / m for r, m in zip((1e6, 2e6, 4e6), margin, strict=True)
            ],
            "margin": margin,
            "source": "a source",
        }
        for name, stage, margin in (
            ("worth", "value", [None, None, None]),
            ("reviewers", "oversee", [0.3, 0.8, 1.62]),
            ("electricians", "build", [0.1, 0.2, 12.0]),
        )
    ]
    return {
        "target": {"kind": "value", "value": 9.3e12, "text": "$9.30T"},
        "years": [2026, 2027, 2028],
        "joints": joints,
        "first_impossible": {"joint": "reviewers", "year": 2028, "margin": 1.62},
        "largest_usd": 1.7e12,
        "held_by": "reviewers",
        "text": "A worth of $9.30T.",
    }


def save(folder: Path, name: str, found: Outcome, made: Curves, **questions: Any) -> Run:
    """The run folder of an outcome, without a report."""
    folder.mkdir()
    checks = tuple(replace(b, residual=min(b.residual, 1e-12)) for b in residuals(found.tables))
    write(
        folder,
        found,
        scenario_name=name,
        scenario_text="",
        seed=7,
        timings={"curves": 1.3, "line": 0.4},
        curves=made,
        checks=checks,
        notes=("Grid dates have no published source; they are ranges.",),
        claims=questions.pop("claims", {}),
        questions={"required": None, **questions},
    )
    return Run.read(folder)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    """A run with a name and draws; `full=False` is a scenario without sites, kinds and phases."""
    folders = (tmp_path / f"run{i}" for i in count())

    def made(
        name: str = "Campus",
        draws: int = 0,
        full: bool = True,
        months: int = 120,
        **questions: Any,
    ) -> Run:
        sites = ("campus", "warehouse") if full else ()
        x = Tables.allocate(dims(months, KINDS if full else (), sites, 3 if full else 0))
        if full:
            fill(x)
        return save(next(folders), name, outcome(x, draws), curves(3 if full else 0), **questions)

    return made


@pytest.fixture(scope="session")
def empty() -> Tables:
    """Tables of two months without a site or a kind; whoever takes them fills them."""
    return Tables.allocate(dims(2, (), (), 0))


@pytest.fixture(scope="session")
def warehouse_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The shipped warehouse in a run folder of its own."""
    import lineshaft

    folder = tmp_path_factory.mktemp("runs") / "warehouse"
    return lineshaft.record(lineshaft.read("warehouse"), folder)


@pytest.fixture
def asked() -> dict[str, Any]:
    """The answers that a run can carry besides."""
    return {
        "sensitivity": SENSITIVITY,
        "one_more": ONE_MORE,
        "confidence": CONFIDENCE,
        "required": required(),
    }


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


@pytest.fixture
def browse(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Chromium at work on a file of this machine, with flags."""
    if BROWSER is None:
        pytest.skip("there is no chromium to open the page in")
    profile = f"--user-data-dir={tmp_path / 'profile'}"

    def done(page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BROWSER), *FLAGS, profile, *flags, page.resolve().as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    return done


@pytest.fixture
def probe(
    browse: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> Callable[..., dict[str, Any]]:
    """What a browser of a width shows of a page; nothing may be logged.

    The page stands in a frame, because a window cannot be as narrow as a phone.
    """

    def found(path: Path, width: int, *flags: str) -> dict[str, Any]:
        head, tail = path.read_text("utf-8").rsplit("</body>", 1)
        (tmp_path / "page.html").write_text(head + PROBE + tail, "utf-8")
        frame = tmp_path / "frame.html"
        frame.write_text(FRAME % width, "utf-8")
        done = browse(frame, f"--window-size={max(width, 500)},3000", "--dump-dom", *flags)
        assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
        text = done.stdout.split("<pre>")[1].split("</pre>")[0]
        for sign, name in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
            text = text.replace(name, sign)
        shown: dict[str, Any] = json.loads(text)
        return shown

    return found


@pytest.fixture
def is_whole() -> Callable[[dict[str, Any], int], None]:
    """Every chart is drawn and has its words, its table and its CSV; nothing hides another."""

    def check(found: dict[str, Any], least: int) -> None:
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

    return check
