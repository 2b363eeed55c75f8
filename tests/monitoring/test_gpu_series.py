"""The GPU's series of a sweep, asked of promtool: cards with and without MIG instances, several cards."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from experiments.observe.gpu_series import GPU_SERIES

MIB = 2**20
MIG = {
    'DCGM_FI_DEV_FB_USED{instance="g", gpu="0"}': 48000,
    'DCGM_FI_DEV_FB_USED{instance="g", gpu="0", GPU_I_ID="1"}': 38000,
    'DCGM_FI_DEV_FB_USED{instance="g", gpu="0", GPU_I_ID="2"}': 10000,
    'DCGM_FI_DEV_GPU_UTIL{instance="g", gpu="0"}': 0,
    'DCGM_FI_PROF_GR_ENGINE_ACTIVE{instance="g", gpu="0", GPU_I_ID="1"}': 0.93,
    'DCGM_FI_PROF_GR_ENGINE_ACTIVE{instance="g", gpu="0", GPU_I_ID="2"}': 0.1,
    'DCGM_FI_DEV_SM_CLOCK{instance="g", gpu="0", GPU_I_ID="1"}': 1410,
    'DCGM_FI_DEV_SM_CLOCK{instance="g", gpu="0", GPU_I_ID="2"}': 1410,
    'DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{instance="g", gpu="0", GPU_I_ID="1"}': 0x4,
    'DCGM_FI_DEV_CLOCKS_EVENT_REASONS{instance="g", gpu="0", GPU_I_ID="1"}': 0x4,
}
TWO_CARDS = {
    'DCGM_FI_DEV_FB_USED{instance="g", gpu="0"}': 22000,
    'DCGM_FI_DEV_FB_USED{instance="g", gpu="1"}': 300,
    'DCGM_FI_DEV_GPU_UTIL{instance="g", gpu="0"}': 98,
    'DCGM_FI_DEV_GPU_UTIL{instance="g", gpu="1"}': 0,
    'DCGM_FI_DEV_CLOCKS_EVENT_REASONS{instance="g", gpu="0"}': 0x40,
    'DCGM_FI_DEV_CLOCKS_EVENT_REASONS{instance="g", gpu="1"}': 0x1,
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            MIG,
            {
                "gpu_use_ratio": 0.93,
                "gpu_memory_used_bytes": 38000 * MIB,
                "gpu_clock_hz": 1.41e9,
                "gpu_power_cap": 1,
                "gpu_thermal_slowdown": 0,
            },
        ),
        (
            TWO_CARDS,
            {"gpu_use_ratio": 0.98, "gpu_memory_used_bytes": 22300 * MIB, "gpu_thermal_slowdown": 1},
        ),
    ],
    ids=["MIG instances", "two cards"],
)
def test_the_instance_and_the_card_that_work_are_seen(
    promtool: str, tmp_path: Path, given: Mapping[str, float], expected: Mapping[str, float]
) -> None:
    """A neighbour that idles makes neither a busy card idle nor a full one empty; no card counts twice."""
    case = {
        "interval": "1s",
        "input_series": [{"series": name, "values": f"{value}x20"} for name, value in given.items()],
        "promql_expr_test": [
            {"expr": GPU_SERIES[name], "eval_time": "10s", "exp_samples": [{"labels": "{}", "value": value}]}
            for name, value in expected.items()
        ],
    }
    path = tmp_path / "gpu.test.yml"
    path.write_text(yaml.safe_dump({"tests": [case]}))
    done = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
