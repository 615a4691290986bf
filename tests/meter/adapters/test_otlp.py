"""OTLP: real SDK spans, what they mean, and round trips of every kind of value.

Sample documents are written from the specifications named in the adapter.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, Status, StatusCode

from lineshaft.errors import InputError
from lineshaft.meter import adapters
from lineshaft.meter.adapters import genai, otlp
from lineshaft.meter.adapters.verdict import Verdicts, verdicts
from lineshaft.meter.events import COLUMNS, KINDS, Faults, table
from lineshaft.meter.normal import normalise

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.response.model": "gpt-5-2026-01",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.cache_read.input_tokens": 800,
    "gen_ai.request.temperature": 0.2,
    "gen_ai.response.finish_reasons": ["stop"],
}
AGENT = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.id": "asst_1",
    "gen_ai.agent.name": "planner",
    "gen_ai.conversation.id": "conv-1",
    "user.id": "ada",
}
PLACE = {"service.name": "desk", "service.namespace": "shop", "service.instance.id": "i-1"}


def sdk_request(fail: bool = False) -> ExportTraceServiceRequest:
    """A trace of an agent, a model call, a tool and a sub-agent, by the real SDK."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource(PLACE))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("app", "1.0", attributes={"scope": True})
    with (
        tracer.start_as_current_span("GET /ask", kind=SpanKind.SERVER),
        tracer.start_as_current_span("invoke_agent planner", attributes=AGENT) as agent,
    ):
        with tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=CHAT):
            pass
        tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
        with tracer.start_as_current_span("execute_tool search", attributes=tool):
            below = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "sub"}
            with tracer.start_as_current_span("invoke_agent sub", attributes=below):
                pass
        agent.add_event(
            "gen_ai.evaluation.result",
            {"gen_ai.evaluation.name": "done", "gen_ai.evaluation.score.label": "pass"},
        )
        if fail:
            agent.set_status(Status(StatusCode.ERROR, "no answer"))
    return encode_spans(kept.get_finished_spans())


def rows(
    request: Any, *, tenant: str = "acme", signal: str = "traces", **options: Any
) -> list[dict[str, Any]]:
    body = request if isinstance(request, bytes) else request.SerializeToString()
    found, faults, _ = otlp.from_request(
        body, json=body[:1] == b"{", ingest_us=5, tenant=tenant, signal=signal, **options
    )
    assert not faults.counts, faults
    return found.to_pylist()  # type: ignore[no-any-return]


def span(ident: str, parent: str = "", **attributes: Any) -> dict[str, Any]:
    """A span as OTLP JSON; attributes by name with `__` for the dot."""
    shown: dict[str, Any] = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": ident.rjust(16, "0"),
        "name": ident,
        "startTimeUnixNano": "1767261600000000000",
        "endTimeUnixNano": "1767261601500000000",
        "attributes": [pair(key.replace("__", "."), value) for key, value in attributes.items()],
    }
    return {**shown, "parentSpanId": parent.rjust(16, "0")} if parent else shown


