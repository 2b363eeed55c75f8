"""What `experiments.stack.ports` promises."""

from __future__ import annotations

import socket

import pytest

from experiments.errors import EnvironmentProblem
from experiments.stack.ports import answers, free_port, require_free


def test_a_free_port_can_be_listened_on() -> None:
    """The port given is one that is free at that moment."""
    port = free_port()
    assert require_free(port) == port


def test_a_port_in_use_is_named_with_who_wanted_it() -> None:
    """The sentence says port, host and for what."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(EnvironmentProblem, match=rf"port {port} on 127\.0\.0\.1, wanted for the gateway"):
            require_free(port, what="the gateway")


def test_nobody_there_is_not_an_answer() -> None:
    """A refused connection is False, not an exception."""
    assert not answers(f"http://127.0.0.1:{free_port()}/health")()
