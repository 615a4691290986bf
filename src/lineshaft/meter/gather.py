"""The files of a log as one: what counts once, and the numbers that all files share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineshaft.meter.compact import Ids, Key, Store
from lineshaft.meter.events import COLUMNS, Faults
from lineshaft.meter.extract import BETWEEN, VERSION, canonical, compact, extract
from lineshaft.meter.keys import NONE
from lineshaft.meter.log import Log, Tell, broken

if TYPE_CHECKING:
    import pyarrow as pa

I64 = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]

THREADS = 2
BUCKET = 4096
"""Keys that are compared at once: their table stays in the cache."""
PASS_ROWS = 1 << 25
"""Keys held at once while repeated ones are sought (24 bytes each)."""


@dataclass(slots=True)
class Part:
    """One file of events, as `extract` gives it."""

    arrays: dict[str, NDArray[Any]]
    rows: Callable[[], pa.Table]
    """Its canonical events, all columns: read again only where two rows must be compared."""
    first: int
    """Number of its first row in the whole log."""
    meta: dict[str, Any]
    names: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    """[name of the file] its number in the log."""

    def __len__(self) -> int:
        return len(self.arrays["ts"])


@dataclass(slots=True)
class Gathered:
    """All events of a log."""

    parts: list[Part] = field(default_factory=list)
    names: Ids = field(default_factory=Ids)
    """Tenant and id of agents and requesters."""
    dropped: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """[row of the log] the same event arrived before."""
    replays: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Arrivals of dropped rows that say the same."""
    conflicts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Arrivals of dropped rows that say something else."""
    faults: Faults = field(default_factory=Faults)
    """What was wrong with files and rows, and canonical events do not show."""
    embodied: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """[name]"""
    acts: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    """[name] whether it is the agent of some event, and not only a requester."""

    def kept(self, part: Part) -> NDArray[np.bool_]:
        """[row] of a part: whether it is the first of its event."""
        return ~self.dropped[part.first : part.first + len(part)]

    def named(self) -> tuple[list[str], list[str]]:
        """(tenant, id) of all names."""
        pairs = [name.split(BETWEEN, 1) for name in self.names.names().to_pylist()]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def gather(log: Log, *, more: pa.Table | None = None, tell: Tell | None = None) -> Gathered:
    """All events of a log, and `more` canonical events that are not in it.

    Files are read once and kept beside the log where it can be written, and so is what was found
    out of all together. One that cannot be read is told, counted and left out.
    """
    import pyarrow as pa

    out = Gathered()
    store = Store(log.store) if log.store else None
    paths = log.parts()

    def read(path: Path) -> tuple[Key, Arrays] | Exception:
        try:
            key = Key.of(path, VERSION, beside=log.path)
            arrays = store.get(key) if store else None
            if arrays is None:
                arrays = extract(path)
                if store and store.put(key, arrays):
                    arrays = store.get(key) or arrays  # from disk: a long log need not fit
        except (pa.ArrowInvalid, OSError) as error:
            return error
        return key, arrays

    keys = []
    with ThreadPoolExecutor(THREADS) as pool:  # decoding and checking let one another run
        for place, (path, found) in enumerate(zip(paths, pool.map(read, paths), strict=True)):
            if isinstance(found, Exception):
                out.faults.add("unreadable", 1, broken(path, found, tell))
                continue
            keys.append(found[0])
            _add(out, found[1], lambda path=path: _table(path))  # type: ignore[misc]
            if tell and place % 100 == 99:
                tell(f"{place + 1} of {len(paths)} files")
    if more is not None and more.num_rows:
        _add(out, compact([(more, Faults())]), lambda: more)
        store = None  # what is true of the log and more is not kept
    whole = Key("", len(keys), 0, hashlib.sha256(repr(keys).encode()).hexdigest(), VERSION)
    store = store if out.parts else None
    known = store.get(whole) if store else None
    if known is None:
        known = _together(out)
        if store:
            store.put(whole, known)
    _take(out, known)
    return out


def _together(out: Gathered) -> Arrays:
    """What only all files together tell: common names, and rows that count for nothing."""
    names = Ids()
    numbers = []
    for part in out.parts:
        own = Ids.from_arrays(
            {"names": part.arrays["names_names"], "ends": part.arrays["names_ends"]}
        )
        numbers.append(names.of(own.names()))
    dropped, replays, conflicts = _repeated(out)
    return {
        **{f"names_{name}": array.copy() for name, array in names.arrays().items()},
        "numbers": np.concatenate([np.zeros(0, np.uint32), *numbers]),
        "dropped": dropped,
        "replays": replays,
        "conflicts": conflicts,
    }


def _take(out: Gathered, known: Arrays) -> None:
    out.names = Ids.from_arrays({"names": known["names_names"], "ends": known["names_ends"]})
    out.dropped = np.zeros(sum(len(part) for part in out.parts), np.bool_)
    out.dropped[known["dropped"]] = True
    out.replays, out.conflicts = known["replays"], known["conflicts"]
    out.embodied, out.acts = (np.zeros(len(out.names), np.bool_) for _ in range(2))
    at = 0
    for part in out.parts:
        part.names = known["numbers"][at : at + len(part.arrays["acts"])]
        at += len(part.names)
        out.embodied[part.names[part.arrays["embodied"]]] = True
        out.acts[part.names[part.arrays["acts"]]] = True


def _table(path: Path) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(
        (table for table, _ in canonical(path, tuple(COLUMNS))), promote_options="default"
    )


def _add(out: Gathered, arrays: Arrays, rows: Callable[[], pa.Table]) -> None:
    for array in arrays.values():  # as those from the store: loops are compiled once for both
        array.setflags(write=False)
    meta = json.loads(arrays["meta"].tobytes())
    first = out.parts[-1].first + len(out.parts[-1]) if out.parts else 0
    out.parts.append(Part(arrays, rows, first, meta))
    out.faults.merge(Faults(meta["faults"], meta["fault_examples"]))


def _repeated(out: Gathered) -> tuple[I64, I64, I64]:
    """Rule 1, of rows with the same key the first to arrive: (rows dropped, arrivals of those that
    say the same, arrivals of those that say something else)."""
    from lineshaft.meter.kernels import keys as kernels

    total = sum(len(part) for part in out.parts)
    bits = max((total // BUCKET).bit_length(), 1)
    shift = 64 - bits
    counts = np.zeros(1 << bits, np.int64)
    for part in out.parts:
        kernels.sizes(part.arrays["key_high"], shift, counts)
    found = [np.zeros(0, np.int64)]
    lo = 0
    while lo < len(counts):
        ends = np.cumsum(counts[lo:])
        hi = lo + max(int(np.searchsorted(ends, PASS_ROWS, side="right")), 1)
        starts = np.concatenate(([0], ends[: hi - lo]))
        keys = np.empty((int(starts[-1]), 2), np.uint64)
        rows = np.empty(len(keys), np.int64)
        at = starts[:-1].copy()
        for part in out.parts:
            kernels.scattered(
                part.arrays["key_high"], part.arrays["key_low"], part.first, shift, lo, hi, at,
                keys, rows,
            )  # fmt: skip
        again = np.zeros(len(keys), np.bool_)
        if kernels.repeated(keys, starts, again):
            found.append(rows[again])
        lo = hi
    return _all_but_the_first(out, np.sort(np.concatenate(found)))


def _all_but_the_first(out: Gathered, rows: I64) -> tuple[I64, I64, I64]:
    """Of rows of repeated keys, those that do not count, and when they arrived."""
    names = ("key_high", "key_low", "arrive", "ts", "content")
    held: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for part in out.parts:
        mine = _mine(part, rows)
        for name in names:
            held[name].append(part.arrays[name][mine])
    if not len(rows):
        return rows, rows, rows
    high, low, arrive, ts, content = (np.concatenate(held[name]) for name in names)
    order = np.lexsort((content, ts, arrive, low, high))
    same = (np.diff(high[order]) == 0) & (np.diff(low[order]) == 0)
    group = np.concatenate(([0], np.cumsum(~same)))
    first = np.concatenate(([True], ~same))
    start = order[first][group]  # of each row in order, the first of its group
    tied = (arrive[order] == arrive[start]) & (ts[order] == ts[start])
    torn = np.unique(group[tied & (content[order] != content[start])])
    if len(torn):  # only their columns can tell
        places = np.flatnonzero(tied & np.isin(group, torn))
        said = _rows(out, rows[order[places]])
        best: dict[int, int] = {}
        for place, row in enumerate(said):
            one = int(group[places[place]])
            if one not in best or row < said[best[one]]:
                best[one] = place
        leads = np.searchsorted(group, list(best))
        chosen = places[list(best.values())]
        order[leads], order[chosen] = order[chosen], order[leads]
    start = order[first][group]
    gone, winner = order[~first], start[~first]
    agrees = content[gone] == content[winner]
    return rows[gone], np.sort(arrive[gone][agrees]), np.sort(arrive[gone][~agrees])


def _mine(part: Part, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that lie in a part, counted from its first."""
    lo, hi = np.searchsorted(rows, (part.first, part.first + len(part)))
    return rows[lo:hi] - part.first


def _rows(out: Gathered, rows: NDArray[np.int64]) -> list[list[tuple[bool, Any]]]:
    """Rows of the log in the order asked for, column by column, null first."""
    found: dict[int, list[tuple[bool, Any]]] = {}
    for part in out.parts:
        mine = _mine(part, np.sort(rows))
        if not len(mine):
            continue
        for row, values in zip(mine.tolist(), part.rows().take(mine).to_pylist(), strict=True):
            cells = (values[name] for name in COLUMNS)
            found[part.first + row] = [
                (False, 0) if cell in (None, "") else (True, cell) for cell in cells
            ]
    return [found[row] for row in rows.tolist()]


def take_number(part: Part, local: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Numbers of the log for names of a part."""
    wide = np.append(part.names, np.uint32(NONE))
    out: NDArray[np.uint32] = wide[np.minimum(local, len(part.names))]
    return out
