"""Dollars and joules of a simulated deployment."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from lineshaft.catalog.loader import Row
from lineshaft.serve.fleets import Deployment, rent_usd_per_h
from lineshaft.serve.instance import Instance
from lineshaft.serve.run import Outcome
from lineshaft.stages.serve.cost import J_PER_KWH, Bill, Machines, Use, bill
from lineshaft.units import format_quantity


def billed(deployed: Deployment, out: Outcome, steady: bool, prices: Mapping[str, float]) -> Bill:
    """What the run cost and drew.

    At a steady rate one pool is billed for the measured window, so that neither filling nor
    draining counts; everything else for the whole run.
    """
    if steady and deployed.decode is None:
        service_s = max(out.window_s * deployed.instances, out.window_totals.busy_s)
        return bill([Use(_machines(deployed.one, prices), out.window_totals, service_s)])
    cut = deployed.instances
    parts = [(deployed.one, out.by_instance[:cut], out.service_s[:cut])]
    if deployed.decode is not None:
        parts.append((deployed.decode, out.by_instance[cut:], out.service_s[cut:]))
    uses = []
    for one, sums, service in parts:
        totals = type(out.totals)._make(np.sum(sums, axis=0).tolist())
        service_s = max(float(service.sum()), totals.busy_s)
        uses.append(Use(_machines(one, prices), totals, service_s))
    return bill(uses)


def usd_per_h(deployed: Deployment, prices: Mapping[str, float]) -> float:
    """Rent of all accelerators of the deployment."""
    parts = [(deployed.one, deployed.instances)]
    if deployed.decode is not None:
        parts.append((deployed.decode, deployed.decode_instances))
    return math.fsum(
        one.accelerators * count * rent_usd_per_h(one.row, prices) for one, count in parts
    )


def per_mtok(made: Bill, usd_h: float) -> dict[str, float]:
    """USD per million tokens: all, input, cached, output; nan where the rent is not known."""
    found = {"all": made.usd_per_mtok_all} | made.usd_per_mtok._asdict()
    return dict.fromkeys(found, math.nan) if math.isnan(usd_h) else found


def energy(made: Bill) -> dict[str, float]:
    """Joules by phase, and kWh per million tokens; accelerators and hosts, without the site."""
    kwh = {f"{phase}_kwh": joules / J_PER_KWH for phase, joules in made.energy_j._asdict().items()}
    return kwh | {
        "kwh_per_mtok": made.kwh_per_mtok_all,
        "kwh_per_mtok_output": made.kwh_per_mtok_output,
    }


def price_source(row: Row, prices: Mapping[str, float]) -> str:
    """The hourly price of one accelerator, and where it comes from."""
    price = rent_usd_per_h(row, prices)
    if math.isnan(price):
        return "no rent is known: give one with --price NAME=USD"
    listed = row["rent_usd_per_h"]
    basis = row.text("rent_basis") if listed == price else "as given"
    return f"{format_quantity(price, 'USD')} an hour per accelerator ({basis})"


def _machines(one: Instance, prices: Mapping[str, float]) -> Machines:
    row = one.row
    rent = rent_usd_per_h(row, prices)  # nan where none is known: see `per_mtok`
    power_w = row.number("power_w")
    it_w = row["it_w_per_accelerator"]
    return Machines(
        accelerators=one.accelerators,
        usd_per_accelerator_h=0.0 if math.isnan(rent) else rent,
        accelerator_w=power_w,
        idle_share=row.number("idle_share"),
        host_w=max(it_w - power_w, 0.0) if isinstance(it_w, float) else 0.0,
    )
