"""A stand-in for the driver's `libnvidia-ml.so.1`: C functions that fill the caller's memory.

NVIDIA's own bindings call them, so that all is tried that runs on a machine with a GPU, but the driver.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pynvml
import pytest

OK, NOT_SUPPORTED, TOO_SMALL = 0, 3, 7
_Address, _Unsigned = ctypes.c_void_p, ctypes.c_uint
GIB = 2**30


@dataclass(slots=True)
class FakeCard:
    """What one card would tell; None: it does not support the question. `processes`: number → bytes it holds;
    `instances`: number → its MIG instance."""

    name: str = "NVIDIA Stand-in 80GB"
    uuid: str = "GPU-8a1f0000-0000-0000-0000-000000000000"
    use_percent: int | None = 97
    sm_clock_mhz: int | None = 1980
    temperature_c: int | None = 61
    used_bytes: int | None = 70 * GIB
    reasons: int | None = 0
    power_limit_mw: int | None = 700_000
    power_default_mw: int | None = 700_000
    processes: dict[int, int] = field(default_factory=dict)
    instances: dict[int, int] = field(default_factory=dict)


class FakeLibrary:
    """The functions that the bindings find by name; one that is not here is one of a newer driver.

    `older`: a driver that knows the reasons of the clocks by their older name only.
    """

    def __init__(self, *cards: FakeCard, older: bool = False) -> None:
        self._cards = cards
        reasons = (
            "nvmlDeviceGetCurrentClocksThrottleReasons" if older else "nvmlDeviceGetCurrentClocksEventReasons"
        )
        asked: dict[str, tuple[list[Any], Callable[..., int]]] = {
            "nvmlInitWithFlags": ([_Unsigned], lambda flags: OK),
            "nvmlShutdown": ([], lambda: OK),
            "nvmlDeviceGetCount_v2": ([_Address], lambda out: _put(_Unsigned, out, len(self._cards))),
            "nvmlDeviceGetHandleByIndex_v2": ([_Unsigned, _Address], self._handle),
            "nvmlDeviceGetName": ([_Address, _Address, _Unsigned], self._text("name")),
            "nvmlDeviceGetUUID": ([_Address, _Address, _Unsigned], self._text("uuid")),
            "nvmlDeviceGetClockInfo": ([_Address, _Unsigned, _Address], self._second("sm_clock_mhz")),
            "nvmlDeviceGetTemperature": ([_Address, _Unsigned, _Address], self._second("temperature_c")),
            "nvmlDeviceGetUtilizationRates": ([_Address, _Address], self._first("use_percent")),
            "nvmlDeviceGetMemoryInfo": ([_Address, _Address], self._memory),
            "nvmlDeviceGetEnforcedPowerLimit": ([_Address, _Address], self._first("power_limit_mw")),
            "nvmlDeviceGetPowerManagementDefaultLimit": (
                [_Address, _Address],
                self._first("power_default_mw"),
            ),
            "nvmlDeviceGetComputeRunningProcesses_v3": ([_Address, _Address, _Address], self._processes),
            reasons: ([_Address, _Address], self._first("reasons", ctypes.c_ulonglong)),
        }
        self._functions = {
            name: ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(answer)
            for name, (arguments, answer) in asked.items()
        }

    def __getattr__(self, name: str) -> Callable[..., int]:
        try:
            return self.__dict__["_functions"][name]  # type: ignore[no-any-return] # by its prototype
        except KeyError:
            raise AttributeError(name) from None

    def _card(self, handle: int) -> FakeCard:
        return self._cards[handle - 1]

    def _handle(self, index: int, out: int) -> int:
        return _put(ctypes.c_void_p, out, index + 1)

    def _text(self, what: str) -> Callable[[int, int, int], int]:
        def answer(handle: int, out: int, size: int) -> int:
            text = str(getattr(self._card(handle), what)).encode()
            ctypes.memmove(out, text + b"\0", min(size, len(text) + 1))
            return OK

        return answer

    def _first(self, what: str, kind: Any = _Unsigned) -> Callable[[int, int], int]:
        return lambda handle, out: _put(kind, out, getattr(self._card(handle), what))

    def _second(self, what: str) -> Callable[[int, int, int], int]:
        return lambda handle, which, out: _put(_Unsigned, out, getattr(self._card(handle), what))

    def _memory(self, handle: int, out: int) -> int:
        used = self._card(handle).used_bytes
        if used is None:
            return NOT_SUPPORTED
        pynvml.c_nvmlMemory_t.from_address(out).used = used
        return OK

    def _processes(self, handle: int, count: int, out: int | None) -> int:
        card = self._card(handle)
        room = _Unsigned.from_address(count)
        enough = room.value >= len(card.processes)
        room.value = len(card.processes)
        if not enough:
            return TOO_SMALL
        for place, (pid, held) in enumerate(card.processes.items()):
            assert out is not None
            size = ctypes.sizeof(pynvml.c_nvmlProcessInfo_v3_t)
            row = pynvml.c_nvmlProcessInfo_v3_t.from_address(out + place * size)
            row.pid, row.usedGpuMemory = pid, held
            row.gpuInstanceId = card.instances.get(pid, 0xFFFFFFFF)
        return OK


def _put(kind: Any, out: int, value: int | None) -> int:
    if value is None:
        return NOT_SUPPORTED
    kind.from_address(out).value = value
    return OK


@contextmanager
def installed(patch: pytest.MonkeyPatch, library: FakeLibrary | None) -> Iterator[None]:
    """The bindings find this library while the block runs; None: as on a machine without a driver."""

    def without(name: str, *rest: object, **options: object) -> ctypes.CDLL:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    with patch.context() as patched:
        patched.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        patched.setattr(pynvml, "nvmlLib", library)
        if library is None:
            patched.setattr(pynvml, "CDLL", without)
        yield
