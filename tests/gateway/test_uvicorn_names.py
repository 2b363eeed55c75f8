"""The gateway's protocol is built on inner names of uvicorn: each is there in the installed version.

pyproject.toml bounds uvicorn from above for the same reason. To raise the bound, install the new version and
run this and the tests of the protocol.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.protocol import GatewayProtocol

PARTS = {"cycle": RequestResponseCycle, "flow": FlowControl}
"""Attributes of uvicorn's protocol whose own inner names are used as well."""


def attributes(kind: type) -> Iterator[ast.Attribute]:
    """Every `….name` in the source of a class."""
    for node in ast.walk(ast.parse(inspect.getsource(kind))):
        if isinstance(node, ast.Attribute):
            yield node


def of_self(node: ast.expr) -> bool:
    """Whether it is the name `self`."""
    return isinstance(node, ast.Name) and node.id == "self"


def has(kind: type) -> set[str]:
    """What instances of a class have: the names in it, and what its code assigns to `self`."""
    assigned = {
        node.attr for node in attributes(kind) if isinstance(node.ctx, ast.Store) and of_self(node.value)
    }
    return assigned | set(vars(kind))


def inherited() -> set[str]:
    """The names on `self` that GatewayProtocol uses and does not make."""
    used = {node.attr for node in attributes(GatewayProtocol) if of_self(node.value)}
    return used - has(GatewayProtocol)


def overridden() -> list[str]:
    """The methods of uvicorn's protocol that ours replaces."""
    ours, theirs = vars(GatewayProtocol), vars(HttpToolsProtocol)
    return sorted(name for name in ours if inspect.isfunction(theirs.get(name)) and name != "__init__")


def test_what_it_takes_from_uvicorns_protocol_is_there() -> None:
    """The parser, which ours may replace, the transport, the request that is being read …"""
    assert "parser" in has(HttpToolsProtocol)
    assert {"transport", "loop", "headers"} <= inherited()
    assert inherited() - has(HttpToolsProtocol) == set()


@pytest.mark.parametrize("part", sorted(PARTS))
def test_what_it_takes_from_its_parts_is_there(part: str) -> None:
    """`self.cycle.keep_alive` and the like."""
    used = {
        node.attr
        for node in attributes(GatewayProtocol)
        if isinstance(node.value, ast.Attribute) and node.value.attr == part and of_self(node.value.value)
    }
    assert used
    assert used - has(PARTS[part]) == set()


@pytest.mark.parametrize("name", overridden())
def test_what_it_overrides_is_called_as_we_expect(name: str) -> None:
    """A callback that gets another argument would fail in the middle of a request."""
    ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (GatewayProtocol, HttpToolsProtocol))
    assert list(ours.parameters) == list(theirs.parameters)


def test_the_callbacks_that_the_bounds_hang_on_are_overridden() -> None:
    """One that uvicorn renames would stand beside the new name and never run."""
    bounds = {"data_received", "on_url", "on_header", "on_headers_complete", "pause_writing"}
    assert {"connection_made", "connection_lost", *bounds} <= set(overridden())
