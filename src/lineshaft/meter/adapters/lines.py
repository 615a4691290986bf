"""Sources of JSON messages: each message is kept whole on one event, and written back from there.

That event is a heartbeat where the message itself is no work; what follows from the message are
further events, which name it (`of`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lineshaft.errors import InputError, Problem
from lineshaft.meter.adapters import text
from lineshaft.meter.adapters.rows import encode

if TYPE_CHECKING:
    import pyarrow as pa


def keep(record: Any, form: str = "line") -> str:
    """attrs of the event that keeps a message."""
    return encode({"record": record} if form == "line" else {"record": record, "form": form})


def write(events: pa.Table, source: str) -> bytes:
    """The messages that events of a source were read from, in the order of the events.

    InputError where an event is of another source.
    """
    messages: list[tuple[Any, str]] = []
    foreign = 0
    for src, attrs in zip(events["src"].to_pylist(), events["attrs"].to_pylist(), strict=True):
        said = _said(attrs) if src == source else None
        if said is None or not said.keys() & {"record", "of"}:
            foreign += 1
        elif "record" in said:
            messages.append((said["record"], said.get("form", "line")))
    if foreign:
        raise InputError(
            Problem(
                "",
                "events",
                f"{foreign} of {events.num_rows} events are not from {source}",
                f"events that were read from {source}",
                "write them as otlp, ocel or events, which hold events of any origin",
            )
        )
    return text.write(messages)


def _said(attrs: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(attrs or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
