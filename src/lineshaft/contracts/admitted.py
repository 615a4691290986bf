"""allocation → serve, floor: the tasks and tokens that may go ahead, and what limits the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lineshaft.contracts.reasons import reason
from lineshaft.tables import Array, Codes, Table, column


@dataclass(frozen=True, repr=False, eq=False)
class Admitted(Table):
    """Tasks by kind: demand = admitted + turned away."""

    KEYS: ClassVar = ("month", "kind")

    admitted_tasks: Array = column("task", "tasks that may go ahead")
    turned_away_tasks: Array = column("task", "tasks demanded and not admitted")
    binding: Codes = reason("what limits the last task not done")
    slack: Array = column("1", "spare share of the scarcest resource that the kind wants")


@dataclass(frozen=True, repr=False, eq=False)
class AdmittedTokens(Table):
    """Tokens by model: wanted = admitted + turned away."""

    KEYS: ClassVar = ("month", "model")

    wanted: Array = column("token", "tokens that all demanded tasks would take")
    admitted: Array = column("token", "tokens of the admitted tasks")
    turned_away: Array = column("token", "tokens of the tasks turned away")
    input_tokens: Array = column("token", "admitted prompt tokens to compute")
    cached_tokens: Array = column("token", "admitted prompt tokens from the prefix cache")
    output_tokens: Array = column("token", "admitted output tokens")
