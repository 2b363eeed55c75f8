"""What a token takes, from the chunks of one probe."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.drift.prober import token_time_s


def test_others_prompts_between_its_steps_do_not_count() -> None:
    """64 tokens of 10 ms, every third of 80 ms, since somebody's prompt was in that step."""
    gaps_s = np.where(np.arange(63) % 3 == 2, 0.080, 0.010)
    assert token_time_s(np.cumsum(gaps_s).tolist()) == pytest.approx(0.010)


def test_chunks_that_come_together_are_counted_by_their_mean() -> None:
    """Two tokens a read: half of the gaps are nothing."""
    gaps_s = np.where(np.arange(64) % 2, 0.020, 0.0)
    assert token_time_s(np.cumsum(gaps_s).tolist()) == pytest.approx(0.010, rel=0.05)
    assert token_time_s([1.0, 1.01, 1.03]) == pytest.approx(0.015)
    assert token_time_s([1.0]) is None
    assert token_time_s([1.0, 1.0, 1.0]) is None
