"""What became of tasks, from a table of its own, as events of the log.

A source of traces seldom knows whether the work was accepted; a ticket system, a code host or a
warehouse system does. Its table (CSV or Parquet) has `task_id`, `outcome` (accepted, rejected,
failed, cancelled, expired, reverted) and `ts`; where it has them also `tenant`, `method`,
`ingest_ts`, `event_id`, `agent_id`, `reviewer_id`, `requester_id`, `human_s`, `value_usd`,
`human_equiv_min`. A row becomes a decision on the task, of the agent that last submitted it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.events import COLUMNS, Faults
from lineshaft.meter.log import Log
from lineshaft.meter.normal import FAULT, normalise
from lineshaft.words import suggestion

if TYPE_CHECKING:
    import pyarrow as pa

OUTCOMES = {
    "accepted": "accept",
    "rejected": "reject",
    "failed": "fail",
    "cancelled": "cancel",
    "expired": "expire",
    "reverted": "revert",
}
NEEDED = ("task_id", "outcome", "ts")
OPTIONAL = ("tenant", "method", "ingest_ts", "event_id", "agent_id", "reviewer_id", "requester_id",
            "human_s", "value_usd", "human_equiv_min")  # fmt: skip
NO_JOIN = "no_join"
SRC = "outcomes"


@dataclass(frozen=True, slots=True)
class Joined:
    """A table of outcomes as events."""

    events: pa.Table
    """Canonical; also an assign for each row that says who asked."""
    aside: pa.Table
    """Rows that are no outcome, or of a task that the log does not show, with their fault."""
    faults: Faults
    rows: int

    @property
    def unjoined(self) -> int:
        """Rows of tasks that the log does not show."""
        return self.faults.counts.get(NO_JOIN, 0)

    @property
    def sentence(self) -> str:
        """What was joined, for the report."""
        text = f"outcomes of {self.rows - self.aside.num_rows:,} rows were joined by task"
        return f"{text}; {self.unjoined:,} are of tasks that the log does not show"


def join(
    log: Log, outcomes: str | Path | pa.Table, *, zone: str = "UTC", tenant: str = ""
) -> Joined:
    """Outcomes as events of the tasks of a log.

    The agent is that of the task's last submit, else of its last event, unless the row names one.
    Without a tenant, rows are of `tenant`, else of the only tenant that has the task.

    InputError where the table cannot be read or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    table = outcomes if isinstance(outcomes, pa.Table) else _read(Path(outcomes))
    _check(table, "" if isinstance(outcomes, pa.Table) else str(outcomes))
    words = pc.utf8_lower(pc.utf8_trim_whitespace(table["outcome"].cast(pa.string())))
    kind = [OUTCOMES.get(word or "", word) for word in words.to_pylist()]
    place = table.column_names.index("outcome")
    table = table.set_column(place, "kind", pa.array(kind, pa.string()))
    if "src" not in table.column_names:
        table = table.append_column("src", pa.array([SRC] * len(table), pa.string()))
    if "actor" in table.column_names:
        table = table.drop_columns(["actor"])
    events, aside, faults = normalise(table, zone=zone)
    made = [name for name in ("no_agent", "no_task", "unknown_method") if name in faults.counts]
    faults = Faults({k: n for k, n in faults.counts.items() if k not in made},
                    {k: x for k, x in faults.examples.items() if k not in made})  # fmt: skip
    return _joined(log, events, aside, faults, tenant, table.num_rows)


