"""`[plant]`: what may be written, and what is refused."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import ValidationError

from lineshaft import catalog
from lineshaft.scenario.plant import CLIMATE, TARIFF, Plant, Site
from lineshaft.scenario.writing import dump


def test_nothing_is_needed() -> None:
    """An empty section, and a site with its defaults, all of them in the catalog."""
    assert Plant().site == ()
    site = Site(name="abilene")
    assert site.overhead.median == pytest.approx(1.0, abs=0.01)
    assert site.kg_per_kwh_growth.median == pytest.approx(-0.025)
    assert catalog.find("climates", CLIMATE) and catalog.find("tariffs", TARIFF)


def test_what_is_written_out_reads_back() -> None:
    """With units, ranges and a row of one's own."""
    rows = [
        {
            "name": "abilene",
            "climate": "Abilene TX",
            "tariff": "texas industrial",
            "usd_per_kwh": "0.04 to 0.08 USD/kWh",
            "usd_per_kw_month": 12,
            "grid_w": "1.4 GW",
            "rejection": "hybrid",
        },
        {"name": "warehouse", "other_w": "200 kW"},
    ]
    plant = Plant.model_validate({"site": rows})
    assert Plant.model_validate(tomllib.loads(dump(plant))) == plant
    assert plant.site[0].grid_w is not None
    assert plant.site[0].grid_w.median == 1.4e9
    assert all(f.description for f in Site.model_fields.values())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"climate": "Abilen TX"}, "did you mean .*Abilene"),
        ({"tariff": "texas"}, ""),
        ({"tariff": "mars"}, "there is no 'mars' in tariffs"),
        ({"rejection": "ocean"}, "dry"),
        ({"liquid_share": 1.2}, "0 to 1"),
    ],
)
def test_what_is_refused(row: dict[str, object], message: str) -> None:
    """With a message that says what there is; an alias of a tariff is fine."""
    if not message:
        assert Site.model_validate({"name": "a", **row})
        return
    with pytest.raises(ValidationError, match=message):
        Site.model_validate({"name": "a", **row})


def test_a_site_stands_once() -> None:
    """Two rows of one name contradict each other."""
    with pytest.raises(ValidationError, match="'a' is there 2 times"):
        Plant.model_validate({"site": [{"name": "a"}, {"name": "a"}]})