def pair(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": key, "value": {"doubleValue": value}}
    return {"key": key, "value": {"stringValue": value}}


def document(*spans: dict[str, Any], **resource: str) -> bytes:
    place = [pair(key.replace("__", "."), value) for key, value in resource.items()]
    return json.dumps(
        {"resourceSpans": [{"resource": {"attributes": place}, "scopeSpans": [{"spans": spans}]}]}
    ).encode()


def test_sdk_trace_is_one_task_of_one_agent() -> None:
    found = rows(sdk_request())
    work = [row for row in found if row["kind"] != "heartbeat"]
    assert {row["agent_id"] for row in work} == {"shop/desk/asst_1"}
    assert {row["task_id"] for row in work} == {"conv-1"}
    assert {row["tenant"] for row in found} == {"acme"}
    kinds = Counter((row["kind"], row["method"]) for row in found)
    assert kinds == {
        ("heartbeat", None): 1,  # the web request
        ("assign", None): 1,
        ("start", None): 1,
        ("submit", "self_report"): 1,
        ("accept", "judge"): 1,
        ("llm", None): 1,
        ("tool", None): 1,
        ("act", None): 1,  # the sub-agent, which is part of the task
    }
    (model,) = (row for row in found if row["kind"] == "llm")
    tokens = [model[name] for name in ("tokens_in", "tokens_out", "tokens_cached", "model")]
    assert tokens == [1200, 300, 800, "gpt-5-2026-01"]
    (asked,) = (row for row in found if row["kind"] == "assign")
    assert (asked["requester_id"], asked["actor"]) == ("ada", "human")
    assert len({row["event_id"] for row in found}) == len(found)


def test_error_status_fails_the_task() -> None:
    kinds = Counter(row["kind"] for row in rows(sdk_request(fail=True)))
    assert kinds["fail"] == 1 and "submit" not in kinds


def test_sdk_protobuf_and_json_round_trip() -> None:
    request = sdk_request()
    events, _, count = otlp.from_request(
        request.SerializeToString(), json=False, ingest_us=1, tenant=""
    )
    assert count == 5
    back = ExportTraceServiceRequest.FromString(otlp.write(events, json=False))
    assert back == request
    as_json = otlp.write(events)
    again, faults, _ = otlp.from_request(as_json, json=True, ingest_us=1, tenant="")
    assert not faults.counts and again.equals(events)
    assert json.loads(otlp.write(again)) == json.loads(as_json)


def test_normaliser_finds_nothing_wrong() -> None:
    events, _, _ = otlp.from_request(sdk_request().SerializeToString(), json=False, ingest_us=None)
    good, aside, faults = normalise(events)
    assert (good.num_rows, aside.num_rows, faults.counts) == (events.num_rows, 0, {})


def test_names_are_those_of_the_convention() -> None:
    published = {
        value for key, value in vars(gen_ai_attributes).items() if key.startswith("GEN_AI_")
        and isinstance(value, str)
    }  # fmt: skip
    used = {
        genai.OPERATION, genai.EVALUATION, *genai.TOKENS_IN[:2], *genai.TOKENS_OUT[:2],
        genai.TOKENS_CACHED[0], *genai.MODELS[:2], *genai.AGENTS[:2], genai.CONVERSATIONS[0],
        "gen_ai.system", "gen_ai.provider.name", "gen_ai.tool.name",
        "gen_ai.evaluation.score.label", "gen_ai.evaluation.score.value",
    }  # fmt: skip
    assert used <= published
    operations = {item.value for item in gen_ai_attributes.GenAiOperationNameValues}
    assert operations <= genai.OPERATIONS.keys()


@pytest.mark.parametrize(
    ("attributes", "kind", "tokens_in"),
    [
        ({"gen_ai__system": "openai", "gen_ai__usage__prompt_tokens": 7}, "llm", 7),
        ({"llm__request__type": "chat", "llm__usage__prompt_tokens": 8}, "llm", 8),
        ({"gen_ai__operation__name": "embeddings", "gen_ai__usage__input_tokens": 9}, "llm", 9),
        ({"gen_ai__operation__name": "retrieval"}, "tool", None),
        ({"gen_ai__operation__name": "something_new"}, "act", None),
        ({"gen_ai__operation__name": "create_agent"}, "heartbeat", None),
        ({"traceloop__span__kind": "tool"}, "tool", None),
        ({"traceloop__span__kind": "workflow"}, "submit", None),
        ({"mcp__method__name": "elicitation/create"}, "ask_human", None),
        ({"http__request__method": "GET"}, "heartbeat", None),
    ],
)
def test_what_a_span_is(attributes: dict[str, Any], kind: str, tokens_in: int | None) -> None:
    found = rows(document(span("1", **attributes), service__name="app"))[-1]
    assert (found["kind"], found["tokens_in"], found["agent_id"]) == (kind, tokens_in, "app")
    assert found["task_id"] == (None if kind == "heartbeat" else span("1")["traceId"])


def test_numbers_as_json_numbers_count_too() -> None:
    model = span("1", gen_ai__operation__name="chat")
    model["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": 12}})
    body = document(model)
    assert rows(body)[0]["tokens_in"] == 12
    events = otlp.from_request(body, json=True, ingest_us=1)[0]
    assert json.loads(otlp.write(events)) == json.loads(body)


