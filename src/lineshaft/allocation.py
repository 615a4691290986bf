"""Who gets the scarce tokens, people and robots, and why.

Each kind of work has a value per task, its price times the share that succeeds, and wants shares
of resources: the serving capacity, the quota of each provider, the minutes of each role. Robots
and seats bound the tasks of a kind from the start (`fielded.possible_tasks`). Of the policies,
`value` admits tasks greedily by value per unit of what is scarce: exactly right where one
resource is scarce; where several are, the best of a few weightings of them, which a linear
programme beats by 0.35 % in the mean over random months (see the tests). `priority` admits in the
order of the scenario, `proportional` shares each resource out by the same factor. Work that
contracts promise comes first under every policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshaft.contracts.admitted import Admitted, AdmittedTokens
from lineshaft.contracts.fielded import Fielded
from lineshaft.contracts.ledger import Ledger
from lineshaft.contracts.offers import PeopleOffer, TokenOffer
from lineshaft.contracts.reasons import CODE, ROLES
from lineshaft.tables import Array, Dims

POLICIES = ("value", "priority", "proportional")

_TINY = 1e-100
_NOBODY = 1e-9
"""Tasks a month that are none: what a share of NO_CAPACITY leaves."""
_total = np.add.reduce  # what .sum() calls, without its checks: these run each month
Places = NDArray[np.int64]
"""[kind, draw] row of the resource that ran out, −1 where none did."""


@dataclass(frozen=True, slots=True)
class Params:
    """What allocation needs besides the month's tables."""

    policy: str
    """One of POLICIES."""
    kind_model: NDArray[np.int64]
    """[kind] index of the model that the kind's tokens come from."""
    provider_models: NDArray[np.int64]
    """[provider model] indices of the models that are bought by the token."""
    peak_over_mean: Array
    """[kind, draw] busiest hour over mean of the tokens of the kind's model: capacity is sized on
    it."""
    minimum_tasks: Array
    """[month, kind, draw] tasks that contracts promise: admitted first."""
    embodied: NDArray[np.bool_]
    """[kind] whether the kind's agents are robots."""
    send_back_min: Array
    """[kind, draw] reviewer minutes that a wrong task costs besides its review: the share that is
    found, times the minutes to send one back."""


