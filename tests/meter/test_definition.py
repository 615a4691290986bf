"""The definition: its hash names the figure, and what cannot be is told at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineshaft.errors import InputError
from lineshaft.meter.definition import Definition


def test_hash_names_every_parameter() -> None:
    canonical = Definition()
    assert canonical.hash == Definition().hash == canonical.to_dict()["hash"]
    others = [
        replace(canonical, zone="Europe/Berlin"),
        replace(canonical, watermark_h=24.0),
        replace(canonical, revocation_days=7.0),
        replace(canonical, least_value_usd=1.0),
        replace(canonical, implied_after_h=24.0),
        replace(canonical, wage_usd_per_h=60.0),
    ]
    hashes = {one.hash for one in (canonical, *others)}
    assert len(hashes) == 7
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in hashes)


def test_problems_are_told_together() -> None:
    wrong = Definition(zone="Mars/Olympus", watermark_h=-1, week_days=0, value_basis="wage")
    with pytest.raises(InputError) as caught:
        wrong.check()
    assert [p.key for p in caught.value.problems] == [
        "zone", "watermark_h", "week_days", "wage_usd_per_h",
    ]  # fmt: skip
    Definition().check()
