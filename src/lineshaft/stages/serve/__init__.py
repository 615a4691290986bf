"""Serve: a fleet of engine instances, request by request; from it one replica's curve against load.

What is asked, and of what:
    requests.py      Requests: every request as one table
    clients.py       open and closed loops, traces; sessions.py: turns and agents; draws.py: numbers
    deployment.py    Layout, Scheduler, Pool, Fleet, failures, autoscaling

How long a step takes, and what fits:
    work.py          what a step asks of arithmetic, memory and links, and the terms of its time
    coefficients.py  efficiencies and overheads by class of accelerator and engine, error bars
    steptime.py      StepTimes: the time of every step, ready for the event loop
    optables.py      or from operator tables (Vidur, LLMServingSim, `measure`); opsteps.py puts them
                     together
    memory.py        what the weights leave for the KV cache; which layouts divide a model
    breakdown.py     one step's time and memory, term by term

What happens:
    fleet.py         simulate: what happens to every request; kernels/ is its event loop
    latency.py       TTFT, TPOT, ITL, E2E as each tool defines them; service levels
    cost.py          dollars and energy by token; accounting.py: a fleet's day

For the line and for users:
    engine.py        characterise: rates up to and beyond the service level become a `ServeCurve`
    model.py         the month
    calibrate.py     coefficients from one's own points; measure.py: times of one's own accelerator

Equations: step time as in `work`; TTFT = first token - arrival + API time; TPOT = (E2E - TTFT) /
(output tokens - 1), undefined for one token; a step's time belongs to prompts, cached prompts and
answers by the Shapley value of its shared part. Sources: vLLM's v1 scheduler
(github.com/vllm-project/vllm), Sarathi-Serve (OSDI 2024) and Vidur (MLSys 2024), SGLang
(github.com/sgl-project/sglang), BLIS (github.com/inference-sim/inference-sim), Splitwise (ISCA
2024), DeepSeek open-infra-index day 6.
"""

from lineshaft.stages.serve.accounting import DEEPSEEK_DAY, FleetDay, cost_usd, nodes, revenue_usd
from lineshaft.stages.serve.deployment import Fleet, Layout, Pool, Scheduler
from lineshaft.stages.serve.engine import ServeInputs, Split, characterise
from lineshaft.stages.serve.fleet import Outcome, Totals, simulate
from lineshaft.stages.serve.memory import kv_capacity_tokens
from lineshaft.stages.serve.requests import Requests
from lineshaft.stages.serve.steptime import FITTED, Coefficients, StepTimes, step_times

__all__ = [
    "DEEPSEEK_DAY",
    "FITTED",
    "Coefficients",
    "Fleet",
    "FleetDay",
    "Layout",
    "Outcome",
    "Pool",
    "Requests",
    "Scheduler",
    "ServeInputs",
    "Split",
    "StepTimes",
    "Totals",
    "characterise",
    "cost_usd",
    "kv_capacity_tokens",
    "nodes",
    "revenue_usd",
    "simulate",
    "step_times",
]
