"""Steps of an engine in virtual time as its clients see them."""

from __future__ import annotations

import numpy as np

from experiments.speed.steps import Steps
from experiments.twin.simulated import Simulated


def seen_steps(done: Simulated, egress_s: float) -> Steps:
    """From the log of a simulation whose steps were taken one by one: times and composition, as `steps_of`
    finds them in the chunks of that simulation's streams."""
    log = done.step_log
    assert log is not None
    assert np.all(log["count"] == 1)
    now, before = log[1:], log[:-1]
    end_s, begin_s = now["end_s"] + egress_s, before["end_s"] + egress_s
    granted_s = np.sort(done.granted_s[np.isfinite(done.granted_s)])
    passed = np.searchsorted(granted_s, np.array([begin_s, end_s]), side="right").astype(float)
    steps = Steps(
        end_s=end_s,
        seconds=end_s - begin_s,
        decoded=now["decoded"].astype(float),
        first=now["first"].astype(float),
        prompt=now["prompt"].astype(float),
        pairs=now["pairs"].astype(float),
        context=(now["context"] + now["prompt"]).astype(float),
        arrived=passed[1] - passed[0],
        ended=before["ended"].astype(float),
    )
    return steps.where(steps.decoded > 0)
