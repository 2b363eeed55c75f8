"""The command that shows how one gateway bears many, at a small scale."""

import pytest

from benchmarks.scale.files import SPARE, Sizes, fitting
from benchmarks.scale.refusals import refusals
from benchmarks.scale.soak import Rest, Soak, soak
from benchmarks.scale.standing import waiting


def test_five_hundred_clients_leave_nothing_behind() -> None:
    """They finish, break off, leave while they wait and send half a request, while the limits change: at rest
    no slot is held, every request is accounted for, and none ended with an internal error.
    """
    found = soak(seconds=3.0, clients=500, rest_every_s=1.5)
    assert found.rests
    assert not [fault for fault in found.faults if "memory" not in fault]
    kinds = {how.partition(":")[0] for how in found.how}
    assert kinds == {"whole", "streamed", "left in the stream", "left waiting", "half a request"}
    assert {how.rpartition(" ")[2] for how in found.how} >= {"200", "left"}


def test_a_queue_fills_and_empties_in_every_way() -> None:
    """By leaving, by a limit that changes and by a signal; each row says how many there were."""
    rows = list(waiting(300, 0.2))
    assert {row.event: row.count for row in rows if row.count < 300} == {
        "PUT /admin/limits: all have waited too long": 200
    }
    assert {"SIGTERM: all are refused", "PUT /admin/limits: all have waited too long"} < {
        row.event for row in rows
    }


def test_all_of_a_storm_are_refused() -> None:
    """And the streams beside it go on."""
    found = refusals(500.0, 0.5, 1)
    assert found.per_s > 0
    assert len(found.gaps_ms) == len(found.gaps_alone_ms) == 1


def test_sizes_fit_the_open_files() -> None:
    """A stream is two files, connections are three quarters of all, and a sentence names what is less."""
    asked = Sizes(10_000, 20_000, 100_000)
    assert fitting(asked, 1 << 20) == (
        asked,
        "1,048,576 open files are allowed here (ulimit -n), enough for all.",
    )
    fits, sentence = fitting(asked, 20_000)
    assert fits == Sizes((20_000 - SPARE) // 2, 15_000 - SPARE, 15_000 - SPARE)
    assert "9,900 of 10,000 streams" in sentence
    assert "of 20,000 idle connections" in sentence


def test_growth_is_seen() -> None:
    """A soak that gains memory at every rest says so; one that gained it at its beginning does not."""
    grows = Soak(rests=[Rest(at_s, 1, 80 + at_s, 20) for at_s in range(30)])
    grows.judge()
    assert len(grows.faults) == 1
    steady = Soak(rests=[Rest(at_s, 1, 60 + min(20, 4 * at_s), 20) for at_s in range(30)])
    steady.judge()
    assert not steady.faults


@pytest.mark.prove
def test_an_hour_of_churn() -> None:
    """No growth, no leaked slot."""
    found = soak(seconds=3600.0, clients=300, rest_every_s=20.0)
    print(found.text())
    assert not found.faults
