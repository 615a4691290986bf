"""Stage `train`: how fast a model trains here, on which layout, and how well despite failures.

    layouts.py      parallel layouts and their enumeration
    memory.py       bytes on the fullest accelerator
    step.py         time of a step, part by part
    efficiency.py   fitted coefficients per accelerator generation and precision
    software.py     what the training framework does
    reliability.py  failures, checkpoints, effective training time ratio
    capability.py   what a run adds to a model's time horizon
    engine.py       characterise: search, memory, step, ETTR -> TrainCurve

Equations: Narayanan et al. (SC21, arXiv:2104.04473) for pipelines, Korthikanti et al.
(arXiv:2205.05198) for activations, Rajbhandari et al. (arXiv:1910.02054) for sharding, Daly (2006)
and Kokolis et al. (arXiv:2410.21680) for failures. Validated against published step times on A100,
H100 and Blackwell (see efficiency.py). Not modelled: offload, ZeRO-3 inside a pipeline, zero-bubble
schedules, stragglers, congestion between jobs; power is a low-confidence estimate.
"""

from lineshaft.stages.train.capability import HORIZON_CAP_S, release_log2_horizon
from lineshaft.stages.train.efficiency import Efficiency, efficiency_for
from lineshaft.stages.train.engine import TrainInputs, characterise, fitting
from lineshaft.stages.train.layouts import Layouts, enumerate_layouts, layout
from lineshaft.stages.train.memory import Memory, memory
from lineshaft.stages.train.reliability import (
    ettr_approximate,
    ettr_best,
    ettr_exact,
    failure_rate_per_s,
    mttf_s,
    optimal_interval_s,
    young_interval_s,
)
from lineshaft.stages.train.software import FSDP, MEGATRON_2021, MEGATRON_2022, MODERN, Software
from lineshaft.stages.train.step import PARTS, Step, step_time

__all__ = [
    "FSDP",
    "HORIZON_CAP_S",
    "MEGATRON_2021",
    "MEGATRON_2022",
    "MODERN",
    "PARTS",
    "Efficiency",
    "Layouts",
    "Memory",
    "Software",
    "Step",
    "TrainInputs",
    "characterise",
    "efficiency_for",
    "enumerate_layouts",
    "ettr_approximate",
    "ettr_best",
    "ettr_exact",
    "failure_rate_per_s",
    "fitting",
    "layout",
    "memory",
    "mttf_s",
    "optimal_interval_s",
    "release_log2_horizon",
    "step_time",
    "young_interval_s",
]
