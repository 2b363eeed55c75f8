"""Any value of a declared type: what the run folder may hold, drawn from the types themselves."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import JsonValue

from experiments.spec.setting import Setting
from experiments.stack.engine_knobs import EngineKnobs
from gateway.limits import Limits, QueueMode, QueueOrder

_FEW = 2
"""Entries of a collection at most: a fault shows with two."""
_PLAIN: dict[object, SearchStrategy[object]] = {
    str: st.text(max_size=8),
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
    JsonValue: st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=_FEW) | st.dictionaries(st.text(max_size=4), inner, max_size=_FEW)
        ),
        max_leaves=4,
    ),
}


def settings() -> SearchStrategy[Setting]:
    """A file holds limits without their version and only the knobs that are set."""
    limits = st.builds(
        Limits,
        max_active=st.integers(1, 512),
        queue_mode=st.sampled_from(QueueMode),
        queue_max=st.integers(0, 1000),
        queue_timeout_s=st.floats(0.01, 600.0),
        queue_order=st.sampled_from(QueueOrder),
        request_timeout_s=st.floats(1.0, 3600.0),
    )
    knob = st.none() | st.integers(1, 4096)
    return st.builds(Setting, limits, st.builds(EngineKnobs, knob, knob, knob))


def values(kind: object) -> SearchStrategy[typing.Any]:
    """Any value of `kind`: a frozen dataclass, an enum, a union, a collection or a plain value."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind is Setting:
        return settings()
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return values(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(one) for one in arguments])
    if origin is dict:
        return st.dictionaries(st.text(max_size=8), values(arguments[1]), max_size=_FEW)
    if origin is tuple:
        return _tuples(arguments)
    assert isinstance(kind, type), kind
    if issubclass(kind, enum.Enum):
        return st.sampled_from(list(kind))
    assert dataclasses.is_dataclass(kind), f"no way to draw a {kind}"
    return st.deferred(lambda: _instances(kind))


def _instances(kind: type) -> SearchStrategy[typing.Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in dataclasses.fields(kind)})


def _tuples(arguments: Sequence[object]) -> SearchStrategy[typing.Any]:
    if arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=_FEW).map(tuple)
    return st.tuples(*(values(one) for one in arguments))
