"""Sweeping a gateway that somebody else runs, through its admin API."""

import json
from contextlib import closing
from pathlib import Path

from experiments.observe.gateway_admin import GatewayAdmin
from experiments.stack import engine, gateway
from tests.experiments import sweeping

FLAGS = (
    *("--max-active", "3", "--queue-mode", "queue", "--load", "sustained@0.6x", "--slo", "ttft<=1s"),
    *("--design", "grid", "--measure", "4s", "--warm-up", "1s", "--min-requests", "10", "--quiet"),
)


def test_a_running_gateway_is_swept_and_gets_its_limits_back(tmp_path: Path) -> None:
    """The sweep starts neither gateway nor engine, and leaves the gateway as it found it."""
    with (
        engine.running(engine.choose("emulator"), log_dir=tmp_path) as emulator,
        gateway.running(
            engine_url=emulator.url, model=emulator.model, log_dir=tmp_path, env={"MAX_ACTIVE": "5"}
        ) as running,
    ):
        token = running.admin_token or ""
        out = tmp_path / "run"
        flags = ("--gateway-url", running.url, "--model", emulator.model, "--admin-token", token)
        done = sweeping.run(out, *flags, *FLAGS)
        assert done.returncode == 0, done.stdout + done.stderr
        (summary,) = sweeping.summaries(out)
        assert summary["setting"]["max_active"] == 3
        assert sweeping.disagreeing_counts(summary) == []
        assert json.loads((out / "run.json").read_text())["engine"]["provider"] == "external"
        with closing(GatewayAdmin(running.endpoint, token)) as admin:
            assert admin.limits().max_active == 5
        refused = sweeping.run(tmp_path / "other", *flags[:-1], "wrong", *FLAGS)
        assert refused.returncode == 2
        assert not (tmp_path / "other").exists()
        assert "--admin-token" in refused.stderr
    assert token not in (out / "run.json").read_text(), "a secret must not be stored with the run"