class Allocation:
    """Admits each month's work. Resources: serving, each provider's quota, each role's minutes."""

    def __init__(self, params: Params, dims: Dims) -> None:
        self.params = params
        kinds, models = dims.size("kind"), dims.size("model")
        providers = len(params.provider_models)
        self.belongs = np.zeros((models, kinds))
        self.belongs[params.kind_model, np.arange(kinds)] = 1.0
        self.bought = self.belongs[params.provider_models][:, :, None]
        self.minimum = bool(params.minimum_tasks.any())
        own = np.where(params.embodied, CODE["robots"], CODE["seats"])
        self.bound_code = own.astype(np.int8)[:, None]
        codes = [CODE["tokens"]] * (1 + providers) + [CODE[f"people: {role}"] for role in ROLES]
        self.resource_code = np.array(codes, np.int8)
        self.use = np.zeros((len(codes), kinds, dims.width))
        self.classes = np.zeros((kinds, 3, dims.width))
        self.offered = np.ones((len(codes), dims.width))
        self.reviewer = 1 + providers + ROLES.index("reviewer")
        self.operator = 1 + providers + ROLES.index("operator")

    def advance(
        self,
        t: int,
        ledger: Ledger,
        fielded: Fielded,
        tokens: TokenOffer,
        people: PeopleOffer,
        admitted: Admitted,
        admitted_tokens: AdmittedTokens,
    ) -> None:
        """Month `t`: fill the two tables from demand and offers."""
        p, use, offered = self.params, self.use, self.offered
        demand = fielded.demand_tasks[t]
        # work left over from last month takes agents and robots before new work does
        bound = np.minimum(np.maximum(fielded.possible_tasks[t] - ledger.work, 0.0), demand)
        classes = self.classes
        classes[:, 0], classes[:, 1] = fielded.input_tokens[t], fielded.cached_tokens[t]
        classes[:, 2] = fielded.output_tokens[t]
        per_task = _total(classes, axis=1)
        success = fielded.success[t]
        use[0] = _total(classes * tokens.share_per_token[p.kind_model], axis=1) * p.peak_over_mean
        use[1 : self.reviewer] = self.bought * per_task
        send_back = (1.0 - fielded.correct[t]) * p.send_back_min
        use[self.reviewer] = (fielded.review_min[t] + send_back) * success * people.review_share
        use[self.operator] = fielded.intervention_min[t]
        offered[1 : self.reviewer] = tokens.quota_tokens
        offered[self.reviewer :] = np.maximum(people.minutes - people.owed_min, 0.0)
        wanted = _total(use * bound, axis=1)
        tasks, left = bound, offered - wanted
        limit: Places | None = None
        short = (wanted > offered).any(axis=0)
        if short.any():
            some, rest, limit = self._share_out(
                fielded.price_usd[t] * success, use, offered, bound, p.minimum_tasks[t]
            )
            # a draw that is not short does not know that others are
            tasks = np.where(short, np.where(some < _NOBODY, 0.0, some), bound)
            left, limit = np.where(short, rest, left), np.where(short, limit, -1)
        turned = demand - tasks
        admitted.admitted_tasks[t] = tasks
        admitted.turned_away_tasks[t] = turned
        code = np.where(bound < demand, self.bound_code, fielded.binding[t])
        if limit is not None:
            code = np.where(limit >= 0, self.resource_code[limit], code)
            code = np.where(limit == 0, tokens.binding, code)
        admitted.binding[t] = code
        spare = np.divide(left, offered, out=np.zeros_like(left), where=offered > 0)
        admitted.slack[t] = np.where(use > 0, spare[:, None, :], 1.0).min(axis=0)
        # einsum and not @: a BLAS may sum in another order on another number of threads
        of_class = np.einsum("mk,kcd->cmd", self.belongs, classes * tasks[:, None, :])
        admitted_tokens.input_tokens[t], admitted_tokens.cached_tokens[t] = of_class[0], of_class[1]
        admitted_tokens.output_tokens[t] = of_class[2]
        admitted_tokens.admitted[t] = of_class[0] + of_class[1] + of_class[2]

    def finish(self, fielded: Fielded, admitted: Admitted, admitted_tokens: AdmittedTokens) -> None:
        """Tokens that the demand wanted and that were turned away, vectorised over months."""
        per_task = fielded.input_tokens + fielded.cached_tokens + fielded.output_tokens
        for name, tasks in (
            ("wanted", fielded.demand_tasks),
            ("turned_away", admitted.turned_away_tasks),
        ):
            admitted_tokens[name][:] = np.einsum("mk,tkd->tmd", self.belongs, per_task * tasks)

    def _share_out(
        self, value: Array, use: Array, offered: Array, bound: Array, promised: Array
    ) -> tuple[Array, Array, Places]:
        """Tasks [kind, draw], what is left [resource, draw], and the resource that ran out."""
        policy = self.params.policy
        first = np.zeros_like(bound)
        left = offered
        if self.minimum:
            # a promise is a promise: under each policy, and in the order of the policy
            order = "priority" if policy == "priority" else "value"
            first, left, _ = _admit(order, value, use, offered, np.minimum(promised, bound))
        if policy == "proportional":
            more, left, limit = _proportional(use, left, bound - first)
        else:
            more, left, limit = _admit(policy, value, use, left, bound - first)
        return first + more, left, limit


def _admit(
    policy: str, value: Array, use: Array, offered: Array, bound: Array
) -> tuple[Array, Array, Places]:
    """Greedy answer by `value` or `priority`: as much of each kind in turn as there is room for.

    Every draw is answered from its own numbers alone, however many stand beside it.
    """
    # no kind can have more than all there is: where nothing is left, nothing is weighed
    room = np.divide(offered[:, None], use, out=np.full_like(use, np.inf), where=use > 0)
    tasks = np.minimum(bound, room.min(axis=0))
    short = _total(use * tasks, axis=1) > offered
    scarce = np.count_nonzero(short, axis=0)
    one, many = np.flatnonzero(scarce == 1), np.flatnonzero(scarce > 1)
    if len(one):
        row = short[:, one].argmax(axis=0)
        tasks[:, one] = _fill(
            policy, value[:, one], use[row, :, one].T, offered[row, one], tasks[:, one]
        )
    if len(many):
        rows = np.flatnonzero(short[:, many].any(axis=1))
        at = np.ix_(rows, many)
        need = use[at[0][:, :, None], np.arange(len(bound))[None, :, None], many[None, None, :]]
        tasks[:, many] = _weigh(
            policy, value[:, many], need, offered[at], tasks[:, many], short[at]
        )
    left = np.maximum(offered - _total(use * tasks, axis=1), 0.0)
    # a kind is limited by the first of its resources that has nothing left for it
    cut = tasks < bound * (1.0 - 1e-9)
    blocks = (left <= offered * 1e-9)[:, None, :] & (use > 0)
    limit = np.where(cut & blocks.any(axis=0), blocks.argmax(axis=0), -1)
    return tasks, left, limit


