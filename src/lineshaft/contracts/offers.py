"""What the scarce resources offer this month, before anyone is admitted: input of allocation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NO_CAPACITY = 1e30
"""Share per token where nothing can be served: finite, so that no tokens still take no share."""


@dataclass(frozen=True, slots=True)
class TokenOffer:
    """What the inference factory can carry, from `serve`."""

    share_per_token: Array
    """[model, class, draw] share of the month's serving capacity (all free accelerators at the
    load that holds the service level) that one token takes; classes: input, cached, output.
    NO_CAPACITY where there is none; 0 for a model bought by the token."""
    quota_tokens: Array
    """[provider model, draw] tokens that a provider sells this month, for the models bought by
    the token, in the order of the model axis."""
    accelerators: Array
    """[fleet, draw] accelerators free to serve: installed less leased, training and broken."""
    binding: NDArray[np.int8]
    """[draw] why there are no more of them (a reason code): the halls' reason where accelerators
    wait in store, `chips` where halls wait for accelerators, else `tokens`."""


@dataclass(frozen=True, slots=True)
class PeopleOffer:
    """Minutes that people offer, from `oversee`."""

    minutes: Array
    """[role, draw] minutes on duty, as can be used at the busiest hour's service level."""
    owed_min: Array
    """[role, draw] minutes that work already in the queue will take first."""
    review_share: Array
    """[kind, draw] share of finished tasks that the policy wants reviewed."""
