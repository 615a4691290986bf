"""What a fleet and its requests must be, before the event loop takes them."""

from __future__ import annotations

import numpy as np

from lineshaft.errors import InputError, Problem
from lineshaft.stages.serve.deployment import (
    PREEMPTIONS,
    PREFIX_CACHES,
    ROUTERS,
    RULES,
    Fleet,
    Pool,
)
from lineshaft.stages.serve.requests import Requests

WHOLE = "a whole number from 1"


def check(fleet: Fleet, requests: Requests) -> None:
    """Raises InputError with all that is wrong."""
    problems = _pool(fleet.pool, requests, "")
    if fleet.decode:
        problems += _pool(fleet.decode, requests, "decode.")
    problems += _joint(fleet) + _requests(requests)
    if problems:
        raise InputError(problems)


def _pool(pool: Pool, requests: Requests, prefix: str) -> list[Problem]:
    rules, times = pool.scheduler, pool.times
    names = (
        ("rules", rules.rules, RULES),
        ("prefix_cache", rules.prefix_cache, PREFIX_CACHES),
        ("preemption", rules.preemption, PREEMPTIONS),
    )
    numbers = (
        ("instances", pool.instances, pool.instances >= 1, WHOLE),
        ("max_num_seqs", rules.max_num_seqs, rules.max_num_seqs >= 1, WHOLE),
        ("block_tokens", rules.block_tokens, rules.block_tokens >= 1, WHOLE),
        ("kv_blocks", rules.kv_blocks, rules.kv_blocks >= 1, WHOLE),
        ("watermark", rules.watermark, 0 <= rules.watermark < 1, "from 0 to below 1"),
        ("queue_limit", rules.queue_limit, rules.queue_limit >= 0, "a whole number from 0"),
        ("long_prefill_token_threshold", rules.long_prefill_token_threshold,
         rules.long_prefill_token_threshold >= 0, "a whole number from 0"),
        ("swap_token_s", rules.swap_token_s, rules.swap_token_s >= 0, "from 0"),
        ("tiers", len(rules.tiers), len(rules.tiers) <= 30, "up to 30"),
        ("gain", times.gain, 1 <= times.gain <= 1 + times.draft,
         "from 1 to 1 + draft"),
        ("draft", times.draft, times.draft < max(rules.block_tokens, 2),
         "fewer than block_tokens"),
    )  # fmt: skip
    problems = [
        Problem("", f"serve.{prefix}{key}", str(found), ", ".join(allowed))
        for key, found, allowed in names
        if found not in allowed
    ]
    problems += [
        Problem("", f"serve.{prefix}{key}", f"is {found:g}", allowed)
        for key, found, good, allowed in numbers
        if not good
    ]
    least = rules.max_num_seqs * (1 + times.draft)
    if rules.max_num_batched_tokens < least:
        found = f"{rules.max_num_batched_tokens} tokens a step for {rules.max_num_seqs} requests"
        found += f" of {1 + times.draft}" if times.draft else ""
        allowed = f"from {least}, so that every answer gets on in every step"
        problems.append(Problem("", f"serve.{prefix}max_num_batched_tokens", found, allowed))
    most = rules.max_num_batched_tokens * times.ranks
    if times.tables is None and len(times.dense_s) <= most:
        found = f"step times up to {len(times.dense_s) - 1} tokens"
        allowed = f"max_num_batched_tokens times attention ranks, {most}"
        problems.append(Problem("", f"serve.{prefix}max_num_batched_tokens", found, allowed))
    kept = len(requests.block_ids) and rules.prefix_cache != "none"
    if kept and rules.block_tokens >= 1 and requests.block_tokens % rules.block_tokens:
        found = f"prefix blocks of {requests.block_tokens} tokens"
        allowed = f"a multiple of block_tokens, {rules.block_tokens}"
        problems.append(Problem(requests.name, "trace", found, allowed))
    return problems


