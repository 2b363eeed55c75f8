"""`QUEUE_ORDER=edf` through the real gateway: who says when a request is due, and who is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.admission import Admission
from gateway.lane import Lane, Lanes, PriorityClass
from gateway.lane_book import within_s
from gateway.limits import Limits, QueueOrder
from gateway.ticket import RequestFacts
from tests.gateway.process import until
from tests.gateway.scripted_engine import ScriptedEngine
from tests.gateway.stand import SERVED, Raw, post
from tests.gateway.with_lanes import BOB, FRONT, LANES, gateway_with

ALICE_BATCH = 'name = "alice"\nclass = "batch"'
DUE = LANES.replace(ALICE_BATCH, f"{ALICE_BATCH}\nwithin_s = 30")
DUE = DUE.replace('name = "bob"', 'name = "bob"\nwithin_s = 5.0')
AS_ALICE = {"authorization": FRONT, "x-headroom-tenant": "alice"}
# In order of arrival: what is sent, and its place in the order of service.
SENT = [
    ("nobody says", {}, 5),
    ("its lane: 30 s", AS_ALICE, 3),
    ("its lane: 5 s", {"authorization": BOB}, 1),
    ("not believed: 5 s", {"authorization": BOB, "x-headroom-within-s": "0.001"}, 2),
    ("a trusted client: 2 s", {"authorization": FRONT, "x-headroom-within-s": "2"}, 0),
    ("no number: 30 s", {**AS_ALICE, "x-headroom-within-s": "soon"}, 4),
]


def _head(fields: dict[str, str]) -> list[str]:
    said = {"x-headroom-class": "batch", **fields}
    said["authorization"] = f"Bearer {fields.get('authorization', '-')}"
    return [f"{name}: {value}" for name, value in said.items()]


def test_who_is_due_first_is_served_first(engine: ScriptedEngine, tmp_path: Path) -> None:
    """A trusted client's word goes before what the lane says; anybody else's counts nothing, and the engine
    hears of none.
    """
    lanes = DUE + '[[tenant]]\nname = "front"\nclass = "batch"\n'
    settings = {"queue_order": "edf", "max_active": 1}
    with gateway_with(engine, tmp_path, lanes, **settings) as running:
        clients = [Raw(running.port)]
        clients[0].send(post({"user": "first", "script": [["gate", "go"], *SERVED]}, *_head({})))
        until(lambda: len(engine.seen) == 1, 5, "one runs")
        for k, (name, fields, _) in enumerate(SENT):
            clients.append(Raw(running.port))
            clients[-1].send(post({"user": name, "script": SERVED}, *_head(fields)))
            until(lambda: running.state()["queued"] == k + 1, 5, f"{k + 1} wait")  # noqa: B023
        engine.open_gate("go")
        assert [client.answer()[0] for client in clients] == [200] * len(clients)
        for client in clients:
            client.close()
    served = [seen.fields["user"] for seen in engine.seen[1:]]
    assert served == [name for name, _, _ in sorted(SENT, key=lambda one: one[2])]
    assert not [seen for seen in engine.seen if "x-headroom-within-s" in seen.headers]


def test_a_lane_says_when_its_requests_are_due() -> None:
    """In the core, so that the twin has it too; what a request says itself stands."""
    lanes = Lanes((PriorityClass("c"),), (Lane("a", "c", within_s=4.0), Lane("b", "c")))
    core = Admission(Limits(max_active=1, queue_order=QueueOrder.EDF), lanes=lanes)
    due_s = [
        core.offer(1.0, request=RequestFacts(lane=lane, due_s=said_s)).request.due_s
        for lane, said_s in (("a/c", float("inf")), ("a/c", 2.0), ("b/c", float("inf")))
    ]
    assert due_s == [5.0, 2.0, float("inf")]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"2.5", 2.5), *[(told, None) for told in (b"0", b"-1", b"nan", b"1e9", b"", b"\xff")]],
)
def test_what_is_no_time_is_none(value: bytes, seconds: float | None) -> None:
    assert within_s(value) == seconds
