"""What the tornado, one more of each scarce thing and the split of the variance add to a run.

Cold: no curve is kept and nothing is compiled in this process but what the run itself needs.
Warm: the curves of an earlier run are there. Wall-clock seconds, one run each; the processors of
this machine share the work.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TypeVar

import lineshaft
from lineshaft.characterise import characterise
from lineshaft.confidence import confidence_share
from lineshaft.line import run
from lineshaft.one_more import one_more
from lineshaft.sensitivity import tornado

T = TypeVar("T")


def timed(what: str, work: Callable[[], T], target: str = "") -> T:
    start = time.perf_counter()
    found = work()
    print(f"    {what:40} {time.perf_counter() - start:6.2f} s   {target}".rstrip())
    return found


def main() -> None:
    names = sys.argv[1:] or ["gigawatt", "warehouse"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LINESHAFT_CACHE"] = folder
        for name in names:
            scenario = lineshaft.read(name)
            for state in ("cold", "warm"):
                print(f"{scenario.name}, {state}")
                curves = timed("curves of the run", lambda s=scenario: characterise(s))
                moves = timed(
                    "tornado", lambda s=scenario, c=curves: tornado(s, c), "(target 1 s warm)"
                )
                things = timed("one more", lambda s=scenario: one_more(s), "(target 3 s warm)")
                count = sum(map(len, moves.moves.values()))
                print(f"    {count} inputs, {len(things)} things")
            outcome = timed("1,024 draws", lambda s=scenario, c=curves: run(s, c, draws=1024))
            timed("split of the variance", lambda s=scenario, o=outcome: confidence_share(s, o))


if __name__ == "__main__":
    main()
