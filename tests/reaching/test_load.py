"""Locust sends through TLS of an own CA, a login and a path, and shows nobody what lets it in."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.loadtests.harness import ROOT, arguments, free_port, run, start, until
from tests.reaching.authority import Authority
from tests.reaching.front import ForwardProxy, Front
from tests.reaching.planted import KEY, found_in, found_in_process_titles, found_under, with_login

SHORT = ("--rate", "8", "--duration", "1", "--warmup", "0", "--prompt-tokens", "8", "--output-tokens", "3")


def test_through_tls_a_login_and_a_path(front: Front, own_ca: Authority, tmp_path: Path) -> None:
    """Every request is served; file, output and process list are clean, though all was typed."""
    titles: list[dict[str, list[str]]] = []

    def look(process: subprocess.Popen[bytes]) -> None:
        until(lambda: "POST" in "".join(asked.line for asked in front.seen), "a first question")
        titles.append(found_in_process_titles())

    trust = {"SSL_CERT_FILE": str(own_ca.ca)}
    ran = run(
        with_login(front.url), tmp_path / "run", "--api-key", KEY, *SHORT, during=look, environment=trust
    )
    assert ran.code in (0, 11), ran.output  # 11: this machine was too busy to measure
    assert set(ran.outcomes) == {"ok"}
    assert ran.load["host"] == front.url
    assert ran.load["prompts"]["exact"]
    assert titles == [{}]
    assert not found_under(tmp_path)


def test_through_a_proxy(front: Front, own_ca: Authority, tmp_path: Path) -> None:
    """The engine's name is known to the proxy alone; the key comes from the environment."""
    with ForwardProxy("me:pa@ss") as proxy:
        way = f"http://me:pa%40ss@127.0.0.1:{proxy.port}"
        told = {"SSL_CERT_FILE": str(own_ca.ca), "HTTPS_PROXY": way, "GATEWAY_API_KEY": KEY}
        url = with_login(f"https://engine.test:{front.port}/team-a/llm")
        ran = run(url, tmp_path / "run", *SHORT, environment=told)
        assert ran.code in (0, 11), ran.output
        assert set(ran.outcomes) == {"ok"}
        assert {asked.line for asked in proxy.seen} >= {f"CONNECT engine.test:{front.port} HTTP/1.1"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://team:some@localhost:{}/wrong", "(/v1/models answered 404)"),
        ("http://localhost:{}", "it refuses the key"),
        ("https://localhost:{}", "does not speak TLS with us"),
    ],
)
def test_what_is_wrong_is_told_at_once(keyed_engine: int, tmp_path: Path, url: str, said: str) -> None:
    """Before a request is sent, in a sentence without secrets."""
    ran = run(url.format(keyed_engine), tmp_path / "run", "--api-key", "other-key", *SHORT)
    assert ran.code != 0
    assert said in ran.output
    assert "team:some" not in ran.output
    assert "other-key" not in ran.output
    assert not (tmp_path / "run" / "plan.json").exists()


@pytest.mark.prove
def test_the_web_ui_shows_no_login(front: Front, own_ca: Authority, tmp_path: Path) -> None:
    """Its page, its form and what it answers."""
    port = free_port()
    flags = ["--web-port", str(port), "--web-host", "127.0.0.1", "--api-key", KEY, *SHORT]
    flags += ["--runs-dir", str(tmp_path / "runs")]
    command = arguments(with_login(front.url), tmp_path, *flags, headless=False)
    process = start(command, tmp_path / "log", SSL_CERT_FILE=str(own_ca.ca))
    try:
        until(lambda: _open(port), "the web UI")
        shown = b""
        for path in ("/", "/stats/requests", "/llm/series.json"):
            with urlopen(f"http://127.0.0.1:{port}{path}") as page:
                shown += page.read()
        assert front.url.encode() in shown
        form = {
            "host": with_login(front.url),
            "user_count": "1",
            "spawn_rate": "1",
            "rate": "8",
            "duration": "1",
        }
        with urlopen(f"http://127.0.0.1:{port}/swarm", urlencode(form).encode()) as answer:
            said = answer.read()
        assert b'"success":true' in said.replace(b" ", b"")
        with urlopen(f"http://127.0.0.1:{port}/") as page:
            shown += said + page.read()
        until(lambda: any(tmp_path.glob("runs/**/load.json")), "the run's end")
        assert not found_in(shown)
        assert found_in_process_titles() == {}
        assert found_under(tmp_path) == {}
        (load,) = tmp_path.glob("runs/**/load.json")
        assert json.loads(load.read_text())["outcomes"].keys() == {"ok"}
    finally:
        process.kill()
        process.wait()


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


_PROGRAM = """
import sys, gevent.socket, socket
port = int(sys.argv[1])
both = [(socket.AF_INET6, 1, 6, "", ("::1", port, 0, 0)), (socket.AF_INET, 1, 6, "", ("127.0.0.1", port))]
gevent.socket.getaddrinfo = lambda *asked, **more: list(both)
from loadtests.reach.endpoint import Endpoint
from loadtests.sending.answer import Answer
from loadtests.sending.client import Client
from loadtests.sending.request import request, request_head
to = Endpoint.parse(f"http://localhost:{port}")
client = Client(to)
for number in range(2):
    answer = Answer()
    client.exchange(request(request_head(to), b"{}", f"r-{number}"), answer)
    print(answer.status)
client.close()
"""


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_every_address_of_a_name_is_tried(family: int, address: str) -> None:
    """A server that listens on one of the two is found, and found again."""
    with socket.socket(family) as listening:
        try:
            listening.bind((address, 0))
        except OSError:
            pytest.skip(f"no {address} on this machine")
        listening.listen()
        answering = threading.Thread(target=_answer_twice, args=(listening,))
        answering.start()
        command = [sys.executable, "-c", _PROGRAM, str(listening.getsockname()[1])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        answering.join(10)
    assert done.stdout.split() == ["204", "204"], done.stderr


def _answer_twice(listening: socket.socket) -> None:
    listening.settimeout(30)
    for _ in range(2):
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
