"""`python -m lineshaft.meter.receive LOG`: turn what a receiver has acknowledged into events.

The receiver starts it for every few segments; its memory goes back to the system when it ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from lineshaft.errors import LineshaftError
from lineshaft.meter.receive import segments, wal

PAUSE_S = 0.1
"""Between segments: whoever reads the log meanwhile drains the rest at its own priority."""


def main() -> int:
    """0, and a line of JSON with the number of events; 1 where the log cannot be written."""
    _yield()
    log, events = Path(sys.argv[1]), 0
    try:
        events += wal.drain(log, background=True)
        while segments.listed(segments.folder_of(log), segments.CLOSED):
            time.sleep(PAUSE_S)
            events += wal.drain(log, background=True)
    except (LineshaftError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"events": events}))
    return 0


def _yield() -> None:
    """Run only when nothing else wants to: acknowledgements go first."""
    with suppress(OSError):
        os.nice(19)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    sys.exit(main())
