"""One step's time from operator tables: measured times on grids, interpolated.

`tables` is the tuple that `optables.OperatorTables.step_times` makes; see there for what they
hold. Its arrays are, in order:

    dense_s [tokens + 1]        all that depends on the tokens of the busiest attention rank
    sequence_s [sequences + 1]  all that depends on the sequences of a rank
    chunk, kv, decode, context  axes: tokens of a prompt chunk, tokens of its prompt in the KV cache
                                already, decoding sequences, their mean context
    prompt_s [chunk, kv]        attention of a step without decode
    decode_s [decode, context]  attention of a step without prompts
    mixed_s [chunk, kv, decode, context]   empty where the two add
    options                     ranks, whether the KV of chunks is added, rounding of contexts,
                                factors on several prompts and on several decodes

Between points of a grid times are multilinear, beyond its last point they go on along the
last piece, and before its first point they stay at its value.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Tables = tuple[Floats, ...]


@njit(cache=True, nogil=True, error_model="numpy")
def _cell(axis: Floats, x: float) -> tuple[int, int, float]:
    """The two points around x and the weight of the second, above 1 beyond the last point."""
    last = len(axis) - 1
    if last == 0 or x <= axis[0]:
        return 0, 0, 0.0
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if axis[middle] <= x:
            low = middle
        else:
            high = middle
    return low, high, (x - axis[low]) / (axis[high] - axis[low])


@njit(cache=True, nogil=True, error_model="numpy")
def _curve(values: Floats, x: float) -> float:
    """Between whole numbers, and along the last piece beyond them."""
    last = len(values) - 1
    low = min(int(x), max(last - 1, 0))
    return float(values[low] + (x - low) * (values[min(low + 1, last)] - values[low]))


@njit(cache=True, nogil=True, error_model="numpy")
def _grid(values: Floats, i: tuple[int, int, float], j: tuple[int, int, float]) -> float:
    """Of a grid of two axes."""
    a = values[i[0], j[0]] + i[2] * (values[i[1], j[0]] - values[i[0], j[0]])
    b = values[i[0], j[1]] + i[2] * (values[i[1], j[1]] - values[i[0], j[1]])
    return float(a + j[2] * (b - a))


@njit(cache=True, nogil=True, error_model="numpy")
def table_step_s(
    tables: Tables,
    n_decode: float,
    context: float,
    chunks: float,
    chunk_tokens: float,
    chunk_squares: float,
    chunk_kv: float,
    pairs: float,
) -> float:
    """Time of one step of an instance.

    `n_decode` sequences attend to `context` tokens in all; `chunks` of prompts have `chunk_tokens`
    tokens in all, whose squares sum up to `chunk_squares`. `chunk_kv` is the sum over chunks of the
    tokens computed before, `pairs` the sum of chunk * (computed + (chunk + 1) / 2).
    """
    dense_s, sequence_s, chunk_axis, kv_axis, decode_axis, context_axis = tables[:6]
    prompt_s, decode_s, mixed_s, options = tables[6:]
    ranks = options[0]
    busy = min(ranks, max(chunks, 1.0))  # chunks lie on few of the attention ranks
    spent = _curve(dense_s, n_decode / ranks + chunk_tokens / busy)
    spent += _curve(sequence_s, n_decode / ranks + chunks / busy)

    chunk, kv, sequences, mean = 0.0, 0.0, 0.0, 0.0
    if chunks > 0:
        # many chunks count as one with the same squares and, unless the tables say otherwise, pairs
        chunk = np.sqrt(chunk_squares / busy)
        kv = chunk_kv / busy
        if options[1] == 0:
            kv = max(0.0, pairs / busy / chunk - 0.5 * (chunk + 1.0))
        else:
            chunk = np.rint(chunk)
    if n_decode > 0:
        sequences = n_decode / ranks
        mean = context / n_decode
    if options[2] > 0:
        kv = np.ceil(kv / options[2]) * options[2]
        mean = np.ceil(np.floor(mean) / options[2]) * options[2]
    at_chunk, at_kv = _cell(chunk_axis, chunk), _cell(kv_axis, kv)
    at_decode, at_context = _cell(decode_axis, sequences), _cell(context_axis, mean)
    if chunks > 0 and n_decode > 0 and mixed_s.size > 0:
        low = _grid(mixed_s[at_chunk[0], at_kv[0]], at_decode, at_context)
        high = _grid(mixed_s[at_chunk[1], at_kv[0]], at_decode, at_context)
        near = low + at_chunk[2] * (high - low)
        low = _grid(mixed_s[at_chunk[0], at_kv[1]], at_decode, at_context)
        high = _grid(mixed_s[at_chunk[1], at_kv[1]], at_decode, at_context)
        far = low + at_chunk[2] * (high - low)
        spent += near + at_kv[2] * (far - near)
        if sequences > 1:
            spent += (options[4] - 1.0) * _grid(decode_s, at_decode, at_context)
        return float(spent)
    if chunks > 0:
        spent += _grid(prompt_s, at_chunk, at_kv) * (options[3] if chunks > busy else 1.0)
    if n_decode > 0:
        spent += _grid(decode_s, at_decode, at_context) * (options[4] if sequences > 1 else 1.0)
    return float(spent)
