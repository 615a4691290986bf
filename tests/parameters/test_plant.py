"""From `[plant]` to the plant's engine and its monthly half."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lineshaft import catalog
from lineshaft.contracts.calendar import Calendar
from lineshaft.errors import InputError
from lineshaft.parameters.dims import dims as dims_of
from lineshaft.parameters.draws import draw
from lineshaft.parameters.fleets import it_w
from lineshaft.parameters.plant import engine_inputs, params
from lineshaft.scenario import Scenario
from lineshaft.scenario.draws import Draws
from lineshaft.stages.plant import PlantInputs, characterise
from lineshaft.stages.plant.model import Params

NO_DRAWS = Draws(0, {})


def campus(plant: list[dict[str, Any]] | None = None, **more: Any) -> Scenario:
    """1 GW in Abilene: half of it there, half of it to come."""
    build = {
        "campus": [{"name": "abilene", "existing_it_w": "500 MW"}],
        "phase": [{"name": "p", "campus": "abilene", "it_w": "500 MW"}],
        "accelerators": [
            {
                "name": "a",
                "campus": "abilene",
                "accelerator": "GB200",
                "count": 1000,
                "first": "2026-02",
            }
        ],
    }
    text = {"months": 24, "build": build, "plant": {"site": plant or []}, **more}
    return Scenario.model_validate(text)


def asked(scenario: Scenario, draws: Draws = NO_DRAWS) -> tuple[Params, dict[int, PlantInputs]]:
    """Parameters and engine inputs."""
    calendar = Calendar.of(scenario.start, scenario.months)
    dims = dims_of(scenario, calendar, 1 + draws.n)
    return params(scenario, draws, dims, calendar), engine_inputs(scenario, dims, calendar)


def test_an_empty_scenario() -> None:
    """No sites, no curves."""
    p, inputs = asked(Scenario(months=6))
    assert inputs == {}
    assert p.grid_w.shape == (0, 1)
    assert p.usd_per_kwh.shape == p.kg_per_kwh.shape == (6, 0, 1)


def test_a_campus_without_a_row_has_the_defaults() -> None:
    """Climate by the site's name, the default tariff, a connection of 1.3 times the IT power; the
    house load is counted once, in the months."""
    p, inputs = asked(campus())
    tariff = catalog.find("tariffs", "us large load")
    assert p.grid_w[0, 0] == pytest.approx(1.3e9)
    assert p.fleet_site.tolist() == [0]
    assert p.usd_per_kwh[0, 0, 0] == pytest.approx(tariff.number("usd_per_kwh"), rel=2e-3)
    assert p.usd_per_kwh[12, 0, 0] / p.usd_per_kwh[0, 0, 0] == pytest.approx(1.02, rel=1e-3)
    assert p.usd_per_kw[0, 0, 0] == pytest.approx(12, rel=2e-3)
    assert p.house_share[0, 0] == pytest.approx(np.sqrt(0.002 * 0.01))
    assert p.other_w[0, 0] == 0
    assert (inputs[0].it_w, inputs[0].house_share) == (1e9, 0.0)
    abilene = catalog.find("climates", "Abilene TX")
    assert inputs[0].climate.dry_mean_c[6] == abilene.number("dry_mean_c_07")
    elsewhere = campus()
    build = elsewhere.model_dump()["build"]
    for item in (*build["phase"], *build["accelerators"]):
        item["campus"] = "nowhere"
    build["campus"][0]["name"] = "nowhere"
    _, inputs = asked(Scenario.model_validate({"months": 24, "build": build}))
    ashburn = catalog.find("climates", "Ashburn VA")
    assert inputs[0].climate.design_wet_c == ashburn.number("design_wet_c")


def test_what_a_row_says_counts() -> None:
    """Prices, growth, connection and cooling of the row; uncertain ones are drawn."""
    row = {
        "name": "abilene",
        "climate": "Phoenix AZ",
        "tariff": "texas industrial",
        "usd_per_kwh": "0.05 to 0.08",
        "usd_per_kwh_growth": 0.1,
        "kg_per_kwh_growth": 0,
        "grid_w": "900 MW",
        "rejection": "tower",
        "liquid_share": 0.9,
        "other_w": "1 MW",
    }
    scenario = campus([row])
    draws = draw(scenario, 4, seed=1)
    p, inputs = asked(scenario, draws)
    assert p.usd_per_kwh.shape == (24, 1, 5)
    assert p.usd_per_kwh[12, 0] / p.usd_per_kwh[0, 0] == pytest.approx([1.1] * 5, rel=1e-3)
    assert len(set(p.usd_per_kwh[0, 0])) == 5
    assert (p.kg_per_kwh[:, 0, 0] == catalog.find("tariffs", "ercot")["carbon_kg_per_kwh"]).all()
    assert p.grid_w.tolist() == [[900e6]]
    assert p.other_w.tolist() == [[1e6]]
    assert p.overhead.shape == (1, 5)
    assert (inputs[0].rejection, inputs[0].liquid_share) == ("tower", 0.9)


def test_a_floor_site() -> None:
    """It has no curve and no limit; robots of a kind are at their site, for two shifts."""
    floor = {
        "site": [{"name": "warehouse", "hours_per_day": 16, "days_per_week": 7}],
        "robots": [{"name": "stowing", "task": "amr"}],
    }
    kinds = {
        "kind": [{"name": "coding", "model": "m"}, {"name": "stowing", "work": "arm", "model": "m"}]
    }
    serve = {"model": [{"name": "m", "model": "DeepSeek-V3"}]}
    p, inputs = asked(campus(floor=floor, agents=kinds, serve=serve))
    assert set(inputs) == {0}
    assert p.kind_site.tolist() == [-1, 1]
    assert p.floor_peak[:, 0].tolist() == [1.0, 1.5]
    assert p.grid_w[1, 0] == np.inf


def test_sites_that_are_none_are_refused() -> None:
    """And a name that is a campus and a floor site."""
    with pytest.raises(InputError, match="did you mean 'abilene'") as caught:
        asked(campus([{"name": "abilen"}, {"name": "x"}]))
    assert [p.key for p in caught.value.problems] == ["plant.site.abilen", "plant.site.x"]
    with pytest.raises(InputError, match="is a campus and a floor site"):
        asked(campus(floor={"site": [{"name": "abilene"}]}))


@pytest.mark.parametrize("kind", ["dry", "tower", "hybrid", "chiller"])
@pytest.mark.parametrize("climate", ["Abilene TX", "Ashburn VA", "Luleå"])
def test_gb200_on_a_gigawatt_at_the_meter(kind: str, climate: str) -> None:
    """330 to 450 thousand in the worst hour: 1.83 kW of IT power in their racks, the cluster's
    share on top, then the plant. Epoch AI's all-in figure is 2.72 kW each."""
    scenario = campus([{"name": "abilene", "climate": climate, "rejection": kind}])
    p, inputs = asked(scenario)
    curve = characterise(inputs[0])
    watts = it_w(scenario, NO_DRAWS)[0, 0]
    peak = watts * (1 + curve.peak_share[:, -1].max() * p.overhead[0, 0] + p.house_share[0, 0])
    assert 330e3 <= 1e9 / peak <= 450e3
    assert curve.derate.min() == 1.0
    assert peak / watts <= 1.3
