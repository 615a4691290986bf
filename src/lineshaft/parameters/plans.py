"""Plans over the months: a first value that grows, or straight lines between given months."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from lineshaft.parameters.common import Array, month_index


def plan(first: Array, growth: Array, path: Mapping[str, float], start: str, months: int) -> Array:
    """[month, draw] of a value: `first` [draw] in the first month, then straight lines through
    `path` ("YYYY-MM" to value), then growth [draw] per year after the last given month."""
    month = np.arange(months, dtype=float)[:, None]
    at = np.array([0.0, *(month_index(start, m) for m in path)])
    value = np.array([0.0, *path.values()])
    if len(at) > 1 and at[1] <= 0:  # the path says what was before: the first value is not used
        at, value, own = at[1:], value[1:], np.zeros((months, 1))
    else:
        own = np.interp(month, at, np.where(np.arange(len(at)) == 0, 1.0, 0.0))
    given = np.interp(month, at, value)
    later = np.maximum(month - at[-1], 0.0) / 12
    return np.asarray((own * first + given) * (1.0 + growth) ** later, dtype=float)


def by_month(rows: Iterable[Array], months: int) -> Array:
    """[month, row, draw] of rows [month, draw], whose draw axes are 1 or 1 + n long."""
    rows = list(rows)
    if not rows:
        return np.zeros((months, 0, 1))
    width = max(row.shape[-1] for row in rows)
    return np.stack([np.broadcast_to(row, (months, width)) for row in rows], axis=1)
