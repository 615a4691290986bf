"""A receiver that real exporters talk to: OTLP over HTTP and VDA 5050 over MQTT into a log.

What is acknowledged is on disk; what is on disk becomes canonical events. `docs/meter/receive.md`
says what is guaranteed.
"""

from __future__ import annotations

from lineshaft.meter.receive.options import Counts, Options


def serve(options: Options) -> Counts:
    """What was received, once the receiver has been told to stop (SIGTERM, SIGINT or
    `options.stop`).

    Raises
    ------
    InputError
        for options that cannot be.
    RunError
        where the log cannot be written, another receiver has it, or the address is taken.
    """
    from lineshaft.meter.receive.server import serve as run

    return run(options)


__all__ = ["Counts", "Options", "serve"]
