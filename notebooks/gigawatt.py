"""A gigawatt in a notebook: read, change, solve, look, ask.

marimo edit notebooks/gigawatt.py     in the browser, with a slider
python notebooks/gigawatt.py          the same cells once, without one
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium")


@app.cell
def _():
    import duckdb
    import marimo as mo

    import lineshaft

    return duckdb, lineshaft, mo


@app.cell
def _(mo):
    electricians = mo.ui.slider(100, 1000, 100, value=500, label="electricians on the first day")
    mo.vstack([mo.md("# One gigawatt\nWhat do electricians decide?"), electricians])
    return (electricians,)


@app.cell
def _(electricians, lineshaft):
    scenario = lineshaft.read(
        "gigawatt",
        overrides=[
            f"build.crew.electrical.headcount={electricians.value}",
            f"build.crew.electrical.most={4 * electricians.value}",
        ],
    )
    outcome = lineshaft.solve(scenario)
    return outcome, scenario


@app.cell
def _(mo, outcome, scenario):
    mo.hstack([mo.Html(scenario._repr_html_()), mo.Html(outcome._repr_html_())], widths=[1, 2])
    return


@app.cell
def _(duckdb, mo, outcome):
    # DuckDB, polars and pandas read a table as it is
    idle = (
        duckdb.from_arrow(outcome.tables.crews)
        .query(
            "crews",
            """
        select left(month, 4) as year, trade, sum(worked_h) as worked_h,
               round(sum(idle_h) / nullif(sum(available_h), 0), 3) as idle_share
        from crews group by year, trade order by year, trade
        """,
        )
        .to_arrow_table()
    )
    empty = (
        duckdb.from_arrow(outcome.tables.states)
        .query(
            "states",
            """
        select month, sum(installed) as installed,
               sum(empty + headroom) / nullif(sum(installed), 0) as not_at_work
        from states group by month order by month
        """,
        )
        .to_arrow_table()
    )
    mo.vstack([mo.md("## Crews, and accelerators not at work"), mo.ui.table(idle)])
    return empty, idle


@app.cell
def _(empty, idle, mo, outcome):
    first = outcome["build.first_power_month"].text
    worth = outcome["value.enterprise_value_usd"].text
    mo.md(f"First power after **{first}**, worth **{worth}**.")
    print(f"first power after {first}, worth {worth}")
    print(f"{idle.num_rows} rows of crews, {empty.num_rows} months of states")
    return


if __name__ == "__main__":
    app.run()
