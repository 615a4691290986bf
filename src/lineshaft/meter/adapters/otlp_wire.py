"""OTLP on the wire, protobuf and JSON, and back: https://opentelemetry.io/docs/specs/otlp/ 1.x.

The JSON form of a record is kept, with the lists of attributes packed into plain objects where
nothing is lost by it: a text, a number, a truth value or a list of them stands for itself, and any
other value is kept as the AnyValue that it was.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any


class _NotPlainError(ValueError):
    """Attributes that no plain object can hold: a key twice, no value, unknown members."""


# --- JSON -----------------------------------------------------------------------------------


def packed_value(value: Any) -> Any:
    """A plain value where the AnyValue (JSON) is a plain one in its usual form, else itself."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, held),) = value.items()
    if kind == "stringValue":
        return held if type(held) is str else value
    if kind == "intValue":
        # the usual form is a text of digits; a number is kept as it came
        return int(held) if type(held) is str and _is_int(held) else value
    if kind == "doubleValue":
        return float(held) if type(held) in (float, int) and math.isfinite(held) else value
    if kind == "boolValue":
        return held if type(held) is bool else value
    if kind == "arrayValue" and isinstance(held, dict) and list(held) == ["values"]:
        if not isinstance(held["values"], list):
            return value
        if not all(isinstance(item, dict) for item in held["values"]):
            return value  # no values of OTLP
        items = [packed_value(item) for item in held["values"]]
        return items if not any(isinstance(item, dict | list) for item in items) else value
    return value


def _is_int(digits: str) -> bool:
    try:
        number = int(digits)
    except ValueError:
        return False
    return str(number) == digits and -(1 << 63) <= number < 1 << 63


def unpacked_value(value: Any) -> Any:
    """The AnyValue (JSON) of a packed one."""
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [unpacked_value(item) for item in value]}}
    return value


def plain(value: Any) -> Any:
    """What an AnyValue (JSON, packed or not) says, for reading: texts, numbers, lists, objects."""
    value = packed_value(value)
    if not isinstance(value, dict):
        return value
    if "intValue" in value or "doubleValue" in value:
        held = next(iter(value.values()))
        try:
            return int(held) if "intValue" in value else float(held)
        except (TypeError, ValueError, OverflowError):
            return None
    if isinstance(value.get("arrayValue"), dict):
        items = value["arrayValue"].get("values")
        return [plain(item) for item in items] if isinstance(items, list) else None
    if isinstance(value.get("kvlistValue"), dict):
        return facts(value["kvlistValue"].get("values"))
    return value.get("bytesValue")


def packed(record: Any) -> Any:
    """A record (JSON) with its list of attributes as a plain object, where nothing is lost.

    TypeError where they are an object already, which is no OTLP.
    """
    if not isinstance(record, dict) or not isinstance(record.get("attributes"), list):
        if isinstance(record, dict) and isinstance(record.get("attributes"), dict):
            raise TypeError("attributes are no list")
        return record
    plain_ones: dict[str, Any] = {}
    for item in record["attributes"]:
        if type(item) is not dict or len(item) != 2 or "key" not in item or "value" not in item:
            return record
        key, value = item["key"], item["value"]
        if type(key) is not str or type(value) is not dict:
            return record
        if len(value) == 1 and "stringValue" in value:  # nearly always
            held = value["stringValue"]
            plain_ones[key] = held if type(held) is str else value
        else:
            plain_ones[key] = packed_value(value)
    if len(plain_ones) != len(record["attributes"]):
        return record
    return {**record, "attributes": plain_ones}


def packed_span(record: Any) -> Any:
    """A span (JSON) with its attributes and those of its events and links packed."""
    shown = packed(record)
    if type(shown) is dict:
        for part in ("events", "links"):
            if type(shown.get(part)) is list:
                shown = {**shown, part: [packed(item) for item in shown[part]]}
    return shown


def unpacked_span(record: Any) -> Any:
    """The span (JSON) as it was on the wire."""
    shown = unpacked(record)
    if type(shown) is dict:
        for part in ("events", "links"):
            if type(shown.get(part)) is list:
                shown = {**shown, part: [unpacked(item) for item in shown[part]]}
    return shown


def unpacked(record: Any) -> Any:
    """The record (JSON) as it was on the wire."""
    if not isinstance(record, dict) or not isinstance(record.get("attributes"), dict):
        return record
    pairs = record["attributes"].items()
    listed = [{"key": key, "value": unpacked_value(value)} for key, value in pairs]
    return {**record, "attributes": listed}


def facts(attributes: Any) -> dict[str, Any]:
    """Name -> plain value of attributes, packed or listed; the last of a name stands."""
    if isinstance(attributes, dict):
        return {
            key: plain(value) if isinstance(value, dict) else value
            for key, value in attributes.items()
        }
    if not isinstance(attributes, list):
        return {}
    return {
        item["key"]: plain(item.get("value"))
        for item in attributes
        if isinstance(item, dict) and isinstance(item.get("key"), str)
    }


# --- protobuf -------------------------------------------------------------------------------