def _joint(fleet: Fleet) -> list[Problem]:
    problems = []
    if fleet.router not in ROUTERS:
        problems.append(Problem("", "serve.router", fleet.router, ", ".join(ROUTERS)))
    failures, scaler = fleet.failures, fleet.autoscaler
    rules = [
        ("transfer_s", fleet.transfer_s, fleet.transfer_s >= 0, "from 0"),
        ("transfer_token_s", fleet.transfer_token_s, fleet.transfer_token_s >= 0, "from 0"),
        ("view_s", fleet.view_s, fleet.view_s >= 0, "from 0"),
        ("seed", fleet.seed, fleet.seed >= 0, "a whole number from 0"),
    ]
    if failures:
        share = failures.straggler_share
        rules += [
            ("failures.mtbf_s", failures.mtbf_s, failures.mtbf_s > 0, "above 0"),
            ("failures.restart_s", failures.restart_s, failures.restart_s >= 0, "from 0"),
            ("failures.straggler_share", share, 0 <= share <= 1, "from 0 to 1"),
            ("failures.straggler_factor", failures.straggler_factor,
             failures.straggler_factor > 0, "above 0"),
        ]  # fmt: skip
    if scaler:
        most = min(pool.instances for pool in (fleet.pool, fleet.decode or fleet.pool))
        rules += [
            ("autoscaler.least", scaler.least, 1 <= scaler.least <= most,
             f"from 1 to the instances of a pool, {most}"),
            ("autoscaler.target_outstanding", scaler.target_outstanding,
             scaler.target_outstanding > 0, "above 0"),
            ("autoscaler.interval_s", scaler.interval_s, scaler.interval_s > 0, "above 0"),
            ("autoscaler.start_s", scaler.start_s, scaler.start_s >= 0, "from 0"),
        ]  # fmt: skip
    return problems + [
        Problem("", f"serve.{key}", f"is {found:g}", allowed)
        for key, found, good, allowed in rules
        if not good
    ]


def _requests(requests: Requests) -> list[Problem]:
    def wrong(key: str, found: str, allowed: str) -> Problem:
        return Problem(requests.name, key, found, allowed)

    n = len(requests)
    if n == 0:
        return [wrong("requests", "none", "at least one")]
    problems = []
    lengths = (
        ("input_tokens", requests.input_tokens, True),
        ("output_tokens", requests.output_tokens, True),
        ("after", requests.after, False),
        ("wait_s", requests.wait_s, False),
        ("slo_class", requests.slo_class, False),
    )
    for key, column, needed in lengths:
        if len(column) != n and (needed or len(column)):
            problems.append(wrong(key, f"{len(column)} values", f"one for each of {n} requests"))
    if problems:
        return problems
    if min(requests.input_tokens.min(), requests.output_tokens.min()) < 1:
        problems.append(wrong("input_tokens, output_tokens", "some below 1", "from 1"))
    if len(requests.block_ids) and len(requests.block_start) != n + 1:
        problems.append(wrong("block_start", f"{len(requests.block_start)} values", f"{n + 1}"))
    own = np.ones(n, np.bool_)
    if len(requests.after):
        own = requests.after < 0
        if (requests.after >= np.arange(n)).any():
            problems.append(wrong("after", "a request not before its own", "earlier requests"))
        if requests.clients and not own.all():
            found = "requests that follow others, in a closed loop of clients"
            problems.append(wrong("clients", found, "one of the two"))
    arrival = requests.arrival_s[own]
    if not (np.diff(arrival) >= 0).all() or not np.isfinite(arrival).all():
        problems.append(wrong("arrival_s", "times that fall or are no numbers", "rising times"))
    if len(requests.wait_s) and not (requests.wait_s >= 0).all():
        problems.append(wrong("wait_s", "some below 0", "from 0"))
    if len(requests.slo_class) and not (
        requests.slo_class.min() >= 0 and requests.slo_class.max() < 1000
    ):
        problems.append(wrong("slo_class", "some outside", "whole numbers from 0 to 999"))
    return problems
