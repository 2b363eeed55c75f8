"""The stand on which faults are tried: a gateway with short timeouts, a scripted engine, raw sockets, and
what must hold after every fault.
"""

import json
import socket
import struct
import time
from typing import Any

import psutil

from tests.gateway.process import GatewayProcess, until
from tests.gateway.scripted_engine import ScriptedEngine

FAULT_SETTINGS: dict[str, Any] = {
    "max_active": 2,
    "queue_max": 2,
    "queue_timeout_s": 1.5,
    "request_timeout_s": 3.0,
    "ttft_timeout_s": 0.8,
    "idle_timeout_s": 0.5,
    "connect_timeout_s": 1.0,
    "stall_timeout_s": 1.0,
    "header_timeout_s": 0.6,
    "body_timeout_s": 0.6,
    "keep_alive_s": 2.0,
    "max_body_bytes": 3_000_000,
    "breaker_failures": 50,
    "probe_interval_s": 0.3,
}


PROBE_FILES = 2
"""Connections of the background probe to the engine, which come and go by themselves."""


class Raw:
    """A client at the wire."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self.got = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read_until(self, mark: bytes, within_s: float = 5.0) -> bytes:
        """Everything up to and including `mark`; fails when the peer closes first."""
        deadline_s = time.monotonic() + within_s
        while mark not in self.got:
            self.socket.settimeout(max(0.01, deadline_s - time.monotonic()))
            data = self.socket.recv(65536)
            assert data, f"closed before {mark!r}: {self.got!r}"
            self.got += data
        head, _, self.got = self.got.partition(mark)
        return head + mark

    def read_to_end(self, within_s: float = 5.0) -> bytes:
        """Everything until the peer closes or resets."""
        deadline_s = time.monotonic() + within_s
        while True:
            self.socket.settimeout(max(0.01, deadline_s - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                everything, self.got = self.got, b""
                return everything
            self.got += data

    def answer(self, within_s: float = 5.0) -> tuple[int, dict[str, str], bytes]:
        """One answer with a content-length."""
        head = self.read_until(b"\r\n\r\n", within_s).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        length = int(headers["content-length"])
        while len(self.got) < length:
            data = self.socket.recv(65536)
            assert data
            self.got += data
        body, self.got = self.got[:length], self.got[length:]
        return int(head[0].split(" ")[1]), headers, body

    def reset(self) -> None:
        """Leaves with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()


def post(fields: Any, *more: str, path: str = "/v1/chat/completions") -> bytes:
    """A complete request. `fields`: an object, or the body's bytes as they are."""
    body = fields if isinstance(fields, bytes) else json.dumps({"messages": [], **fields}).encode()
    head = [f"POST {path} HTTP/1.1", "host: gateway", "content-type: application/json", *more]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode() + body


class Stand:
    """A gateway, its engine, and the outcomes since `begin`."""

    def __init__(self, gateway: GatewayProcess, engine: ScriptedEngine) -> None:
        self.gateway = gateway
        self.engine = engine
        self.clients: list[Raw] = []
        self._fills = 0

    def begin(self) -> None:
        """Remembers where the counters, the log and the open files stand."""
        until(lambda: self.gateway.chat()[0] == 200, 5)
        self._outcomes = self.gateway.state()["outcomes"]
        self._log = len(self.gateway.log())
        self._files = self._open_files()
        self.engine.seen.clear()
        self.engine.forget_peak()

    def client(self, receive_buffer: int | None = None) -> Raw:
        """A new connection; closed after the test."""
        self.clients.append(Raw(self.gateway.port, receive_buffer))
        return self.clients[-1]

    def sent(self, fields: Any, *more: str) -> Raw:
        """A new connection with a request on its way."""
        client = self.client()
        client.send(post(fields, *more))
        return client

    def outcomes(self) -> dict[str, int]:
        """Finished completions since `begin`, by outcome, without zeros."""
        now = self.gateway.state()["outcomes"]
        return {
            name: count - self._outcomes[name] for name, count in now.items() if count != self._outcomes[name]
        }

    def ended(self, **expected: int) -> None:
        """Waits until exactly these outcomes were counted."""
        until(lambda: self.outcomes() == expected, 3, f"{expected}, but {self.outcomes()}")

    def engine_has(self, requests: int) -> None:
        """Waits until the engine has seen this many requests."""
        until(lambda: len(self.engine.seen) >= requests, 3, f"{requests} requests at the engine")

    @property
    def gate(self) -> str:
        """The gate at which the requests of the last `fill` wait."""
        return f"fill {self._fills}"

    def fill(self) -> list[Raw]:
        """Takes both slots with requests that wait until `release`."""
        self._fills += 1
        held = [self.sent({"script": [["gate", self.gate], *SERVED]}) for _ in range(2)]
        until(lambda: self.gateway.state()["active"] == 2, 3, "both slots taken")
        return held

    def release(self) -> None:
        """Lets the requests of the last `fill` finish."""
        self.engine.open_gate(self.gate)

    def must_be_as_new(self) -> None:
        """The invariants after every fault: see docs/faults.md."""
        for client in self.clients:
            client.close()
        self.clients.clear()
        asked_s = time.monotonic()
        self._is_idle()
        # One second; more only where one look at the state already takes long, on a busy machine.
        until(self._is_idle, max(1.0, 30 * (time.monotonic() - asked_s)), "idle")
        state = self.gateway.state()
        assert state["arrived"] == sum(state["outcomes"].values()) + state["in_flight"]
        assert self.engine.peak <= state["active_limit"]
        status, _, body = self.gateway.chat()
        assert status == 200, body
        fresh = self.gateway.log()[self._log :]
        assert "internal error" not in fresh, fresh
        assert "never retrieved" not in fresh, fresh
        assert "Traceback" not in fresh, fresh

    def _is_idle(self) -> bool:
        state = self.gateway.state()
        settled = state["active"] == state["running"] == state["queued"] == state["in_flight"] == 0
        return settled and self.engine.running == 0 and self._open_files() <= self._files + PROBE_FILES

    def _open_files(self) -> int:
        # Idle connections to the engine may come and go; everything else must not.
        idle = self.gateway.metric("gateway_upstream_connections")
        return psutil.Process(self.gateway.popen.pid).num_fds() - int(idle)


SERVED = [
    ["send", 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"choices":[]}']
]
