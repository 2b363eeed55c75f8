"""What the witness adds to a cell: its series beside those of Prometheus, and doubts."""

from __future__ import annotations

import pandas as pd

from experiments.observe.gpu_series import GPU_SERIES
from experiments.observe.witness.account import Watched
from experiments.observe.witness.seen import CoresSeen, Witness
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from loadtests.planning.plan import Plan

_ENGINE_CORES_OTHERS = 0.05
"""Share of the engine's cores from which the work of others is named. Where nothing else is running, system
services and the kernel's own threads take 0 to 2 %."""
_HARNESS_CORES_OTHERS = 0.2
"""The same of gateway and load generator, which leave most of their cores idle."""
_THROTTLED = 0.01
_SWAPPED_BYTES_PER_S = 2**20
_GPU_OTHERS_BYTES = 2**26


def together(
    series: pd.DataFrame, watched: Watched | None, began_unix_s: float, plan: Plan
) -> tuple[pd.DataFrame, Witness | None]:
    """The cell's series with those of the witness, and what it says of the measured window. Where an exporter
    tells of the GPU, its series stay alone: those of one source can be held against each other."""
    if watched is None:
        return series, None
    seen = watched.series(began_unix_s)
    if series["metric"].isin(GPU_SERIES).any():
        seen = seen[~seen["metric"].isin(GPU_SERIES)]
    start_s, end_s = plan.phase_s("measure")
    witness = watched.witness(began_unix_s + start_s, began_unix_s + end_s)
    return pd.concat(
        [frame for frame in (series, seen) if len(frame)] or [series], ignore_index=True
    ), witness


def doubts(witness: Witness | None) -> list[Doubt]:
    """What of the machine a reader of the numbers has to know; none of it spoils a cell by itself."""
    if witness is None:
        return []
    engine, harness = witness.engine_cores, witness.harness_cores
    apart = engine is None or harness is None or engine.cores != harness.cores
    return [
        *_of_cores(engine, "the engine's", _ENGINE_CORES_OTHERS),
        *_of_cores(harness if apart else None, "the gateway's and load generator's", _HARNESS_CORES_OTHERS),
        *_of_quota(witness),
        *_of_gpu(witness),
    ]


def _of_cores(cores: CoresSeen | None, whose: str, most: float) -> list[Doubt]:
    if cores is None or cores.others_ratio is None or cores.others_ratio < most:
        return []
    text = (
        f"other programs took {cores.others_ratio:.0%} of {whose} CPU time ({_named(cores.cores)}) in the "
        "measured window: end them, or measure when the machine is quiet"
    )
    return [Doubt(DoubtCode.OTHERS_BUSY, Severity.WARN, text)]


def _named(cores: tuple[int, ...]) -> str:
    return f"core {cores[0]}" if len(cores) == 1 else f"{len(cores)} cores"


def _of_quota(witness: Witness) -> list[Doubt]:
    found = []
    throttled, swapped = witness.cgroup_throttled_ratio, witness.swap_bytes_per_s
    if throttled is not None and throttled > _THROTTLED:
        text = (
            f"the CPU quota of this container or service was used up in {throttled:.0%} of the window: raise "
            "it, or what was measured is the quota"
        )
        found.append(Doubt(DoubtCode.CPU_THROTTLED, Severity.WARN, text))
    if swapped is not None and swapped > _SWAPPED_BYTES_PER_S:
        text = f"the machine swapped {swapped / 2**20:.1f} MiB/s: give it more memory, or end what holds it"
        found.append(Doubt(DoubtCode.SWAPPING, Severity.WARN, text))
    return found


def _of_gpu(witness: Witness) -> list[Doubt]:
    card = witness.gpu
    if card is None:
        return []
    found = []
    held_bytes = card.others_memory_bytes or 0.0
    if card.others and held_bytes >= _GPU_OTHERS_BYTES:
        text = (
            f"{card.others} other process{'es' if card.others > 1 else ''} computed on GPU {card.index} "
            f"({card.name}) and held {held_bytes / 2**20:.0f} MiB of it: nvidia-smi names them; end them and "
            "measure again"
        )
        found.append(Doubt(DoubtCode.GPU_OTHERS, Severity.WARN, text))
    limit_w, default_w = card.power_limit_w, card.power_limit_default_w
    if limit_w is not None and default_w is not None and limit_w < 0.99 * default_w:
        text = (
            f"the power of GPU {card.index} is limited to {limit_w:.0f} W, {default_w:.0f} W by default: the "
            "numbers hold for this limit (nvidia-smi -pl)"
        )
        found.append(Doubt(DoubtCode.GPU_POWER_LIMIT, Severity.INFO, text))
    return found
