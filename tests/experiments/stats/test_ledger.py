"""The ledger: both sides must have seen the same requests."""

from experiments.stats.ledger import checks
from gateway.outcome import Outcome as GatewayOutcome
from loadtests.outcome import Outcome


def _failing(client: dict[str, int], gateway: dict[str, float], planned: int | None = None) -> list[str]:
    recorded = sum(client.values())
    rows = checks(recorded if planned is None else planned, recorded, _counted(client), gateway)
    return [row.what for row in rows if not row.agrees]


def _counted(client: dict[str, int]) -> dict[Outcome, int]:
    return {Outcome(name): count for name, count in client.items()}


def test_what_both_sides_count_under_one_name_has_one_name() -> None:
    """The ledger compares `ok` and every shed outcome by name; gateway and load client share no code."""
    compared = {outcome.value for outcome in Outcome if outcome.shed} | {Outcome.OK.value}
    assert compared <= {outcome.value for outcome in GatewayOutcome}
    assert GatewayOutcome.CLIENT_ABORT.value not in set(Outcome)


def test_equal_counts_agree() -> None:
    """The usual case: every outcome one to one."""
    assert (
        _failing(
            {"ok": 7, "rejected_full": 3, "queue_timeout": 2},
            {"ok": 7, "rejected_full": 3, "queue_timeout": 2},
        )
        == []
    )


def test_one_rejection_too_few_is_a_fault() -> None:
    """Rejections are compared exactly: a lost one is a lost request."""
    assert _failing({"ok": 7, "rejected_full": 3}, {"ok": 8, "rejected_full": 2}) == ["rejected_full", "ok"]


def test_a_missing_record_is_a_fault() -> None:
    """Planned requests without a record would flatter every share."""
    assert _failing({"ok": 7}, {"ok": 7}, planned=8) == ["planned = recorded"]


def test_requests_that_never_left_are_not_expected_at_the_gateway() -> None:
    """`not_sent` and `connect_error` are the client's own."""
    assert _failing({"ok": 5, "not_sent": 2, "connect_error": 1}, {"ok": 5}) == []


def test_a_request_the_client_gave_up_on_may_have_finished_in_that_instant() -> None:
    """The difference is explained, not hidden."""
    rows = checks(6, 6, _counted({"ok": 4, "cut": 2}), {"ok": 5, "client_abort": 1})
    assert all(row.agrees for row in rows)
    assert any(row.explanation for row in rows)
    assert _failing({"ok": 4, "cut": 2}, {"ok": 7}) != []


def test_every_attempt_of_a_client_that_retries_is_one_arrival() -> None:
    """One record with two rejections before its answer is three requests to the gateway."""
    rows = checks(1, 1, _counted({"rejected_full": 2, "ok": 1}), {"rejected_full": 2, "ok": 1})
    assert all(row.agrees for row in rows)
