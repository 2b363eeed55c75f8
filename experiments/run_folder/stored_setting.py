"""A setting as files hold it: flat, the gateway's limits beside the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator

from experiments.spec.setting import Setting


def _read(value: object) -> Setting:
    if isinstance(value, Setting):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("a setting is an object of limits by name")
    try:
        return Setting.from_json(value)
    except TypeError as error:
        raise ValueError(str(error)) from None


StoredSetting = Annotated[Setting, PlainValidator(_read), PlainSerializer(Setting.to_json)]
