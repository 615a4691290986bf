"""What cannot be built is refused, with every problem at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lineshaft.errors import InputError
from lineshaft.stages.build import (
    PACKAGES,
    BuildInputs,
    Crew,
    Phase,
    Release,
    Risk,
    RiskDriver,
    WorkPackage,
    characterise,
)
from lineshaft.stages.build.inputs import CRAFT_HOURS_PER_MW, CRAFT_MIX, RELEASES, check

CREWS = tuple(Crew(trade, 100) for trade, _ in CRAFT_MIX)
GOOD = BuildInputs(24, (Phase("a", 50e6),), CREWS)


def test_the_defaults_are_consistent() -> None:
    check(GOOD)
    # median of triangular(8k, 14k, 24k): half of the area lies above it
    above = (24_000 - CRAFT_HOURS_PER_MW) ** 2 / ((24_000 - 8_000) * (24_000 - 14_000))
    assert above == pytest.approx(0.5)
    assert sum(share for _, share in CRAFT_MIX) == pytest.approx(1)
    assert sum(r.cost_share for r in RELEASES) == pytest.approx(0.35)


def test_a_phase_needs_electricians_and_has_none() -> None:
    crews = tuple(crew for crew in CREWS if crew.trade != "electrical")
    with pytest.raises(InputError, match="a needs electricians and has none"):
        characterise(replace(GOOD, crews=crews))


def test_a_phase_of_0_w() -> None:
    with pytest.raises(InputError, match="a phase of 0 W"):
        characterise(replace(GOOD, phases=(Phase("a", 0),)))


def phase(**change: Any) -> dict[str, Any]:
    return {"phases": (Phase("a", 50e6, **change),)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"months": 0}, "build.months"),
        ({"samples": 0}, "build.samples"),
        ({"smallest_crew_share": 0.0}, "smallest_crew_share"),
        ({"phases": ()}, "no phase"),
        ({"phases": GOOD.phases * 2}, "'a' is there 2 times"),
        (phase(halls=0), "0 halls"),
        (phase(start_month=-1), "start_month"),
        (phase(craft_hours_per_mw=0), "craft_hours_per_mw"),
        (phase(craft_mix=(("steel", 0.5),)), "sum to 0.5"),
        (phase(craft_mix=(("masons", 1.0),)), "'masons'"),
        (phase(releases=(Release("part: gold", 1, 2),)), "part: gold"),
        (phase(releases=(Release("grid", 5, 2),)), "5 to 2 weeks"),
        (phase(releases=(Release("grid", 1, 2, 0, 1.5),)), "0 to 1"),
        ({"crews": (*CREWS, Crew("masons", 1))}, "'masons'"),
        ({"crews": (*CREWS[:-1], Crew("other", 10, maximum=5))}, "maximum"),
        ({"crews": (*CREWS[:-1], Crew("other", 10, completion=0))}, "completion"),
        ({"packages": (WorkPackage("x", 1, ("y",)),)}, "comes after 'y'"),
        ({"packages": (WorkPackage("x", 0),)}, "takes 0 weeks"),
        ({"packages": PACKAGES[:-1]}, None),
        ({"packages": PACKAGES[:-4]}, "sum to"),
        ({"packages": PACKAGES[:1]}, "the last package"),
        ({"risk": Risk(global_sigma=-1)}, "negative sigma"),
        ({"risk": Risk(activity_low=2)}, "activity_low"),
        ({"risk": Risk(drivers=(RiskDriver("d", 2, 1, 2, "grid"),))}, "probability 2"),
        ({"risk": Risk(drivers=(RiskDriver("d", 1, 1, 2, "moon"),))}, "hits 'moon'"),
    ],
)
def test_refused(change: dict[str, Any], says: str | None) -> None:
    inputs = replace(GOOD, **change)
    if says is None:
        check(inputs)
        return
    with pytest.raises(InputError) as caught:
        check(inputs)
    assert says in str(caught.value)
    assert all(problem.key.startswith("build.") for problem in caught.value.problems)


def test_all_problems_come_together() -> None:
    inputs = replace(GOOD, months=0, samples=0, phases=(Phase("a", -1, halls=0),))
    with pytest.raises(InputError) as caught:
        check(inputs)
    assert len(caught.value.problems) == 4


def test_hired_later_is_good_enough() -> None:
    crews = (*CREWS[:-1], Crew("other", 0, hires_per_month=5, maximum=50))
    check(replace(GOOD, crews=crews))
