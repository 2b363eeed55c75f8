"""uvicorn's server makes and stops the gateway's connections, through inner names of it: each is there in the
installed version, and is used as we expect.

pyproject.toml bounds uvicorn from above for the same reason. To raise the bound, install the new version and
run this and the tests of the protocol.
"""

from __future__ import annotations

import ast
import inspect

from uvicorn.server import Server, ServerState

from gateway.client_connection import ClientConnection


def of_server_state() -> set[str]:
    """What our connections use of the server's state: the `….name` on `self._server`."""
    return {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(ClientConnection)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_server"
    }


def calls_in(method: str) -> list[ast.Call]:
    """The calls in one of the server's methods."""
    source = inspect.cleandoc("\n" + inspect.getsource(getattr(Server, method)))
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def test_the_state_of_the_server_is_there() -> None:
    """The connections it will stop, the fields of every answer, a count."""
    used = of_server_state()
    assert {"connections", "default_headers"} <= used
    assert used <= set(vars(ServerState()))


def test_it_makes_connections_as_ours_expect() -> None:
    """With these arguments, by these names."""
    made = [call for call in calls_in("startup") if ast.unparse(call.func) == "config.http_protocol_class"]
    (call,) = made
    given = [keyword.arg for keyword in call.keywords]
    assert given == list(inspect.signature(ClientConnection).parameters)


def test_it_stops_connections_by_a_name_that_ours_have() -> None:
    """`shutdown`, called on each that it knows."""
    called = {ast.unparse(call.func) for call in calls_in("shutdown")}
    assert "connection.shutdown" in called
    assert callable(ClientConnection.shutdown)


def test_the_date_of_every_answer_is_where_we_read_it() -> None:
    """In `default_headers`, renewed by the server's tick."""
    source = inspect.getsource(Server.on_tick)
    assert "self.server_state.default_headers = " in source
    assert b"date" in source.encode()
