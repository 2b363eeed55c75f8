"""Outcomes say how far a request came, and what answers count as."""

from __future__ import annotations

import pytest

from loadtests.outcome import Outcome, outcome_of_status, outcome_of_stream_error


def test_the_shed_ones_are_those_that_protect_the_rest() -> None:
    """Errors, broken streams and the client's own endings are not shedding."""
    assert {outcome.value for outcome in Outcome if outcome.shed} == {
        "rejected_full", "rejected_mode", "over_budget", "queue_timeout", "draining", "upstream_overloaded",
    }  # fmt: skip


def test_only_what_was_sent_over_a_connection_arrived() -> None:
    """The rest never reached the gateway."""
    assert {outcome.value for outcome in Outcome if not outcome.arrived} == {"not_sent", "connect_error"}


def test_a_slot_is_held_by_whatever_admission_let_pass() -> None:
    """Overload of the engine, breaks and hang-ups come after admission; refusals before."""
    assert {outcome.value for outcome in Outcome if outcome.held_a_slot} == {
        "ok", "upstream_error", "upstream_timeout", "upstream_overloaded", "truncated", "client_timeout",
        "cancelled", "cut",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "word", "outcome"),
    [
        (429, "rejected_mode", Outcome.REJECTED_MODE),
        (429, "over_budget", Outcome.OVER_BUDGET),
        (429, None, Outcome.REJECTED_FULL),
        (503, "queue_timeout", Outcome.QUEUE_TIMEOUT),
        (503, None, Outcome.UPSTREAM_OVERLOADED),
        (504, None, Outcome.UPSTREAM_TIMEOUT),
        (500, "a word of tomorrow", Outcome.UPSTREAM_ERROR),
        (404, None, Outcome.REFUSED),
    ],
)
def test_the_gateways_word_counts_before_the_status(status: int, word: str | None, outcome: Outcome) -> None:
    """A bare engine has no word; a word that is unknown here is no word."""
    assert outcome_of_status(status, word) is outcome


def test_an_error_event_without_a_known_code_is_the_engines() -> None:
    """The status was 200 by then."""
    assert outcome_of_stream_error("queue_timeout") is Outcome.QUEUE_TIMEOUT
    assert outcome_of_stream_error(None) is Outcome.UPSTREAM_ERROR
