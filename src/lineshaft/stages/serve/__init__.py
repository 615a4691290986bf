"""Serve: one engine instance, request by request; from it one replica's curve against load.

    engine.py      characterise: rates up to and beyond the service level become a `ServeCurve`
    simulate.py    simulate: what happens to every request of a trace
    kernel.py      the event loop (vLLM v1 rules, paged KV, preemption, prefix cache)
    steptime.py    the time of a step: roofline with few learned coefficients
    memory.py      what the weights leave for the KV cache
    accounting.py  a fleet's day in tokens, nodes and dollars

Equations: step time as in `steptime`; TTFT = first token - arrival + API time; TPOT = (E2E -
TTFT) / (output tokens - 1), undefined for one token; a step's time belongs to prompts, cached
prompts and answers by the Shapley value of its shared part. Sources: vLLM's v1 scheduler
(github.com/vllm-project/vllm), BLIS (github.com/inference-sim/inference-sim), Splitwise (ISCA
2024), DeepSeek open-infra-index day 6.

Limits: one instance with tensor parallelism inside one scale-up domain; no pipeline, expert or
attention data parallelism, no split of prompts and answers over pools, no speculative decoding;
prefix blocks come from the trace, answers do not enter the prefix cache. Fit and errors:
`steptime.FITTED.fitted_on`.
"""

from lineshaft.stages.serve.accounting import DEEPSEEK_DAY, FleetDay, cost_usd, nodes, revenue_usd
from lineshaft.stages.serve.engine import ServeInputs, characterise
from lineshaft.stages.serve.memory import kv_capacity_tokens
from lineshaft.stages.serve.simulate import Scheduler, Simulated, Totals, simulate
from lineshaft.stages.serve.steptime import FITTED, Coefficients, StepTimes, step_times

__all__ = [
    "DEEPSEEK_DAY",
    "FITTED",
    "Coefficients",
    "FleetDay",
    "Scheduler",
    "ServeInputs",
    "Simulated",
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
