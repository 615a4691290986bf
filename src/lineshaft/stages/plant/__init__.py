"""Plant: what a site draws and drinks so that its IT load can run, in its own weather.

What comes out first: `characterise(inputs) -> PlantCurve`, losses, cooling and water per IT energy
by month and load, the worst hour's share and the share of the design power that can be cooled in
it. `facility_power(size_plant(inputs), it_w, dry_c, wet_c)` asks the same plant for any hours.

Equations, each in the file that holds it:

- `electrical`: loss = rated (c0 + c1 x + c2 x^2) per converter, redundant ones sharing the load.
- `loops`: m = Q / (cp dT), counter-flow eps-NTU, Q = kA LMTD, pump = dp m / (rho eta) with
  dp ~ m^2.
- `cooling`: fans f = x (D0/D)^(5/3) and power ~ f^3 for dry coolers and towers (Merkel's driving
  enthalpy); chillers with a share of the Carnot COP; evaporation from the air's moisture balance,
  blowdown from the cycles of concentration.
- `psychrometrics`: Buck (1981, 1996) and Stull (2011). `weather`: typical days from monthly
  normals.

Sources: ASHRAE Fundamentals (2009) and Standard 90.1 (fans, chillers), 10 CFR 431.196
(transformers), Stull (2011), Buck (1981), Braun, Klein and Mitchell (1989),
Zukauskas (1972), ExaDigiT/RAPS (`frontier`), the NIST Chemistry WebBook (water).

Validated against: RAPS's idle and peak of Frontier (to its printed digits) and Frontier's measured
HPL power (+0.2 % without CDUs); the TESPy network of a 120 kW rack (flows, kA and pump to 0.1 %);
NREL ESIF's measured PUE of 1.036-1.04 (NREL/PR-2C00-70433; 1.027-1.042 here at half to full load)
and its water of about 1.08 L/kWh (1.42 here).

Limits: the loops are steady and hold their supply temperatures at every load; no heat reuse, no
thermal storage, no fouling; wet bulbs are those of sea level; cost, energy sourcing and batteries
are not here.
"""

from lineshaft.stages.plant.cooling import REJECTIONS, Coolers, Rejection
from lineshaft.stages.plant.electrical import (
    DISTRIBUTION,
    RECTIFIER,
    TRANSFORMER,
    UPS,
    Converter,
)
from lineshaft.stages.plant.engine import (
    LOADS,
    Plant,
    PlantHour,
    PlantInputs,
    annual_pue,
    annual_wue_l_per_kwh,
    characterise,
    facility_power,
    facility_w_per_accelerator,
    size_plant,
)
from lineshaft.stages.plant.frontier import FrontierPower, frontier_power
from lineshaft.stages.plant.weather import Climate, Weather, typical_year, worst_hours

__all__ = [
    "DISTRIBUTION",
    "LOADS",
    "RECTIFIER",
    "REJECTIONS",
    "TRANSFORMER",
    "UPS",
    "Climate",
    "Converter",
    "Coolers",
    "FrontierPower",
    "Plant",
    "PlantHour",
    "PlantInputs",
    "Rejection",
    "Weather",
    "annual_pue",
    "annual_wue_l_per_kwh",
    "characterise",
    "facility_power",
    "facility_w_per_accelerator",
    "frontier_power",
    "size_plant",
    "typical_year",
    "worst_hours",
]