def _joined(
    log: Log, events: pa.Table, aside: pa.Table, faults: Faults, tenant: str, rows: int
) -> Joined:
    import pyarrow as pa

    from lineshaft.meter.events import schema

    known = _tasks(log, events["task_id"].to_pylist())
    out, lost = [], []
    for row in events.to_pylist():
        at = _task_of(known, row["tenant"] or tenant or None, row["task_id"])
        if at is None:
            lost.append(row)
            continue
        owner, task = at
        root, first, agent = task["root"], task["first"], row["agent_id"] or task["agent"]
        row |= {"tenant": owner, "root_task_id": root, "agent_id": agent or ""}
        row["actor"] = "verifier" if row["method"] == "verifier" else "human"
        if row["requester_id"] is not None:
            out.append({
                **dict.fromkeys(COLUMNS), "event_id": f"{row['event_id']}:assign", "ts": first,
                "ingest_ts": row["ingest_ts"] or row["ts"], "tenant": owner, "agent_id": agent,
                "task_id": root, "kind": "assign", "requester_id": row["requester_id"], "src": SRC,
            })  # fmt: skip
        out.append({**row, "requester_id": None})
    faults.add(NO_JOIN, len(lost), str(lost[0]["task_id"]) if lost else "")
    if lost:
        apart = pa.Table.from_pylist(lost, schema()).append_column(
            FAULT, pa.array([NO_JOIN] * len(lost), pa.string())
        )
        parts = [p for p in (aside, apart) if p.num_rows]
        aside = pa.concat_tables(parts, promote_options="permissive")
    return Joined(pa.Table.from_pylist(out, schema()), aside, faults, rows)


def _task_of(
    known: dict[str, dict[Any, dict[str, Any]]], tenant: str | None, task: str | None
) -> tuple[Any, dict[str, Any]] | None:
    """(tenant, what the log says of the task); None where it does not show it, or shows it for
    several tenants and the row names none."""
    owners = known.get(task or "", {})
    if tenant in owners:
        return tenant, owners[tenant]
    if tenant is None and len(owners) == 1:
        return next(iter(owners.items()))
    return None


def _tasks(log: Log, wanted: list[str | None]) -> dict[str, dict[Any, dict[str, Any]]]:
    """By task and tenant: root, time of the first event, agent of the last submit or else of the
    last event. A task that only its parts name is there too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pa.array(sorted({w for w in wanted if w}), pa.string())
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    columns = ["ts", "event_id", "tenant", "agent_id", "task_id", "root_task_id", "kind"]
    for table in log.tables(columns):
        if set(columns) - set(table.column_names):
            table, _, _ = normalise(table)
        own, root = (table[name].cast(pa.string()) for name in ("task_id", "root_task_id"))
        mine = pc.or_kleene(pc.is_in(own, names), pc.is_in(root, names))
        mine = pc.and_kleene(mine, pc.not_equal(table["kind"], "heartbeat"))
        for e in table.filter(mine).select(columns).to_pylist():
            tenant = e["tenant"] or None
            root_name = e["root_task_id"] or e["task_id"]
            for name in {e["task_id"] or root_name, root_name}:
                task = found.setdefault(name, {}).setdefault(
                    tenant, {"root": root_name, "first": e["ts"], "agent": "", "rank": ()}
                )
                if e["task_id"] == name:
                    task["root"] = root_name
                task["first"] = min(task["first"], e["ts"])
                rank = (e["kind"] == "submit", e["ts"], e["event_id"])
                if e["agent_id"] and rank > task["rank"]:
                    task["agent"], task["rank"] = e["agent_id"], rank
    return found


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pq.read_table(path)
        texts = {name: pa.string() for name in (*NEEDED, *OPTIONAL, "kind")}
        options = csv.ConvertOptions(column_types=texts, strings_can_be_null=True)
        return csv.read_csv(path, convert_options=options)
    except FileNotFoundError as error:
        raise InputError(Problem(str(path), "", "no such file", "CSV or Parquet")) from error
    except (pa.ArrowInvalid, OSError) as error:
        why = str(error).splitlines()[0]
        raise InputError(
            Problem(str(path), "", f"cannot be read: {why}", "CSV or Parquet")
        ) from error


def _check(table: pa.Table, where: str) -> None:
    missing = [name for name in NEEDED if name not in table.column_names]
    if not missing:
        return
    raise InputError(
        Problem(where, name, "this column is missing", ", ".join((*NEEDED, *OPTIONAL)),
                suggestion(name, table.column_names))
        for name in missing
    )  # fmt: skip