def _fill(policy: str, value: Array, need: Array, have: Array, bound: Array) -> Array:
    """Tasks [kind, draw] where one resource is scarce: `need` [kind, draw] of `have` [draw]."""
    wish, takes = bound, need
    if policy == "value":
        score = np.maximum(value, _TINY) / np.maximum(need, _TINY)
        order = np.argsort(-score, axis=0, kind="stable")
        draw = np.arange(bound.shape[1])
        wish, takes = bound[order, draw], need[order, draw]
    want = takes * wish
    before = np.zeros_like(want)
    np.cumsum(want[:-1], axis=0, out=before[1:])
    room = np.maximum(have - before, 0.0)
    got = wish * np.divide(room, want, out=np.ones_like(want), where=want > room)
    if policy != "value":
        return np.asarray(got)
    tasks = np.empty_like(got)
    tasks[order, draw] = got
    return tasks


def _weigh(
    policy: str,
    value: Array,
    need: Array,
    have: Array,
    bound: Array,
    short: NDArray[np.bool_],
) -> Array:
    """Tasks [kind, draw] where several resources are scarce: the best of several orders.

    `need` [resource, kind, draw] of `have` [resource, draw]. The orders are by value per weighted
    share of what is `short`: all weigh the same, or one counts four times, or alone.
    """
    kinds, width = bound.shape
    draw = np.arange(width)
    if policy == "priority":
        order = np.broadcast_to(np.arange(kinds)[None, :, None], (1, kinds, width))
    else:
        share = need / np.maximum(have, _TINY)[:, None, :]
        alone = np.eye(len(need))
        even = np.ones((1, len(need)))
        weights = np.concatenate((even, 1 + 3 * alone))[:, :, None] * short
        # what is not scarce in a draw does not order it
        single = np.where(short[:, None, :], alone[:, :, None], short)
        weights = np.concatenate((weights, single))
        cost = np.einsum("vrd,rkd->vkd", weights, share)
        score = np.maximum(value, _TINY) / np.maximum(cost, _TINY)
        order = np.argsort(-score, axis=1, kind="stable")
    wish = bound[order, draw]
    takes = need[:, order, draw]
    per_unit = np.divide(1.0, takes, out=np.zeros_like(takes), where=takes > 0)
    free = np.where(takes > 0, 0.0, np.inf)
    rest = np.repeat(have[:, None], len(order), axis=1)
    got = np.empty_like(wish)
    for place in range(kinds):
        room = (rest * per_unit[:, :, place] + free[:, :, place]).min(axis=0)
        amount = got[:, place] = np.minimum(wish[:, place], room)
        rest = np.maximum(rest - takes[:, :, place] * amount, 0.0)
    tasks = np.empty_like(got)
    tasks[np.arange(len(order))[:, None, None], order, draw] = got
    best = _total(tasks * value, axis=1).argmax(axis=0)
    return np.asarray(tasks[best, :, draw].T)


def _proportional(use: Array, offered: Array, bound: Array) -> tuple[Array, Array, Places]:
    """The same share of each kind that wants a resource, the least over its resources."""
    wanted = _total(use * bound, axis=1)
    factor = np.divide(offered, wanted, out=np.ones_like(offered), where=wanted > offered)
    factors = np.where(use > 0, factor[:, None, :], 1.0)
    share = factors.min(axis=0)
    tasks = bound * share
    limit = np.where((share < 1 - 1e-9) & (bound > 0), factors.argmin(axis=0), -1)
    return tasks, np.maximum(offered - _total(use * tasks, axis=1), 0.0), limit


FORMULAS: dict[str, str] = {
    "admitted.admitted_tasks": (
        "engine(allocation, fielded.demand_tasks, fielded.possible_tasks, fielded.price_usd,"
        " fielded.success, fielded.review_min, fielded.intervention_min)"
    ),
    "admitted.turned_away_tasks": "fielded.demand_tasks - admitted_tasks",
    "admitted.binding": "engine(allocation, admitted_tasks, fielded.possible_tasks)",
    "admitted.slack": "engine(allocation, admitted_tasks)",
    "admitted_tokens.wanted": "engine(allocation.by_model, fielded.demand_tasks)",
    "admitted_tokens.admitted": "input_tokens + cached_tokens + output_tokens",
    "admitted_tokens.turned_away": "wanted - admitted",
    "admitted_tokens.input_tokens": (
        "engine(allocation.by_model, admitted.admitted_tasks, fielded.input_tokens)"
    ),
    "admitted_tokens.cached_tokens": (
        "engine(allocation.by_model, admitted.admitted_tasks, fielded.cached_tokens)"
    ),
    "admitted_tokens.output_tokens": (
        "engine(allocation.by_model, admitted.admitted_tasks, fielded.output_tokens)"
    ),
}
