"""Plan, simulate and sweep LLM serving deployments by name.

    from lineshaft import serve

    serve.simulate(model="Llama 3.1 70B", accelerator="H100", tp=4, rate=4)
    serve.plan(model="Llama 3.1 70B", rate=40, slo="ttft_p90=2s,tpot_p90=100ms")
    serve.sweep(model="Llama 3.1 70B", accelerator="H100", tp=4)
    serve.calibrate("points.csv")
    serve.measure("Llama 3.1 8B", "kernels.csv")

    verbs.py       the first three; `named.Named` lists their options; own.py: the others
    named.py       from options to traffic, service level and deployment
    traffic.py     who asks for what; instance.py, fleets.py: what serves; run.py: the event loop
    accuracy.py    how far off it may be, and what a calibration corrects
    simulation.py  one deployment's figures (result.py); curve.py: the same at many rates
    planning.py    candidates.py, bounds.py, search.py: the cheapest that holds; breaking.py: what
                   breaks first; flags.py: how to start it
    text.py        all of it for people

Names come from the catalog (`lineshaft catalog models`, `accelerators`). Nothing is printed.
"""

from lineshaft.serve.curve import Curve
from lineshaft.serve.own import calibrate, measure
from lineshaft.serve.planning import Plan
from lineshaft.serve.result import Result
from lineshaft.serve.verbs import plan, simulate, sweep

__all__ = ["Curve", "Plan", "Result", "calibrate", "measure", "plan", "simulate", "sweep"]