def test_tokens_of_an_agent_count_only_where_its_calls_are_not_seen() -> None:
    said = {"gen_ai__operation__name": "invoke_agent", "gen_ai__usage__input_tokens": 50}
    remote = {**span("1", **said), "kind": 3}
    assert [r["tokens_in"] for r in rows(document(remote))] == [None, 50]
    call = span("2", "1", gen_ai__operation__name="chat", gen_ai__usage__input_tokens=50)
    assert sum(r["tokens_in"] or 0 for r in rows(document(remote, call))) == 50
    assert sum(r["tokens_in"] or 0 for r in rows(document(span("1", **said)))) == 0


def test_parents_that_come_in_a_later_request() -> None:
    below = span("2", "1", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="sub")
    top = span("1", gen_ai__operation__name="invoke_agent", gen_ai__agent__name="boss")
    requests = [(document(item, service__name="app"), True, 1, "traces") for item in (below, top)]
    events, _, count = otlp.from_requests(requests)
    assert count == 2
    kinds = [(row["kind"], row["agent_id"]) for row in events.to_pylist()]
    assert kinds == [("act", "app/boss"), ("start", "app/boss"), ("submit", "app/boss")]


def test_circular_parents_end() -> None:
    one = span("1", "2", gen_ai__operation__name="invoke_agent")
    two = span("2", "1", gen_ai__operation__name="invoke_agent")
    assert len(rows(document(one, two, span("3", "3")))) >= 3


def test_identity_ignores_the_instance() -> None:
    plain = span("1", gen_ai__operation__name="chat")
    first = rows(document(plain, service__name="app", service__instance__id="a"))[0]
    second = rows(document(plain, service__name="app", service__instance__id="b"))[0]
    assert first["agent_id"] == second["agent_id"] == "app"
    nameless = rows(document(plain, service__name="unknown_service:python"))[0]
    assert nameless["agent_id"] is None


def test_tenant_of_the_resource_comes_first() -> None:
    plain = span("1", gen_ai__operation__name="chat")
    assert rows(document(plain, tenant__id="t1"), tenant="t2")[0]["tenant"] == "t1"
    assert rows(document(plain), tenant="t2")[0]["tenant"] == "t2"
    assert rows(document(plain, daa__tenant="t0", tenant__id="t1"))[0]["tenant"] == "t0"


def test_stated_columns_stand() -> None:
    done = span(
        "1", gen_ai__operation__name="invoke_agent", daa__task_id="T-9", daa__value_usd=12.5,
        daa__human_equiv_min=30, daa__requester_id="boss", daa__agent_id="me",
    )  # fmt: skip
    touch = span("2", "1", daa__kind="human_touch", daa__human_s=90.0, daa__reviewer_id="eve")
    found = rows(document(done, touch, service__name="app"))
    by_kind = {row["kind"]: row for row in found}
    assert list(by_kind) == ["assign", "start", "submit", "human_touch"]
    assert {row["task_id"] for row in found[:3]} == {"T-9"}
    assert {row["agent_id"] for row in found[:3]} == {"me"}
    assert (by_kind["submit"]["value_usd"], by_kind["submit"]["human_equiv_min"]) == (12.5, 30.0)
    assert (by_kind["human_touch"]["human_s"], by_kind["human_touch"]["actor"]) == (90.0, None)
    assert by_kind["assign"]["requester_id"] == "boss"


def evaluation(label: str = "", score: float | None = None, **more: Any) -> dict[str, Any]:
    said = {"gen_ai.evaluation.name": "task", "gen_ai.evaluation.score.label": label, **more}
    if score is not None:
        said["gen_ai.evaluation.score.value"] = score
    attributes = [pair(key, value) for key, value in said.items()]
    return {"name": "gen_ai.evaluation.result", "timeUnixNano": "5000", "attributes": attributes}


