"""Records of OTLP as events: what belongs to whose task is found over all records of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lineshaft.meter.adapters import export, genai, openinference
from lineshaft.meter.adapters import otlp_wire as wire
from lineshaft.meter.adapters.rows import STATED, encode, real, stated, table, text, whole
from lineshaft.meter.adapters.verdict import ACTORS, ANNOTATORS, Verdicts
from lineshaft.meter.events import COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

FIELDS = (
    "event_id", "ts", "ingest_ts", "tenant", "agent_id", "task_id", "parent_span", "kind", "actor",
    "method", "tokens_in", "tokens_out", "tokens_cached", "cost_usd", "model", "src", "attrs",
)  # fmt: skip
"""The columns that records of OTLP fill of themselves, in the order of a row."""

_Row = tuple[Any, ...]
_NOTHING: _Row = (None,) * len(FIELDS)
_OPEN: Any = object()


class _Span:
    """A span, and the outermost agent span above it (itself counted), once that is known."""

    __slots__ = (
        "above", "agent", "attributes", "attrs", "client", "conversation", "deployed", "end",
        "events", "failed", "ingest_us", "key", "parent", "role", "src", "start", "tenant", "top",
        "trace",
    )  # fmt: skip

    trace: str
    key: str
    """trace:span"""
    parent: str | None
    """Key of the parent."""
    above: str | None
    """Its bare id."""
    attributes: dict[str, Any]
    events: Any
    attrs: str
    """The record as it is kept. It is encoded at once: a batch of trees would be walked by every
    collection of garbage."""
    start: int
    end: int
    client: bool
    failed: bool
    role: str
    src: str
    agent: str | None
    conversation: str | None
    tenant: str | None
    deployed: str
    ingest_us: int | None
    top: _Span | None

    def __init__(self) -> None:
        self.top = _OPEN


class Batch:
    """Records of requests, and the events that they are.

    `enter` a scope, then add its `span`s, `log`s and `metric`s; `table` gives the events of all, in
    the order of the records.
    """

    def __init__(self, tenant: str, verdicts: Verdicts) -> None:
        self.verdicts = verdicts
        self.records = 0
        self._default = tenant or None
        self._spans: dict[str, _Span] = {}
        self._parents: set[str] = set()
        self._conversations: dict[str, str] = {}
        # rows as they are, or what becomes rows when all is known, in the order of the records
        self._items: list[Any] = []
        self._stated: list[tuple[int, Mapping[str, Any]]] = []
        self._rows: list[_Row] = []

    def enter(
        self,
        place: tuple[int, int, int],
        group: Mapping[str, Any],
        scope: Mapping[str, Any],
        ingest_us: int | None,
    ) -> None:
        """The resource and the scope of the records that follow, as packed JSON without them."""
        resource = wire.facts((group.get("resource") or {}).get("attributes"))
        self._tenant = text(genai.first(resource, genai.TENANTS)) or self._default
        self._deployed = genai.deployment(resource)
        self._ingest_us = ingest_us
        self._before = f'{{"place":[{place[0]},{place[1]},{place[2]},'
        self._frame = f'],"group":{encode(group)},"scope":{encode(scope)},'
        named = scope.get("scope")
        self._export = isinstance(named, dict) and named.get("name") == export.SCOPE

    def span(self, place: int, record: dict[str, Any]) -> None:
        """Add a span (packed JSON). TypeError where its ids are no texts."""
        if self._export:
            self._items.append(export.row(record))
            self.records += 1
            return
        said = record.get("attributes")
        if type(said) is not dict or dict in map(type, said.values()):
            said = wire.facts(said)
        span = _Span()
        trace, ident = record.get("traceId") or "", record.get("spanId") or ""
        parent = record.get("parentSpanId") or None
        if not type(trace) is type(ident) is str or not isinstance(parent, str | None):
            raise TypeError("a span whose ids are no texts")
        span.trace, span.above = trace, parent
        span.key = f"{trace}:{ident}" if ident else ""
        span.parent = f"{trace}:{parent}" if parent else None
        span.attributes, span.events = said, record.get("events")
        span.start = _ns(record.get("startTimeUnixNano"))
        span.end = _ns(record.get("endTimeUnixNano")) or span.start
        span.client = record.get("kind") == genai.CLIENT
        span.failed = _failed(record.get("status")) or "error.type" in said
        span.role, span.src = genai.role(said, parent is not None)
        span.agent = text(genai.first(said, genai.AGENTS))
        span.conversation = text(genai.first(said, genai.CONVERSATIONS))
        if span.conversation:
            self._conversations.setdefault(trace, span.conversation)
        span.tenant, span.deployed, span.ingest_us = self._tenant, self._deployed, self._ingest_us
        span.attrs = f'{self._before}{place}{self._frame}"span":{encode(record)}}}'
        if span.key:
            self._spans[span.key] = span
        if span.parent:
            self._parents.add(span.parent)
        self._items.append(span)
        self.records += 1

    def log(self, place: int, record: dict[str, Any]) -> None:
        """Add a log record (packed JSON): an evaluation, a stated event, or only kept."""
        said = wire.facts(record["attributes"]) if "attributes" in record else {}
        name = record.get("eventName") or said.get("event.name")
        at = _ns(record.get("timeUnixNano")) or _ns(record.get("observedTimeUnixNano"))
        frame = f'{self._before}{place}{self._frame}"log":{encode(record)}}}'
        where = (self._tenant, self._deployed, self._ingest_us)
        self._items.append((record, said, name, at, frame, where))
        self.records += 1

    def metric(self, place: int, record: dict[str, Any]) -> None:
        """Add a metric (packed JSON), which is only kept: it repeats what the spans say."""
        points: list[Mapping[str, Any]] = []
        for kind in record.values():
            if isinstance(kind, dict) and isinstance(kind.get("dataPoints"), list):
                points += [point for point in kind["dataPoints"] if isinstance(point, dict)]
        at = max((_ns(point.get("timeUnixNano")) for point in points), default=0)
        frame = f'{self._before}{place}{self._frame}"metric":{encode(record)}}}'
        row = (
            f"{self._deployed}:metric:{record.get('name')}:{at}", _us(at), self._ingest_us,
            self._tenant, self._deployed or None, None, None, "heartbeat", None,
            None, None, None, None, None, None, "otlp", frame,
        )  # fmt: skip
        self._items.append(row)
        self.records += 1

    def table(self) -> pa.Table:
        """The events of all records."""
        self._rows, self._stated = [], []
        for item in self._items:
            if type(item) is _Span:
                self._of_span(item)
            elif type(item) is dict:
                self._add(_NOTHING, {name: item.get(name) for name in COLUMNS})
            elif len(item) == len(FIELDS):
                self._rows.append(item)
            else:
                self._of_log(*item)
        length = len(self._rows)
        columns = {
            name: list(values)
            for name, values in zip(FIELDS, zip(*self._rows, strict=True), strict=False)
        }
        if length:
            columns["agent_kind"] = ["software"] * length
        for place, values in self._stated:
            for name, value in values.items():
                columns.setdefault(name, [None] * length)[place] = value
        return table(columns, length)

    def _add(self, row: _Row, over: Mapping[str, Any] | None = None) -> None:
        """Add an event; what a source states outright stands over what follows from the rest."""
        if over:
            self._stated.append((len(self._rows), over))
        self._rows.append(row)

    def _top(self, span: _Span) -> _Span | None:
        """The outermost agent span above a span, itself counted; of a circle of parents, none."""
        chain: list[_Span] = []
        node: _Span | None = span
        found: _Span | None = None
        while node is not None:
            if node.top is not _OPEN:
                found = node.top
                break
            node.top = None
            chain.append(node)
            node = self._spans.get(node.parent) if node.parent else None
        for node in reversed(chain):
            if found is None and node.role == "agent":
                found = node
            node.top = found
        return found

    def _of_span(self, span: _Span) -> None:
        said, role, end = span.attributes, span.role, span.end
        top = self._top(span) if span.top is _OPEN else span.top
        over = None if STATED.keys().isdisjoint(said) else stated(said)
        agent, task = self._whose(span, top)
        if over:
            agent, task = over.get("agent_id") or agent, over.get("task_id") or task
        kind, method = role, None
        actor: str | None = "agent"
        tokens_in = tokens_out = cached = cost = model = None
        if role == "llm" or (role == "agent" and self._counts(span)):
            tokens_in = whole(genai.first(said, genai.TOKENS_IN))
            tokens_out = whole(genai.first(said, genai.TOKENS_OUT))
            cached = whole(genai.first(said, genai.TOKENS_CACHED))
            cost = real(genai.first(said, genai.COSTS))
            model = text(genai.first(said, genai.MODELS))
        if over and "kind" in over:
            kind, actor = over["kind"], None
        elif role == "agent":
            kind = "act"
            if top is span:
                self._begin(span, agent, task)
                kind, method = ("fail", None) if span.failed else ("submit", "self_report")
        elif role == "check":
            kind, actor = "act", "verifier"
        elif role == "heartbeat":
            task, actor = None, None
        self._add(
            (
                f"{span.key}:{kind}" if span.key else None, _us(end), span.ingest_us, span.tenant,
                agent, task, span.above, kind, actor, method, tokens_in, tokens_out, cached, cost,
                model, span.src, span.attrs,
            ),
            over,
        )  # fmt: skip
        if span.events:
            self._of_events(span, agent, task, top)
        if span.src == "openinference":
            self._of_results(span, agent, task, top, end)

    def _whose(self, span: _Span, top: _Span | None) -> tuple[str | None, str | None]:
        """(agent, task) of a span: those of the outermost agent span, as far as it names them."""
        named = top or span
        task = named.conversation or span.conversation or self._conversations.get(span.trace)
        return genai.agent_id(named.deployed, named.agent or span.agent), task or span.trace or None

    def _counts(self, span: _Span) -> bool:
        """Whether an agent span states tokens that no span below it does: a remote agent's."""
        return span.client and span.key not in self._parents

    def _begin(self, span: _Span, agent: str | None, task: str | None) -> None:
        said, start = span.attributes, span.start
        user = text(genai.first(said, genai.USERS))
        if requester := text(said.get("daa.requester_id")) or user:
            # who asks may be another agent, unless the source says that it is its user
            actor = "human" if user else None
            self._extra(span, "assign", actor, agent, task, start, {"requester_id": requester})
        self._extra(span, "start", "agent", agent, task, start)

    def _extra(
        self,
        span: _Span,
        kind: str,
        actor: str | None,
        agent: str | None,
        task: str | None,
        at: int,
        over: Mapping[str, Any] | None = None,
        *,
        method: str | None = None,
        part: str = "",
    ) -> None:
        """Another event of the record of a span, which is kept with its first one."""
        if not span.key:
            return
        self._add(
            (
                f"{span.key}:{kind}{part}", _us(at), span.ingest_us, span.tenant, agent, task,
                span.above, kind, actor, method, None, None, None, None, None, span.src,
                encode({"of": span.key + part}),
            ),
            over,
        )  # fmt: skip

    def _of_events(
        self, span: _Span, agent: str | None, task: str | None, top: _Span | None
    ) -> None:
        events = span.events
        for place, event in enumerate(events if isinstance(events, list) else ()):
            if not isinstance(event, dict):
                continue
            said = wire.facts(event.get("attributes"))
            over = stated(said)
            if event.get("name") not in genai.EVALUATIONS and "kind" not in over:
                continue
            kind, actor, method = self._verdict(said, decides=top is None or top is span)
            if "kind" in over:
                kind, actor, method = over["kind"], None, None
            at, part = _ns(event.get("timeUnixNano")), f":event:{place}"
            self._extra(span, kind, actor, agent, task, at, over, method=method, part=part)

    def _of_results(
        self, span: _Span, agent: str | None, task: str | None, top: _Span | None, at: int
    ) -> None:
        """Evaluations and annotations of OpenInference. Those of a step decide no task."""
        for place, (scope, fields) in enumerate(openinference.results(span.attributes)):
            decides = scope != "span" or top is None or top is span
            said = {
                "gen_ai.evaluation.name": fields.get("name"),
                "gen_ai.evaluation.score.label": fields.get("label"),
                "gen_ai.evaluation.score.value": fields.get("score"),
                "annotator_kind": fields.get("annotator_kind"),
            }
            kind, actor, method = self._verdict(said, decides)
            part = f":result:{place}"
            self._extra(span, kind, actor, agent, task, at, method=method, part=part)

    def _verdict(
        self, said: Mapping[str, Any], decides: bool
    ) -> tuple[str, str | None, str | None]:
        """(kind, actor, method) of an evaluation: a judge's, unless it says who annotated."""
        method = ANNOTATORS.get(str(genai.first(said, genai.ANNOTATORS)), "judge")
        kind = self.verdicts.kind(
            said.get(genai.EVALUATION),
            said.get("gen_ai.evaluation.score.label"),
            said.get("gen_ai.evaluation.score.value"),
        )
        if kind is None or not decides:
            return "act", ACTORS[method], None
        return kind, ACTORS[method], method

    def _of_log(
        self,
        record: Mapping[str, Any],
        said: Mapping[str, Any],
        name: Any,
        at: int,
        attrs: str,
        where: tuple[str | None, str, int | None],
    ) -> None:
        tenant, deployed, ingest_us = where
        trace, ident = text(record.get("traceId")), text(record.get("spanId"))
        key = f"{trace}:{ident}" if trace and ident else ""
        span = self._spans.get(key)
        top = self._top(span) if span else None
        over = stated(said)
        agent: str | None
        task = text(genai.first(said, genai.CONVERSATIONS))
        kind = "heartbeat"
        actor: str | None = None
        method: str | None = None
        if name in genai.EVALUATIONS or "kind" in over:
            # the service that judges is not the one that worked: its name is nobody's agent here
            mine = text(genai.first(said, genai.AGENTS))
            agent = genai.agent_id(deployed, mine) if mine else None
            if span:
                found, run = self._whose(span, top)
                agent, task = agent or found, task or run
            task = task or self._conversations.get(trace or "") or trace
            kind, actor, method = self._verdict(said, top is None or top is span)
            if "kind" in over:
                kind, actor, method = over["kind"], None, None
        else:
            agent, task = deployed or None, None
        made = f"{key or deployed}:log:{at}:{said.get(genai.EVALUATION) or name or ''}"
        self._add(
            (
                made, _us(at), ingest_us, tenant, agent, task, ident, kind, actor, method,
                None, None, None, None, None, "otlp", attrs,
            ),
            over,
        )  # fmt: skip


def _failed(status: Any) -> bool:
    return isinstance(status, dict) and status.get("code") in (genai.ERROR, "STATUS_CODE_ERROR")


def _ns(value: Any) -> int:
    """Nanoseconds since 1970, of a number or a text of digits; 0 where it is none."""
    try:
        at_ns = int(value or 0)
    except (TypeError, ValueError, OverflowError):
        return 0
    return at_ns if at_ns < 1 << 64 else 0


def _us(at_ns: int) -> int | None:
    """Microseconds of nanoseconds; 0 is no time."""
    return at_ns // 1000 if at_ns > 0 else None
