"""Time of collectives: latency plus bytes over bandwidth (alpha-beta), one and two levels.

Sizes `n_bytes` are the full buffer: what every rank holds after an all-gather or before a
reduce-scatter. `k` is the number of ranks; with k = 1 every collective is free. Bandwidths are
per accelerator, one direction. All arguments may be floats or arrays of one shape.

Ring and tree forms as NCCL uses them: Thakur, Rabenseifner and Gropp, "Optimization of
Collective Communication Operations in MPICH" (2005); Patarasuk and Yuan, "Bandwidth optimal
all-reduce algorithms for clusters of workstations" (2009); NCCL's own ``PERFORMANCE.md`` in
NVIDIA/nccl-tests for the bus-bandwidth factors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Num = float | NDArray[np.float64]
"""A float or an array of floats."""


def point_to_point_s(n_bytes: Num, bytes_per_s: Num, latency_s: Num) -> Num:
    """Seconds to send `n_bytes` to one peer."""
    return latency_s + n_bytes / bytes_per_s


def all_gather_s(n_bytes: Num, k: Num, bytes_per_s: Num, latency_s: Num) -> Num:
    """Seconds of a ring all-gather or reduce-scatter: k-1 steps, (k-1)/k of the buffer."""
    return (k - 1) * latency_s + (k - 1) / k * n_bytes / bytes_per_s


reduce_scatter_s = all_gather_s


def all_reduce_s(n_bytes: Num, k: Num, bytes_per_s: Num, latency_s: Num) -> Num:
    """Seconds of an all-reduce, ring or tree, whichever is faster.

    Ring: 2(k-1) steps and 2(k-1)/k of the buffer. Tree (double binary, NCCL): 2 log2 k steps and
    twice the buffer.
    """
    ring = 2 * (k - 1) * latency_s + 2 * (k - 1) / k * n_bytes / bytes_per_s
    tree = np.where(np.asarray(k) > 1, 2 * np.log2(k) * latency_s + 2 * n_bytes / bytes_per_s, 0.0)
    return np.minimum(ring, tree)[()]


def all_to_all_s(n_bytes: Num, k: Num, bytes_per_s: Num, latency_s: Num) -> Num:
    """Seconds of an all-to-all in which every rank sends `n_bytes`, 1/k of it to itself.

    Sends run side by side, so latency counts log2 k times (Bruck), not k - 1 times.
    """
    return np.log2(k) * latency_s + (k - 1) / k * n_bytes / bytes_per_s


def hierarchical_all_reduce_s(
    n_bytes: Num,
    k_local: Num,
    k_remote: Num,
    local_bytes_per_s: Num,
    remote_bytes_per_s: Num,
    local_latency_s: Num,
    remote_latency_s: Num,
) -> Num:
    """Seconds of: reduce-scatter inside, all-reduce of 1/k_local between, all-gather inside."""
    inside = all_gather_s(n_bytes, k_local, local_bytes_per_s, local_latency_s)
    between = all_reduce_s(n_bytes / k_local, k_remote, remote_bytes_per_s, remote_latency_s)
    return 2 * inside + between


def hierarchical_all_gather_s(
    n_bytes: Num,
    k_local: Num,
    k_remote: Num,
    local_bytes_per_s: Num,
    remote_bytes_per_s: Num,
    local_latency_s: Num,
    remote_latency_s: Num,
) -> Num:
    """Seconds of an all-gather (or reduce-scatter): 1/k_local between, then all of it inside."""
    inside = all_gather_s(n_bytes, k_local, local_bytes_per_s, local_latency_s)
    between = all_gather_s(n_bytes / k_local, k_remote, remote_bytes_per_s, remote_latency_s)
    return inside + between
