"""Requests per second of Vidur's event loop (PyPI: vidur 0.0.26), step times given.

    PYTHON_WITH_VIDUR bench/peers/vidur_loop.py REQUESTS.csv [COUNT]

REQUESTS.csv holds arrived_at, prefill and decode of each request. The step-time model, whose
operator tables are not in the package, is replaced by an affine one that costs nothing, so what is
timed is scheduling and events alone, in Vidur's favour. Run by `bench/serve_fleet.py --vidur
PYTHON_WITH_VIDUR`.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("WANDB_MODE", "disabled")


def main() -> None:
    from vidur._native.entities import ExecutionTime
    from vidur.config import SimulationConfig
    from vidur.entities import Request
    from vidur.execution_time_predictor import ExecutionTimePredictorRegistry
    from vidur.request_generator import RequestGeneratorRegistry
    from vidur.simulator import Simulator

    source, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(count), strict=False)]

    class Affine:
        """Step time from the tokens of the batch, in ms a layer."""

        def __init__(self, *_: object, **__: object) -> None: ...

        def get_execution_time(self, batch: object, stage: int) -> ExecutionTime:
            tokens = batch.total_num_q_tokens  # type: ignore[attr-defined]
            return ExecutionTime(48, 0, 0, 0, 0, 0, 0, 0.6 + 0.0018 * tokens, *(0.0,) * 7)

    class Replay:
        def __init__(self, *_: object) -> None: ...

        def generate(self) -> list[Request]:
            return [
                Request(float(row["arrived_at"]), int(row["prefill"]), int(row["decode"]))
                for row in rows
            ]

    ExecutionTimePredictorRegistry.get = classmethod(lambda cls, *a, **k: Affine())
    RequestGeneratorRegistry.get = classmethod(lambda cls, *a, **k: Replay())
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = [
            "vidur",
            *("--replica_config_device", "a100"),
            *("--replica_config_network_device", "a100_pairwise_nvlink"),
            *("--replica_config_model_name", "codellama/CodeLlama-34b-Instruct-hf"),
            *("--replica_config_tensor_parallel_size", "2"),
            *("--replica_config_num_pipeline_stages", "1"),
            *("--cluster_config_num_replicas", "4"),
            *("--global_scheduler_config_type", "round_robin"),
            *("--replica_scheduler_config_type", "sarathi"),
            *("--sarathi_scheduler_config_chunk_size", "512"),
            "--no-metrics_config_write_metrics",
            "--no-metrics_config_enable_chrome_trace",
            *("--metrics_config_output_dir", folder),
        ]
        simulator = Simulator(SimulationConfig.create_from_cli_args())
        simulator._write_output = lambda: None
        began = time.perf_counter()
        simulator.run()
        seconds = time.perf_counter() - began
    print(json.dumps({"requests": len(rows), "seconds": seconds, "per_s": len(rows) / seconds}))


if __name__ == "__main__":
    main()