@pytest.mark.parametrize(
    ("event", "reading", "expected"),
    [
        (evaluation("pass"), Verdicts(), ("accept", "judge", "verifier")),
        (evaluation("FAIL"), Verdicts(), ("reject", "judge", "verifier")),
        (evaluation("pass", annotator_kind="CODE"), Verdicts(), ("accept", "verifier", "verifier")),
        (evaluation("pass", annotator_kind="HUMAN"), Verdicts(), ("accept", "human", "human")),
        (evaluation("relevant", 0.9), Verdicts(), ("act", None, "verifier")),
        (evaluation("", 0.9), Verdicts(least_score=0.8), ("accept", "judge", "verifier")),
        (evaluation("", 0.7), Verdicts(least_score=0.8), ("reject", "judge", "verifier")),
        (evaluation("pass"), Verdicts(only=frozenset({"other"})), ("act", None, "verifier")),
    ],
)
def test_evaluations(
    event: dict[str, Any], reading: Verdicts, expected: tuple[str, str | None, str]
) -> None:
    top = {**span("1", gen_ai__operation__name="invoke_agent"), "events": [event]}
    found = rows(document(top), verdicts=reading)[-1]
    assert (found["kind"], found["method"], found["actor"]) == expected
    assert found["ts"].timestamp() == 5e-6


def test_evaluation_of_a_step_decides_no_task() -> None:
    top = span("1", gen_ai__operation__name="invoke_agent")
    step = {**span("2", "1", gen_ai__operation__name="chat"), "events": [evaluation("fail")]}
    assert "reject" not in {row["kind"] for row in rows(document(top, step))}


def log_request(**record: Any) -> bytes:
    item = {"timeUnixNano": "1767261700000000000", **record}
    scope = {"scopeLogs": [{"scope": {"name": "judge"}, "logRecords": [item]}]}
    place = {"attributes": [pair("service.name", "judge")]}
    return json.dumps({"resourceLogs": [{"resource": place, **scope}]}).encode()


def test_evaluation_in_a_log_finds_its_agent() -> None:
    top = span("1", gen_ai__operation__name="invoke_agent", gen_ai__conversation__id="c")
    said = evaluation("pass")["attributes"]
    record = {
        "eventName": "gen_ai.evaluation.result", "traceId": top["traceId"],
        "spanId": top["spanId"], "attributes": said,
    }  # fmt: skip
    log = log_request(**record)
    requests = [(log, True, 1, "logs"), (document(top, service__name="app"), True, 1, "traces")]
    found = otlp.from_requests(requests)[0].to_pylist()[0]
    assert [found[name] for name in ("kind", "method", "agent_id", "task_id")] == [
        "accept", "judge", "app", "c",
    ]  # fmt: skip
    alone = rows(log, signal="logs")[0]
    # the judging service is not the agent that worked
    assert (alone["agent_id"], alone["task_id"]) == (None, top["traceId"])
    plain = rows(log_request(body={"stringValue": "hello"}), signal="logs")[0]
    assert (plain["kind"], plain["task_id"]) == ("heartbeat", None)


def test_logs_and_metrics_are_kept_and_count_nothing() -> None:
    log = ExportLogsServiceRequest()
    record = log.resource_logs.add().scope_logs.add().log_records.add()
    record.trace_id, record.time_unix_nano = bytes(range(16)), 5_000
    record.body.kvlist_value.values.add(key="a").value.double_value = math.inf
    metric = ExportMetricsServiceRequest()
    usage = metric.resource_metrics.add().scope_metrics.add().metrics.add()
    usage.name = "gen_ai.client.token.usage"
    point = usage.histogram.data_points.add(time_unix_nano=7_000, count=3, sum=99.0)
    point.explicit_bounds[:] = [1.0, 2.0]
    point.bucket_counts[:] = [1, 1, 1]
    point.exemplars.add(trace_id=bytes(range(16)), as_double=1.5)
    for request, signal in ((log, "logs"), (metric, "metrics")):
        events = otlp.from_request(
            request.SerializeToString(), json=False, ingest_us=1, signal=signal
        )[0]
        assert events["kind"].to_pylist() == ["heartbeat"]
        assert events["tokens_in"].null_count == 1
        assert type(request).FromString(otlp.write(events, json=False)) == request
        as_json = otlp.write(events)
        assert b'"traceId":"000102030405060708090a0b0c0d0e0f"' in as_json
        again = otlp.from_request(as_json, json=True, ingest_us=1, signal=signal)[0]
        assert again.equals(events)


# --- every value ------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
scalars = (
    texts.map(lambda v: AnyValue(string_value=v))
    | st.booleans().map(lambda v: AnyValue(bool_value=v))
    | st.integers(-(2**63), 2**63 - 1).map(lambda v: AnyValue(int_value=v))
    | st.floats().map(lambda v: AnyValue(double_value=v if v == v else math.nan))
    | st.binary(max_size=6).map(lambda v: AnyValue(bytes_value=v))
    | st.just(AnyValue())
)


