"""A setting as files hold it: flat, the gateway's limits beside the engine's; its lanes are a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from experiments.spec.setting import Setting
from gateway.limits import Limits

_LIMITS = TypeAdapter(Limits)


def _read(value: object) -> Setting:
    if isinstance(value, Setting):
        return value
    if not isinstance(value, Mapping):
        raise ValueError("a setting is an object of limits by name")
    try:
        setting = Setting.from_json(value)
        limits = _LIMITS.validate_python(asdict(setting.limits))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise ValueError(f"{fault['loc'][0]}: {fault['msg']}") from None
    except TypeError as error:
        raise ValueError(str(error)) from None
    return replace(setting, limits=limits)


StoredSetting = Annotated[Setting, PlainValidator(_read), PlainSerializer(Setting.to_json)]
