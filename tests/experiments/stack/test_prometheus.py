"""A real Prometheus, private to the test; and finding or fetching its program."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import httpx
import pytest

from experiments.errors import EnvironmentProblem
from experiments.observe.prometheus import ServerMetrics
from experiments.stack import engine, fetched, prometheus
from experiments.stack.ports import free_port


def test_it_scrapes_each_second_and_reads_the_rules(tmp_path: Path) -> None:
    """The engine's gauge can be queried, rules are loaded, and the port is loopback's."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "one.rules.yml").write_text(
        "groups: [{name: g, interval: 1s, rules: [{record: 'x:y', expr: 'vector(7)'}]}]"
    )
    with (
        engine.running(engine.choose("emulator", profile="exact"), log_dir=tmp_path) as served,
        prometheus.running(
            targets={"engine": served.url}, data_dir=tmp_path / "p", log_dir=tmp_path, rules=rules
        ) as seen,
    ):
        prometheus.await_scrapes(seen, ["engine"])
        query = {"query": "vllm:num_requests_running"}
        found = httpx.get(f"{seen.url}/api/v1/query", params=query).json()["data"]["result"]
        assert found[0]["metric"]["job"] == "engine"
        loaded = httpx.get(f"{seen.url}/api/v1/rules").json()["data"]["groups"]
        assert [rule["name"] for group in loaded for rule in group["rules"]] == ["x:y"]
        config = httpx.get(f"{seen.url}/api/v1/status/config").json()["data"]["yaml"]
        assert "scrape_interval: 1s" in config


def test_the_rules_of_the_project_load(tmp_path: Path) -> None:
    """The private Prometheus starts with everything under monitoring/prometheus."""
    with prometheus.running(targets={}, data_dir=tmp_path / "p", log_dir=tmp_path) as seen:
        groups = httpx.get(f"{seen.url}/api/v1/rules").json()["data"]["groups"]
    assert groups


def test_a_broken_rule_shows_in_the_message(tmp_path: Path) -> None:
    """It does not start, and says why, in its own log's words."""
    (tmp_path / "bad.rules.yml").write_text("groups: [{name: g, rules: [{record: x, expr: 'sum('}]}]")
    with (
        pytest.raises(EnvironmentProblem, match=r"Prometheus ended with exit code [\s\S]*bad\.rules\.yml"),
        prometheus.running(targets={}, data_dir=tmp_path / "p", log_dir=tmp_path, rules=tmp_path),
    ):
        pass


def test_a_target_that_is_down_is_named(tmp_path: Path) -> None:
    """Waiting for the first scrapes has an end."""
    target = f"127.0.0.1:{free_port()}"
    with (
        prometheus.running(targets={"ghost": target}, data_dir=tmp_path / "p", log_dir=tmp_path) as seen,
        pytest.raises(EnvironmentProblem, match="does not scrape ghost"),
    ):
        prometheus.await_scrapes(seen, ["ghost"], timeout_s=0.5)


def test_nobody_at_the_given_url() -> None:
    """`--prometheus-url` that answers nothing is one sentence."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(EnvironmentProblem, match=f"^Prometheus at {url} did not answer"):
        ServerMetrics(url).check()


def test_the_one_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched where it is installed."""
    program(tmp_path / "bin" / "prometheus", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert fetched.provide(fetched.PROMETHEUS, tmp_path / "tools") == tmp_path / "bin" / "prometheus"


def test_without_apt_and_brew_the_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both asking and fetching end in one sentence with a remedy."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentProblem, match="`make setup` fetches it"):
        fetched.find(fetched.PROMETHEUS, tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"neither apt-get nor brew is here.*--prometheus-url"):
        fetched.provide(fetched.PROMETHEUS, tmp_path)


def test_it_comes_out_of_the_debian_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without package lists they are fetched first; the package is unpacked, not installed."""
    said = tmp_path / "said"
    program(
        tmp_path / "bin" / "apt-get",
        f'echo "$@" >> {said}\n'
        f'case "$*" in *update*) touch {tmp_path}/lists;; '
        f"*download*) [ -e {tmp_path}/lists ] || {{ echo 'E: Unable to locate package' >&2; exit 100; }}; "
        "touch prometheus_2.42_amd64.deb;; esac",
    )
    program(
        tmp_path / "bin" / "dpkg",
        'mkdir -p "$3/usr/bin"; cd "$3/usr/bin"; printf "#!/bin/sh\\n" > prometheus; chmod +x prometheus',
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    if (Path("/usr/bin/prometheus")).exists():
        pytest.skip("Prometheus is installed on this machine")
    found = fetched.provide(fetched.PROMETHEUS, tmp_path / "tools")
    assert found == tmp_path / "tools" / "prometheus" / "usr" / "bin" / "prometheus"
    assert [line.split()[-1] for line in said.read_text().splitlines()] == [
        "prometheus",
        "update",
        "prometheus",
    ]
    assert "install" not in said.read_text()


def program(path: Path, script: str) -> None:
    """A small shell program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    assert os.access(path, os.X_OK)
