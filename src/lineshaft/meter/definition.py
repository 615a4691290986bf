"""The numbers that a DAA figure depends on, and the hash that names them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lineshaft.errors import InputError, Problem

STANDARD = "DAA/1"


@dataclass(frozen=True, slots=True)
class Definition:
    """Parameters of DAA/1; the defaults are the canonical figure. `check` finds what is wrong."""

    zone: str = "UTC"
    """IANA zone of the days. Any other than UTC must be stated beside the figure."""
    watermark_h: float = 72.0
    """A day is provisional until this long after its end."""
    most_loss: float = 0.001
    """A day is not closed while more of its events than this are expected to be missing."""
    revocation_days: float = 14.0
    """An acceptance that is taken back within this time never counted."""
    least_human_equiv_min: float = 1.0
    """A task is eligible from this much human work on, or from `least_value_usd` on."""
    least_value_usd: float = 0.01
    week_days: int = 7
    month_days: int = 28
    """Also the gap from which an agent that comes back is resurrected, not reactivated."""
    closure_hops: int = 4
    """Delegations are followed this far to find a task that comes back to who asked for it."""
    closure_days: float = 28.0
    """Delegations assigned this long before the acceptance, or shorter, are followed."""
    implied_after_h: float | None = None
    """A submit that nobody touches for this long counts as accepted (method implicit); None: only
    acceptances that the log states count."""
    value_basis: Literal["stated", "wage"] = "stated"
    """Value of a task: the dollars it states, or its human-equivalent minutes at `wage`."""
    wage_usd_per_h: float | None = None
    """Cost of an overseer's hour, for cost per accepted task, and for value by wage."""

    def check(self) -> None:
        """Raise InputError with every value that cannot be."""
        from zoneinfo import ZoneInfo

        found = []
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            found.append(
                Problem("", "zone", f"{self.zone!r}", "an IANA zone such as UTC or Europe/Berlin")
            )
        for key, least in (
            ("watermark_h", 0.0),
            ("most_loss", 0.0),
            ("revocation_days", 0.0),
            ("least_human_equiv_min", 0.0),
            ("least_value_usd", 0.0),
            ("closure_days", 0.0),
            ("implied_after_h", 0.0),
            ("wage_usd_per_h", 0.0),
            ("closure_hops", 0),
            ("week_days", 1),
            ("month_days", 1),
        ):
            value = getattr(self, key)
            if value is not None and not least <= value < float("inf"):
                found.append(Problem("", key, f"{value!r}", f"{least} or more"))
        if self.value_basis == "wage" and self.wage_usd_per_h is None:
            found.append(Problem("", "wage_usd_per_h", "not given", "a wage, for value by wage"))
        if found:
            raise InputError(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the standard's name and the hash."""
        return {"standard": STANDARD, **asdict(self), "hash": self.hash}

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the standard's name and the parameters, as JSON
        with sorted keys and no spaces."""
        plain = {"standard": STANDARD, **asdict(self)}
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
