"""The plainest promises, through the real process."""

import json

from tests.gateway.process import gateway
from tests.gateway.scripted_engine import ScriptedEngine


def test_a_request_is_answered_whole_and_streamed(engine: ScriptedEngine) -> None:
    """Both forms come back with the version of the limits and the timing."""
    with gateway(engine.url) as running:
        status, headers, body = running.chat()
        assert status == 200
        assert json.loads(body)["choices"][0]["message"]["content"] == "hello"
        assert headers["x-gateway-limits-version"] == "1"
        assert headers["server-timing"].startswith("queue;dur=0.000, upstream;dur=")
        status, headers, body = running.chat(stream=True)
        assert status == 200
        assert headers["content-type"].startswith("text/event-stream")
        assert body.endswith(b"data: [DONE]\n\n")
        assert running.state()["outcomes"]["ok"] == 2


def test_an_idle_gateway_in_reject_mode_serves(engine: ScriptedEngine) -> None:
    """Reject mode refuses only those who find no free slot (the defect that began this project)."""
    with gateway(engine.url, queue_mode="reject") as running:
        assert running.chat()[0] == 200


def test_the_limits_change_live(engine: ScriptedEngine) -> None:
    """A change reads back with a new version; a bad one is refused, named, and changes nothing."""
    with gateway(engine.url) as running:
        assert running.limits(max_active=4, queue_max=0)["version"] == 2
        status, _, body = running.ask("PUT", "/admin/limits", {"max_active": 0})
        assert status == 400
        assert "max_active=0" in json.loads(body)["error"]["message"]
        assert json.loads(running.get("/admin/limits")[2])["max_active"] == 4
