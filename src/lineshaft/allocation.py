"""Who gets the scarce tokens, people and robots, and why.

Each kind of work has a value per task and wants shares of resources: the serving capacity, the
quota of each provider, the minutes of each role. Robots and seats bound the tasks of a kind from
the start (`fielded.possible_tasks`). With the policy `value` tasks are admitted greedily, by
value per unit of the scarcest resource, which is looked up anew as resources run out; with
`priority` in the order of the scenario; with `proportional` each resource is shared out by the
same factor. The greedy answer is optimal while one resource is scarce and close to it otherwise;
a linear programme is its oracle in the tests.
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

_TINY = 1e-12
Codes = NDArray[np.int64]


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
    """[kind] busiest hour over mean of the kind's load shape: capacity is sized on it."""
    minimum_tasks: Array
    """[month, kind, draw] tasks that contracts promise: admitted first."""
    embodied: NDArray[np.bool_]
    """[kind] whether the kind's agents are robots."""


class Allocation:
    """Admits each month's work. Resources: serving, each provider's quota, each role's minutes."""

    def __init__(self, params: Params, dims: Dims) -> None:
        self.params = params
        kinds, models = dims.size("kind"), dims.size("model")
        self.belongs = np.zeros((models, kinds))
        self.belongs[params.kind_model, np.arange(kinds)] = 1.0
        self.bought = self.belongs[params.provider_models][:, :, None]
        self.peak = params.peak_over_mean[:, None]
        self.minimum = bool(params.minimum_tasks.any())
        own = np.where(params.embodied, CODE["robots"], CODE["seats"])
        self.bound_code = own.astype(np.int8)[:, None]
        self.resource_code = np.array(
            [CODE["tokens"]] * (1 + len(params.provider_models))
            + [CODE[f"people: {role}"] for role in ROLES],
            np.int8,
        )

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
        demand = fielded.demand_tasks[t]
        # work left over from last month takes agents and robots before new work does
        bound = np.clip(fielded.possible_tasks[t] - ledger.work, 0.0, demand)
        classes = np.stack(
            (fielded.input_tokens[t], fielded.cached_tokens[t], fielded.output_tokens[t]), axis=1
        )
        per_task = classes.sum(axis=1)
        use = np.concatenate(
            (
                (
                    (classes * tokens.share_per_token[self.params.kind_model]).sum(axis=1)
                    * self.peak
                )[None],
                self.bought * per_task,
                (fielded.review_min[t] * fielded.success[t] * people.review_share)[None],
                fielded.intervention_min[t][None],
            )
        )
        free = np.maximum(people.minutes - people.owed_min, 0.0)
        offered = np.concatenate((np.ones((1, free.shape[1])), tokens.quota_tokens, free))
        wanted = (use * bound).sum(axis=1)
        limit = np.full(bound.shape, -1)
        if (wanted <= offered).all():
            tasks, left = bound, offered - wanted
        elif self.params.policy == "proportional":
            tasks, left, limit = _proportional(use, offered, wanted, bound)
        else:
            first = np.minimum(self.params.minimum_tasks[t], bound) if self.minimum else 0.0 * bound
            tasks, left, limit = self._greedy(fielded.price_usd[t], use, offered, first)
            more, left, limit = self._greedy(fielded.price_usd[t], use, left, bound - tasks)
            tasks = tasks + more
        turned = demand - tasks
        admitted.admitted_tasks[t] = tasks
        admitted.turned_away_tasks[t] = turned
        code = np.where(bound < demand, self.bound_code, fielded.binding[t])
        short = limit >= 0
        if short.any():
            code = np.where(short, self.resource_code[limit], code)
            code = np.where(limit == 0, tokens.binding, code)
        admitted.binding[t] = code
        spare = np.divide(left, offered, out=np.zeros_like(left), where=offered > 0)
        admitted.slack[t] = np.where(use > 0, spare[:, None, :], 1.0).min(axis=0)
        for name, index in (("input_tokens", 0), ("cached_tokens", 1), ("output_tokens", 2)):
            admitted_tokens[name][t] = self.belongs @ (classes[:, index] * tasks)
        admitted_tokens.wanted[t] = self.belongs @ (per_task * demand)
        admitted_tokens.admitted[t] = self.belongs @ (per_task * tasks)
        admitted_tokens.turned_away[t] = self.belongs @ (per_task * turned)

    def _greedy(
        self, value: Array, use: Array, offered: Array, bound: Array
    ) -> tuple[Array, Array, Codes]:
        """Tasks [kind, draw], what is left [resource, draw], and the resource that ran out."""
        left, open_ = offered.copy(), bound.copy()
        tasks = np.zeros_like(bound)
        limit = np.full(bound.shape, -1)
        draw = np.arange(bound.shape[1])
        for k in range(len(bound)):
            if self.params.policy == "priority":
                best = np.full(len(draw), k)
            else:
                pressure = (use * open_).sum(axis=1) / np.maximum(left, _TINY)
                scarce = use[pressure.argmax(axis=0), :, draw].T
                worth = np.maximum(value, _TINY) / np.maximum(scarce, _TINY * 1e-12)
                best = np.where(open_ > 0, worth, -1.0).argmax(axis=0)
            need = use[:, best, draw]
            room = np.divide(left, need, out=np.full_like(left, np.inf), where=need > 0)
            first = room.argmin(axis=0)
            wish = open_[best, draw]
            amount = np.minimum(wish, room[first, draw])
            tasks[best, draw] += amount
            limit[best, draw] = np.where(amount < wish * (1 - 1e-9), first, limit[best, draw])
            left = np.maximum(left - need * amount, 0.0)
            open_[best, draw] = 0.0
        return tasks, left, limit


def _proportional(
    use: Array, offered: Array, wanted: Array, bound: Array
) -> tuple[Array, Array, Codes]:
    factor = np.divide(offered, wanted, out=np.ones_like(offered), where=wanted > offered)
    factors = np.where(use > 0, factor[:, None, :], 1.0)
    share = factors.min(axis=0)
    tasks = bound * share
    limit = np.where((share < 1 - 1e-9) & (bound > 0), factors.argmin(axis=0), -1)
    return tasks, np.maximum(offered - (use * tasks).sum(axis=1), 0.0), limit


FORMULAS: dict[str, str] = {
    "admitted.admitted_tasks": (
        "engine(allocation, fielded.demand_tasks, fielded.possible_tasks, fielded.price_usd)"
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
