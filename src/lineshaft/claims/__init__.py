"""The register of claims: what is said about the agency economy, and what the runs say to it.

    from lineshaft import claims

    for verdict in claims.judge(claims.read()):
        print(verdict)

A claim is data: a quote with its date and source, and one test. The tests are few:

    figure     a figure of a run in every draw, held against two conditions
    valuation  a claimed sum beside the reported one: unit slip, ratio, what must be true
    larger     a sum of money beside the cells of a catalog table
    require    what a target needs, joint by joint, beside what supply can reach
    cycle      the fastest change-over that supply allows, beside the claimed one

Verdicts are `supported`, `contradicted` and `undetermined`. They are statements about the shipped
scenarios and their sourced inputs, not about the world: each says which run it rests on, and the
register takes no side between a claimed figure and a reported one, it shows both.
"""

from __future__ import annotations

from lineshaft.claims.judge import Verdict, judge, summary
from lineshaft.claims.register import read
from lineshaft.scenario.register import Claim, Register

__all__ = ["Claim", "Register", "Verdict", "judge", "read", "summary"]
