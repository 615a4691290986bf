"""Charts of what a task costs: what the cost is made of, cost and price, human minutes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.tables import Tables
from lineshaft.report.charts import Chart, Row, few, number, plain, sheet
from lineshaft.report.palette import COSTS, PARTS, SERIES, TOTAL
from lineshaft.report.work import over
from lineshaft.tables import Array


def working(x: Tables) -> NDArray[np.int64]:
    """Indices of the kinds with accepted tasks in the last month."""
    return np.flatnonzero(x.accepted.accepted[-1, :, 0] > 0)


def parts(x: Tables) -> dict[str, float]:
    """What the mean task that agents did in the last 12 months cost, by what was paid for, USD.

    The cost of own tokens is that of the accelerators which serve them, and is taken apart like
    the cost of all own computing of the month. The parts sum to the headline figure.
    """
    c, w = x.task_costs, x.worth
    tasks = x.accepted.accepted[-12:, :, 0] * (x.accepted.daa_b[-12:, :, 0] > 0)
    done = float(tasks.sum())
    if done <= 0:
        return {}

    def paid(values: Array) -> Array:
        """[month] USD of a cost per task."""
        spent: Array = (values[-12:, :, 0] * tasks).sum(axis=1)
        return spent

    own = paid(c.token_usd - c.provider_usd)
    computing = {
        "accelerators and halls": w.compute_capital_usd,
        "energy": w.compute_energy_usd,
        "upkeep": w.compute_upkeep_usd,
        "site staff": w.compute_staff_usd,
    }
    lines = {name: values[-12:, 0] for name, values in computing.items()}
    lines["rented accelerators"] = x.states.rent_usd[-12:, :, 0].sum(axis=1)
    whole = np.sum(list(lines.values()), axis=0)
    found = {
        name: float(np.nansum(own * over(values, whole))) / done for name, values in lines.items()
    }
    for name, values in (
        ("tokens bought", c.provider_usd),
        ("robots", c.robot_usd),
        ("people", c.human_usd),
        ("escapes", c.escape_usd),
    ):
        found[name] = float(paid(values).sum()) / done
    return {name: value for name, value in found.items() if value > 0}


def task_parts(x: Tables) -> Chart:
    """From the parts to the full cost of a task, one below the other."""
    found = parts(x)
    total = sum(found.values())
    names = (*found, "full cost of a task") if found else ()
    values = np.array([*found.values(), total]) if found else np.zeros(0)
    return Chart(
        key="task-parts",
        title="From its parts to the full cost of an accepted task",
        form="cascade",
        unit="USD/task",
        x=names,
        rows=(Row("cost", values, TOTAL),),
        width="wide",
        alt="Bars that add up: "
        + ", ".join(f"{n} {number(v, 'USD')}" for n, v in found.items())
        + f", together {number(total, 'USD')} for the mean accepted task.",
        note="Mean over the tasks that agents did in the last 12 months; people: reviewers and "
        "operators, escapes: wrong work that nobody caught",
        extra={
            "colours": [PARTS[n] for n in found] + [TOTAL],
            "sheet": sheet(("part", "cost [USD/task]"), zip(names, plain(values), strict=True)),
        },
    )


def task_price(x: Tables) -> Chart:
    """What a task costs and what is paid for it."""
    own = working(x)
    month = x.dims.labels["month"][-1]
    return Chart(
        key="task-price",
        title="Cost and price of an accepted task",
        form="dots",
        unit="USD/task",
        x=tuple(x.dims.labels["kind"][i] for i in own),
        rows=(
            Row("cost", x.task_costs.usd_per_task[-1, own, 0], SERIES[0]),
            Row("price", x.fielded.price_usd[-1, own, 0], SERIES[1]),
        ),
        width="third",
        alt=f"Dots on a logarithmic axis: full cost and price of a task of {len(own)} kinds.",
        note=f"{month}. Where cost lies left of price, the kind earns money",
    )


def task_cost(x: Tables) -> Chart:
    """What the cost of a task of each kind is made of."""
    own = working(x)
    costs = x.task_costs
    made = {
        "tokens": costs.token_usd,
        "robots": costs.robot_usd,
        "people": costs.human_usd,
        "escapes": costs.escape_usd,
    }
    rows = [Row(n, v[-1, own, 0], COSTS[n]) for n, v in made.items()]
    return Chart(
        key="task-cost",
        title="What the cost of a task is made of, by kind",
        form="shares",
        unit="USD/task",
        x=tuple(x.dims.labels["kind"][i] for i in own),
        rows=few(rows, 9, SERIES),
        width="third",
        alt=f"Stacked bars: shares of tokens, robots, people and escapes in the cost of a task "
        f"of {len(own)} kinds.",
        note=f"{x.dims.labels['month'][-1]}. Shares; the whole cost stands at the right",
    )


def human_minutes(x: Tables) -> Chart:
    """Human minutes per accepted task, by kind."""
    own = working(x)
    return Chart(
        key="human-minutes",
        title="Human minutes per accepted task",
        form="dots",
        unit="min/task",
        x=tuple(x.dims.labels["kind"][i] for i in own),
        rows=(Row("human", x.task_costs.human_min_per_task[-1, own, 0], COSTS["people"]),),
        width="third",
        alt=f"Dots on a logarithmic axis: human minutes per task of {len(own)} kinds.",
        note=f"{x.dims.labels['month'][-1]}. Review, rework and interventions",
    )
