"""How fast sources become events, one core: `python bench/meter_adapters.py [--spans N]`.

OTLP requests hold 512 spans, as the OpenTelemetry SDK sends them, of agents that call a model, a
tool and a sub-agent, with the attributes that the GenAI conventions recommend; robots report every
second. CPU time of the conversion into an Arrow table, best of three.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

from lineshaft.meter.adapters import mapped, otlp, vda5050
from lineshaft.meter.adapters.rows import from_dicts

START_NS = 1_767_261_600_000_000_000
CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5", "gen_ai.response.model": "gpt-5-2026-01",
    "gen_ai.response.id": "chatcmpl-9J3uIL87gldCFtiIbyaOvTeYBRA3l",
    "gen_ai.usage.input_tokens": 1200, "gen_ai.usage.output_tokens": 300,
    "gen_ai.usage.cache_read.input_tokens": 800, "gen_ai.request.temperature": 0.2,
    "gen_ai.response.finish_reasons": ["stop"], "server.address": "api.example.com",
    "server.port": 443,
}  # fmt: skip
TOOL = {
    "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search",
    "gen_ai.tool.type": "function", "gen_ai.tool.call.id": "call_VSPygqKTWdrhaFErNvMV18Yl",
}  # fmt: skip
SUB = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "helper"}
CALLS = 3
"""Pairs of a model call and a tool call in a trace; with the agent and its helper, 8 spans."""


def request(spans: int) -> Any:
    """A protobuf request of whole traces."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
    )

    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    place = {"service.name": "desk", "service.namespace": "shop", "telemetry.sdk.name": "x"}
    _attributes(group.resource, place)
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_agents"
    for number in range(spans):
        trace, step = divmod(number, 2 * CALLS + 2)
        span = scope.spans.add(
            trace_id=trace.to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big"),
            start_time_unix_nano=START_NS + number, end_time_unix_nano=START_NS + number + 10**6,
            kind=3, name="step", flags=256,
        )  # fmt: skip
        span.status.SetInParent()
        agent = {**SUB, "gen_ai.agent.id": "asst_1", "gen_ai.conversation.id": f"c{trace}"}
        _attributes(span, agent if not step else SUB if step == 7 else CHAT if step % 2 else TOOL)
        if step:
            span.parent_span_id = (number - step + 1).to_bytes(8, "big")
    return made


def _attributes(record: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        held = record.attributes.add(key=key).value
        if isinstance(value, list):
            held.array_value.values.add(string_value=value[0])
        else:
            kinds = {str: "string_value", int: "int_value", float: "double_value"}
            setattr(held, kinds[type(value)], value)


def robots(messages: int) -> list[dict[str, Any]]:
    """State messages of ten robots, a new order every minute."""
    node = [{"nodeId": "n", "sequenceId": 2, "released": True}]
    made = []
    for number in range(messages):
        second, robot = divmod(number, 10)
        at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(1_767_261_600 + second))
        made.append(
            {
                "headerId": second, "timestamp": at, "version": "2.1.0", "manufacturer": "KIT",
                "serialNumber": str(robot), "orderId": f"o{second // 60}", "orderUpdateId": 0,
                "nodeStates": node if second % 60 < 50 else [], "edgeStates": [],
                "actionStates": [], "driving": second % 60 < 50, "operatingMode": "AUTOMATIC",
                "batteryState": {"batteryCharge": 80.0, "charging": False}, "errors": [],
                "safetyState": {"eStop": "NONE", "fieldViolation": False},
            }
        )  # fmt: skip
    return made


def best(work: Callable[[], int]) -> float:
    """Records a second, best of three."""
    rates = []
    for _ in range(3):
        start = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - start))
    return max(rates)


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=51_200)
    total = parser.parse_args().spans
    made = request(512)
    body = made.SerializeToString()
    as_json = otlp.write(otlp.from_request(body, json=False, ingest_us=1)[0])
    rounds = max(1, total // 512)

    def spans(data: bytes, is_json: bool, together: int) -> int:
        done = 0
        for _ in range(0, rounds, together):
            requests = [(data, is_json, 1, "traces")] * together
            done += otlp.from_requests(requests)[2]
        return done

    events = otlp.from_request(body, json=False, ingest_us=1)[0]
    for name, work in (
        ("OTLP protobuf, request by request", lambda: spans(body, False, 1)),
        ("OTLP protobuf, 20 requests at once", lambda: spans(body, False, 20)),
        ("OTLP JSON, request by request", lambda: spans(as_json, True, 1)),
        ("written as OTLP protobuf", lambda: len(otlp.write(events, json=False)) and 512),
    ):
        print(f"{name:<35}{best(work):>10,.0f} spans/s")
    messages = robots(total // 5)
    payloads = [json.dumps(message).encode() for message in messages]

    def states() -> int:
        tracker = vda5050.Tracker()
        rows = [row for p in payloads for row in tracker.feed("uagv/v2/K/1/state", p, 1)]
        return len(payloads) if from_dicts(rows).num_rows else 0

    print(f"{'VDA 5050 state messages':<35}{best(states):>10,.0f} messages/s")
    lines = "".join(f"{n},2026-01-01T00:00:00Z,a{n % 99},Done,{n % 9}\n" for n in range(total))
    table = f"id,at,who,status,minutes\n{lines}".encode()
    mapping = {
        "event_id": "id", "ts": "at", "agent_id": "who", "task_id": "id",
        "kind": {"column": "status", "values": {"Done": "accept"}},
        "human_s": {"column": "minutes", "unit": "minute"},
    }  # fmt: skip
    rate = best(lambda: sum(len(rows) for rows, _ in mapped.read(table, mapping)))
    print(f"{'CSV with a mapping':<35}{rate:>10,.0f} rows/s")


if __name__ == "__main__":
    main()
