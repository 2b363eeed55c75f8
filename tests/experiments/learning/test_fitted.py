"""The model that is fitted to a recording alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.errors import UserError
from experiments.learning import fitted, production
from experiments.learning.fitted import EngineBounds, learn, played_again
from experiments.learning.windows import rows_of
from loadtests.traffic.traffic import Traffic
from tests.experiments.learning.small import PRESENT, TRUE, recording

BOUNDS = EngineBounds(max_num_seqs=64)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return recording()


def test_the_law_of_steps_comes_out_of_whole_answers(traffic: Traffic) -> None:
    """No chunk times are recorded, and the twin's steps are found within 5 %, those of batches twice as large
    as any that was seen within 10 %; what a request costs outside of them within a millisecond or two."""
    seen = production.of(traffic, "production")
    learned = learn(seen, BOUNDS, draws=30)
    found, true = learned.profile.step_time, TRUE.step_time
    for decode, prompt in ((1, 0), (4, 0), (8, 0), (16, 0), (4, 300), (8, 300)):
        context = 250 * decode + prompt
        ours, theirs = (law.duration_s(decode, decode + prompt, context) for law in (found, true))
        assert ours == pytest.approx(theirs, rel=0.1 if decode > 8 else 0.05), (decode, prompt)
    assert learned.profile.ingest_s == pytest.approx(TRUE.ingest_s + TRUE.egress_s, abs=0.002)
    assert learned.gate.passed, learned.gate.why
    assert learned.fit.low["base_s"] <= learned.fit.values["base_s"] <= learned.fit.high["base_s"]
    again = played_again(seen, learned.profile, PRESENT.limits)
    assert all(abs(one.error) < 0.1 for one in again.values()), again


def test_one_concurrency_tells_nothing() -> None:
    """Eight run all the time: the cost of a step and of a sequence trade places."""
    steady = recording(mean_per_s=20.0, depth=0.0)
    busy = steady.arrived_unix_s - steady.arrived_unix_s[0] > 60
    kept = production.of(steady, "production").where(busy)
    with pytest.raises(UserError, match=r"only one concurrency was seen: .* 7\.\d to 7\.9 sequences"):
        learn(kept, BOUNDS, draws=0)


def test_answers_in_one_piece_tell_no_step(traffic: Traffic) -> None:
    """Without streams there is no first token to count from."""
    none = np.full(len(traffic), np.nan)
    with pytest.raises(UserError, match=r"0 of \d+ requests \(0 of them answered as a stream\)"):
        learn(production.of(replace(traffic, first_s=none, last_s=none), "production"), BOUNDS, draws=0)


def test_an_engine_that_changed_is_refused(traffic: Traffic) -> None:
    """What was not fitted took half as long again as the model says: the gate sees it."""
    seen = production.of(traffic, "production")
    place = (fitted.BLOCKS * seen.arrival_s / seen.span_s).astype(int)
    later = place % fitted.HELD_OUT_EVERY == fitted.HELD_OUT
    last_s = np.where(later, seen.first_s + 1.5 * (seen.last_s - seen.first_s), seen.last_s)
    learned = learn(replace(seen, last_s=last_s), BOUNDS, draws=0)
    assert not learned.gate.passed
    assert "e2e_s_p95 of the hours that were not fitted is off" in learned.gate.why


def test_a_window_counts_what_was_in_it(traffic: Traffic) -> None:
    """All tokens but the first of each answer are decoded in some window's steps, by as many sequences as had
    a slot."""
    rows = rows_of(production.of(traffic, "production")).windows
    beside = np.array([row.decoded / row.steps for row in rows])
    assert beside.min() >= 0.99
    assert beside.max() <= PRESENT.limits.max_active + 0.01
    assert all(row.prompt >= row.prompts for row in rows)
