"""The canonical event table of DAA/1: what every source is turned into, and what is wrong with it.

One row is one thing that happened to one task of one agent. `docs/daa-1.md` is the standard;
names, order and types here are its normative part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = (
    "assign", "start", "llm", "tool", "act", "ask_human", "human_touch", "submit", "accept",
    "reject", "revert", "fail", "cancel", "expire", "heartbeat",
)  # fmt: skip
"""What happened. The code of a kind in compact stores is its place here."""

VOIDING = ("reject", "revert", "fail", "cancel", "expire")
"""Kinds that void an acceptance which they follow within the revocation window."""

METHODS = ("human", "verifier", "implicit", "judge", "self_report")
"""Who accepted: a human; a deterministic check (tests, a scan, a weight); a customer who did not
complain within a stated window; an LLM judge; the agent itself."""

GRADES: Mapping[str, tuple[str, ...]] = {
    "a": ("human", "verifier"),
    "b": ("human", "verifier", "implicit", "judge"),
    "c": METHODS,
}
"""The methods that each grade of DAA believes."""

ACTORS = ("agent", "human", "verifier")
AGENT_KINDS = ("software", "embodied")

COLUMNS: Mapping[str, tuple[str, str]] = {
    "event_id": ("string", "idempotency key: a second event with the same key changes nothing"),
    "ts": ("timestamp", "when it happened; metrics use this time"),
    "ingest_ts": ("timestamp", "when it arrived; lateness and clock skew are judged by it"),
    "tenant": ("string", "whose agent it is; keys of agents and tasks are unique within it"),
    "agent_id": ("string", "deployment identity, stable over versions and restarts"),
    "agent_kind": ("string", "software or embodied"),
    "task_id": ("string", "the task; empty for heartbeats"),
    "root_task_id": ("string", "the task it is part of; empty: it is its own root"),
    "parent_span": ("string", "identity of the step above it in the source"),
    "kind": ("string", "what happened, one of KINDS"),
    "actor": ("string", "agent, human or verifier"),
    "requester_id": ("string", "of an assign: the agent or human who asked for the task"),
    "reviewer_id": ("string", "of a decision: who decided"),
    "method": ("string", "of an accept or a self-reported submit: one of METHODS"),
    "tokens_in": ("int", "prompt tokens, those from a cache included"),
    "tokens_out": ("int", "generated tokens"),
    "tokens_cached": ("int", "prompt tokens that came from a cache"),
    "energy_j": ("float", "energy, joules"),
    "cost_usd": ("float", "direct cost: tokens, tools, compute, robot hours"),
    "human_s": ("float", "human seconds spent: steering, review, approval, rework"),
    "value_usd": ("float", "value of the work, stated on one event of the task only"),
    "human_equiv_min": ("float", "minutes a human would need, stated on one event only"),
    "model": ("string", "the model that thought"),
    "tz": ("string", "zone of the source, where it states one"),
    "src": ("string", "the adapter that read it"),
    "attrs": ("string", "JSON of everything else that the source said"),
}
"""Column: (type, meaning). Quantities are increments that add up over the events of a task; null
means that the source does not say, 0 that it says none."""

REQUIRED = ("event_id", "ts", "agent_id", "kind")
TEXTS = tuple(name for name, (kind, _) in COLUMNS.items() if kind == "string")
QUANTITIES = tuple(name for name, (kind, _) in COLUMNS.items() if kind in ("int", "float"))


def schema() -> pa.Schema:
    """The Arrow schema: strings, UTC microseconds, int64 and float64, meanings as metadata."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "int": pa.int64(),
        "float": pa.float64(),
    }
    return pa.schema(
        [
            pa.field(name, types[kind], name not in REQUIRED, {"meaning": meaning})
            for name, (kind, meaning) in COLUMNS.items()
        ],
        {"standard": "DAA/1"},
    )


def table(rows: list[Mapping[str, Any]]) -> pa.Table:
    """Rows of plain values as an event table; columns that a row lacks are null.

    Times are integers (microseconds UTC) or aware datetimes.
    """
    import pyarrow as pa

    wanted = schema()
    return pa.Table.from_pydict(
        {name: [row.get(name) for row in rows] for name in wanted.names}, schema=wanted
    )


FAULTS: Mapping[str, str] = {
    "unreadable": "a record that could not be decoded",
    "no_event_id": "no event id: one was made from the row's content",
    "no_time": "no usable time: the row is set aside",
    "naive_time": "a time without zone: read in the zone that was stated, UTC by default",
    "no_agent": "no agent id: the row's quantities count, nobody is active by it",
    "no_task": "work without a task id: its quantities count, it belongs to no task",
    "unknown_kind": "a kind that the standard does not know: the row is set aside",
    "unknown_method": "an acceptance by an unknown method: it counts as self-report",
    "negative": "a negative quantity: it counts as not stated",
    "skew": "it happened after it arrived: flagged, not moved",
    "replay": "the same event again: dropped",
    "conflict": "the same event id with other content: the first to arrive is kept",
    "no_join": "an outcome of a task that the log does not show: the row is set aside",
}
"""What can be wrong with a row, and what is done about it. Nothing is dropped silently: rows set
aside are kept as they came."""


@dataclass(slots=True)
class Faults:
    """How many rows had what wrong, with the first examples of each."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    most_examples: int = 3

    def add(self, what: str, count: int = 1, example: str = "") -> None:
        """Count `count` rows with the fault `what`, a key of FAULTS."""
        if what not in FAULTS:
            raise KeyError(what)
        if count <= 0:
            return
        self.counts[what] = self.counts.get(what, 0) + int(count)
        shown = self.examples.setdefault(what, [])
        if example and len(shown) < self.most_examples:
            shown.append(example)

    def merge(self, other: Faults) -> None:
        """Add another count to this one."""
        for what, count in other.counts.items():
            self.add(what, count)
            for example in other.examples.get(what, ()):
                if len(self.examples[what]) < self.most_examples:
                    self.examples[what].append(example)