def proto_attributes(pairs: Any) -> Any:
    """Attributes of a protobuf record: packed, or the list of them where that loses something."""
    out: dict[str, Any] = {}
    try:
        for pair in pairs:
            value = pair.value
            kind = value.WhichOneof("value")
            if kind == "string_value":
                out[pair.key] = value.string_value
            elif kind == "int_value":
                out[pair.key] = value.int_value
            else:
                out[pair.key] = _proto_value(value, kind, pair)
    except _NotPlainError:
        return [_proto_pair(pair) for pair in pairs]
    return out if len(out) == len(pairs) else [_proto_pair(pair) for pair in pairs]


def _proto_value(value: Any, kind: str | None, pair: Any) -> Any:
    if kind == "bool_value":
        return value.bool_value
    if kind == "double_value" and math.isfinite(value.double_value):
        return value.double_value
    if kind == "array_value":
        items = value.array_value.values
        texts = [item.string_value for item in items if item.HasField("string_value")]
        return texts if len(texts) == len(items) else packed_value(any_value(value))
    if kind is None and not pair.HasField("value"):
        raise _NotPlainError
    return any_value(value)


def _proto_pair(pair: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"key": pair.key}
    if pair.HasField("value"):
        shown["value"] = any_value(pair.value)
    return shown


def any_value(value: Any) -> dict[str, Any]:
    """The AnyValue (JSON) of a protobuf one."""
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    held = getattr(value, kind)
    if kind == "array_value":
        return {"arrayValue": {"values": [any_value(item) for item in held.values]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": [_proto_pair(pair) for pair in held.values]}}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(held).decode()}
    if kind == "double_value" and not math.isfinite(held):
        return {"doubleValue": "NaN" if held != held else "Infinity" if held > 0 else "-Infinity"}
    if kind == "int_value":
        held = str(held)
    return {_NAMES[kind]: held}


_NAMES = {
    "string_value": "stringValue",
    "bool_value": "boolValue",
    "int_value": "intValue",
    "double_value": "doubleValue",
    "string_value_strindex": "stringValueStrindex",
}


def proto_span(span: Any) -> dict[str, Any]:
    """The span as packed JSON; members at their default are left out, as protobuf does."""
    shown: dict[str, Any] = {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
    }
    if span.parent_span_id:
        shown["parentSpanId"] = span.parent_span_id.hex()
    if span.flags:
        shown["flags"] = span.flags
    if span.HasField("status"):
        status = span.status
        shown["status"] = {}
        if status.code:
            shown["status"]["code"] = status.code
        if status.message:
            shown["status"]["message"] = status.message
    shown["attributes"] = proto_attributes(span.attributes)
    if span.trace_state:
        shown["traceState"] = span.trace_state
    if span.events:
        shown["events"] = [_proto_event(event) for event in span.events]
    if span.links:
        shown["links"] = [_proto_link(link) for link in span.links]
    for name, key in (
        ("dropped_attributes_count", "droppedAttributesCount"),
        ("dropped_events_count", "droppedEventsCount"),
        ("dropped_links_count", "droppedLinksCount"),
    ):
        if count := getattr(span, name):
            shown[key] = count
    return shown


def _proto_event(event: Any) -> dict[str, Any]:
    shown = {
        "timeUnixNano": str(event.time_unix_nano),
        "name": event.name,
        "attributes": proto_attributes(event.attributes),
    }
    if event.dropped_attributes_count:
        shown["droppedAttributesCount"] = event.dropped_attributes_count
    return shown


def _proto_link(link: Any) -> dict[str, Any]:
    shown = {
        "traceId": link.trace_id.hex(),
        "spanId": link.span_id.hex(),
        "attributes": proto_attributes(link.attributes),
    }
    for name, key in (
        ("trace_state", "traceState"),
        ("dropped_attributes_count", "droppedAttributesCount"),
        ("flags", "flags"),
    ):
        if value := getattr(link, name):
            shown[key] = value
    return shown


def proto_json(message: Any) -> dict[str, Any]:
    """Any other protobuf record as packed JSON, with hexadecimal ids as OTLP's JSON has them."""
    from google.protobuf.json_format import (  # type: ignore[import-untyped,unused-ignore]
        MessageToDict,
    )

    shown = MessageToDict(message, use_integers_for_enums=True)
    found: dict[str, Any] = packed(with_ids(shown, lambda ident: base64.b64decode(ident).hex()))
    return found


def with_ids(value: Any, change: Any) -> Any:
    """The JSON value with every trace and span id changed."""
    if isinstance(value, list):
        return [with_ids(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    ids = {"traceId", "spanId", "parentSpanId"}
    return {
        key: change(item) if key in ids and isinstance(item, str) else with_ids(item, change)
        for key, item in value.items()
    }


def to_proto(document: Mapping[str, Any], signal: str) -> Any:
    """The protobuf request of an OTLP JSON document; ValueError where it is none."""
    from google.protobuf.json_format import (  # type: ignore[import-untyped,unused-ignore]
        ParseDict,
        ParseError,
    )

    coded = with_ids(document, lambda ident: base64.b64encode(bytes.fromhex(ident)).decode())
    try:
        return ParseDict(coded, request(signal), ignore_unknown_fields=True)
    except ParseError as error:
        raise ValueError(str(error)) from None


def request(signal: str) -> Any:
    """An empty export request of a signal: traces, logs or metrics."""
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service

        return service.ExportTraceServiceRequest()
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

        return logs_service_pb2.ExportLogsServiceRequest()
    from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

    return metrics_service_pb2.ExportMetricsServiceRequest()
