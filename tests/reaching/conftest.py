"""A keyed engine, an authority, and what stands before the engine."""

import os
import sys
from collections.abc import Iterator

import pytest

from experiments.stack import paths, ports, process
from tests.reaching import authority
from tests.reaching.authority import Authority
from tests.reaching.front import Front
from tests.reaching.planted import KEY, LOGIN


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(*numbers): a case of docs/faults.md (tests/gateway)")


@pytest.fixture(scope="session")
def own_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.made(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def keyed_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an emulator that wants a key."""
    port = ports.free_port()
    command = process.Command(
        [sys.executable, "-m", "experiments.twin.emulator", "--port", str(port), "--profile", "exact"],
        "the engine",
        tmp_path_factory.mktemp("engine") / "engine.log",
        env={**os.environ, **paths.import_path(), "VLLM_API_KEY": KEY},
    )
    with process.running(command, ready=ports.answers(f"http://127.0.0.1:{port}/health")):
        yield port


@pytest.fixture
def front(keyed_engine: int, own_ca: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """The engine behind TLS of our own CA, a login and a path; this process trusts the CA."""
    monkeypatch.setenv("SSL_CERT_FILE", str(own_ca.ca))
    with Front(keyed_engine, authority=own_ca, login=LOGIN, path="/team-a/llm") as running:
        yield running