def _array(items: list[AnyValue]) -> AnyValue:
    value = AnyValue()
    value.array_value.values.extend(items)
    value.array_value.SetInParent()
    return value


def _keyed(items: dict[str, AnyValue]) -> AnyValue:
    value = AnyValue()
    value.kvlist_value.SetInParent()
    value.kvlist_value.values.extend(KeyValue(key=k, value=v) for k, v in items.items())
    return value


values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(_array)
        | st.dictionaries(texts, inner, max_size=3).map(_keyed)
    ),
    max_leaves=5,
)
pairs = st.builds(KeyValue, key=texts, value=values) | st.builds(KeyValue, key=texts)


def _same(one: Any, other: Any) -> bool:
    """Equal as bytes: a NaN is itself."""
    return one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


@settings(max_examples=150, deadline=None)
@given(st.lists(pairs, max_size=4), st.lists(pairs, max_size=2), st.booleans())
def test_protobuf_round_trip_of_every_value(
    attributes: list[KeyValue], others: list[KeyValue], status: bool
) -> None:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(schema_url="s" * len(others))
    group.resource.attributes.extend(others)
    scoped = group.scope_spans.add()
    for place in range(2):
        item = scoped.spans.add(
            trace_id=bytes(16), span_id=bytes([place] * 8), name="x", trace_state="a=b",
            start_time_unix_nano=1, end_time_unix_nano=2**63, dropped_links_count=place, flags=1,
        )  # fmt: skip
        item.attributes.extend(attributes)
        item.events.add(name="e", time_unix_nano=3).attributes.extend(others)
        item.links.add(trace_id=bytes(16), span_id=bytes(8), flags=2).attributes.extend(others)
        if status:
            item.status.SetInParent()
    events, faults, _ = otlp.from_request(request.SerializeToString(), json=False, ingest_us=1)
    assert not faults.counts
    assert _same(ExportTraceServiceRequest.FromString(otlp.write(events, json=False)), request)
    again = otlp.from_request(otlp.write(events), json=True, ingest_us=1)[0]
    assert again.equals(events)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
odd_attributes = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "key": st.sampled_from(["gen_ai.usage.input_tokens", "gen_ai.agent.id", "x"])
            | json_values,
            "value": json_values
            | st.dictionaries(
                st.sampled_from(
                    ["stringValue", "intValue", "doubleValue", "arrayValue", "kvlistValue"]
                ),
                json_values,
                max_size=2,
            ),
            "more": json_values,
        },
    ),
    max_size=3,
)


@settings(max_examples=150, deadline=None)
@given(
    odd_attributes | json_values.filter(lambda v: not isinstance(v, dict)), json_values, json_values
)
def test_json_round_trip_of_anything(attributes: Any, at: Any, events: Any) -> None:
    """A span with parts of the wrong type is kept as it came, and breaks nothing."""
    item = {**span("1"), "attributes": attributes, "endTimeUnixNano": at, "events": events}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [item], "x": at}]}]}).encode()
    found, faults, _ = otlp.from_request(body, json=True, ingest_us=1)
    assert not faults.counts
    assert json.loads(otlp.write(found)) == json.loads(body)


def test_lone_surrogates_are_kept() -> None:
    body = document(span("1", gen_ai__operation__name="chat"), service__name="X")
    body = body.replace(b'"X"', b'"\\udc00"').replace(b'"name": "1"', b'"name": "\\ud800"')
    events = otlp.from_request(body, json=True, ingest_us=1)[0]
    assert events["agent_id"].to_pylist()[0] == "?"
    assert json.loads(otlp.write(events)) == json.loads(body)


# --- events of any origin ---------------------------------------------------------------------

