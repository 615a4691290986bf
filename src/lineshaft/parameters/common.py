"""What every stage's parameters are made with: draws of a field, months, paths over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lineshaft.scenario.distributions import Distribution
from lineshaft.scenario.draws import Draws

Array = NDArray[np.float64]


def pick(draws: Draws, path: str, number: Distribution) -> Array:
    """Values of a field on the draw axis: of shape (1,) where it is certain, else (1 + n,)."""
    return np.atleast_1d(np.asarray(draws.of(path, number), dtype=float))


def stack(rows: Iterable[Array]) -> Array:
    """Rows of length 1 or 1 + n as one array [row, draw]; [0, 1] of none."""
    rows = list(rows)
    if not rows:
        return np.zeros((0, 1))
    width = max(len(row) for row in rows)
    return np.stack([r if len(r) == width else np.broadcast_to(r, (width,)) for r in rows])


def month_index(start: str, month: str) -> int:
    """Months from `start` ("2026-01") to `month`; negative before it."""
    (year0, month0), (year1, month1) = (map(int, text.split("-")) for text in (start, month))
    return (year1 - year0) * 12 + month1 - month0


def growing(first: Array, per_year: Array, years: Array) -> Array:
    """[month, draw] of a value [draw] that grows by a rate per year [draw]."""
    return np.asarray(first * (1.0 + per_year) ** years[:, None], dtype=float)


def places(names: Sequence[str], axis: Sequence[str]) -> NDArray[np.int64]:
    """Position of each name on an axis, −1 where it is not there."""
    return np.array([axis.index(n) if n in axis else -1 for n in names], dtype=np.int64)