micros = st.integers(-(10**15), 4 * 10**15)
maybe = st.none() | texts
rows_of_events = st.fixed_dictionaries(
    {
        name: {
            "string": maybe,
            "timestamp": st.none() | micros,
            "int": st.none() | st.integers(0, 2**62),
            "float": st.none() | st.floats(0, allow_infinity=False),
        }[kind]
        for name, (kind, _) in COLUMNS.items()
    }
    | {
        "event_id": texts.filter(bool), "ts": micros, "agent_id": texts,
        "kind": st.sampled_from(KINDS), "src": st.sampled_from(["sim", "otlp", "ocel", None]),
    }
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(rows_of_events, max_size=5), st.sampled_from(["otlp", "ocel", "events"]))
def test_events_of_any_origin_come_back(made: list[dict[str, Any]], source: str) -> None:
    events = table(made)
    written = adapters.write(events, source)
    assert written is not None
    back = pa.concat_tables([rows for rows, _ in adapters.read(written, source)])
    assert back.to_pylist() == events.to_pylist()


def test_events_as_protobuf() -> None:
    made = table([{"event_id": "e", "ts": 7, "agent_id": "a", "kind": "accept", "human_s": 1.5}])
    body = otlp.write(made, json=False)
    back = otlp.from_request(body, json=False, ingest_us=9)[0]
    assert back.to_pylist() == made.to_pylist()


# --- files ------------------------------------------------------------------------------------


def read(data: Path | bytes, source: str | None = None) -> tuple[pa.Table, Faults]:
    faults, tables = Faults(), []
    for found, wrong in adapters.read(data, source):
        tables.append(found)
        faults.merge(wrong)
    return pa.concat_tables(tables), faults


def test_files_of_requests(tmp_path: Path) -> None:
    lines = document(span("1")) + b"\n" + document(span("2"), a="b") + b"\n" + log_request()
    events, faults = read(lines)
    assert not faults.counts and len(events) == 3
    assert [json.loads(line) for line in otlp.write(events).splitlines()] == [
        json.loads(line) for line in lines.splitlines()
    ]
    packed = tmp_path / "spans.jsonl.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + lines))
    assert read(packed)[0].equals(events)
    framed = otlp.write(events, json=False)
    again, faults = read(framed)
    assert not faults.counts and otlp.write(again, json=False) == framed
    cut, faults = read(framed[:-3])
    assert len(cut) == 2 and faults.counts == {"unreadable": 1}
    one = otlp.write(events.slice(0, 1), json=False)
    (tmp_path / "one.binpb").write_bytes(one)
    assert adapters.detect(tmp_path / "one.binpb") == "otlp"
    assert len(read(tmp_path / "one.binpb")[0]) == 1


def test_pretty_and_broken_json() -> None:
    pretty = json.dumps(json.loads(document(span("1"))), indent=2).encode()
    assert len(read(pretty)[0]) == 1
    good = document(span("1"))
    events, faults = read(good + b"\n" + good[:50] + b"\n" + good + b"\n")
    assert (len(events), faults.counts) == (2, {"unreadable": 1})
    cut = gzip.compress(good + b"\n" + good)[:-12]
    events, faults = read(cut)
    assert faults.counts["unreadable"] >= 1


def test_attributes_that_are_an_object_are_told() -> None:
    one = {**span("1"), "attributes": {"a": 1}}
    events, faults, _ = otlp.from_request(document(one, span("2")), json=True, ingest_us=1)
    assert (len(events), faults.counts) == (1, {"unreadable": 1})


def test_requests_that_are_none() -> None:
    for body, is_json in ((b"\xff\xff", False), (b"{", True), (b"[1]", True), (b'{"a":1}', True)):
        events, faults, count = otlp.from_request(body, json=is_json, ingest_us=1)
        assert (len(events), count, faults.counts) == (0, 0, {"unreadable": 1})
    body = json.dumps({"resourceSpans": [3, {"scopeSpans": [4, {"spans": [5, span("1")]}]}]})
    events, faults, count = otlp.from_request(body.encode(), json=True, ingest_us=1)
    assert (len(events), count, faults.counts) == (1, 1, {"unreadable": 3})


def test_verdicts_of_a_mapping() -> None:
    said = {"evaluation": {"passed": ["Gold"], "least_score": 0.5, "only": ["task"]}}
    reading = verdicts(said)
    assert reading.kind("task", "gold", None) == "accept"
    assert reading.kind("task", "?", 0.4) == "reject"
    assert reading.kind("tone", "gold", 1.0) is None
    with pytest.raises(InputError) as error:
        verdicts({"evaluation": {"pased": ["x"], "failed": "no", "least_score": "high"}})
    assert len(error.value.problems) == 3
