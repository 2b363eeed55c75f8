"""The engine's GPU as NVIDIA's management library tells it; no exporter is needed. Without a driver: none.

The reasons for the present clocks are a bit mask; its bits: NVML API reference, "nvmlClocksEventReasons".
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

_POWER_CAP, _SLOWDOWN, _THERMAL, _BRAKE = 0x4, 0x8, 0x20 | 0x40, 0x80
VISIBLE = "CUDA_VISIBLE_DEVICES"


class Handle(Protocol):
    """A card, to the library."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a card's power, watts; None: it does not tell."""

    in_force_w: float | None
    default_w: float | None


@dataclass(frozen=True, slots=True)
class Computing:
    """A process that computes on a card: the bytes that it holds (0 where that is not told), and the MIG
    instance that it is on (cards that are not cut have one number for all)."""

    pid: int
    held_bytes: float
    instance: int


class Library:
    """NVML, opened; a question that a card does not answer is None."""

    def __init__(self, nvml: ModuleType) -> None:
        self._nvml = nvml
        self.cards: tuple[Card, ...] = tuple(
            Card(self, index, handle)
            for index in range(self.ask(nvml.nvmlDeviceGetCount) or 0)
            if (handle := self.ask(nvml.nvmlDeviceGetHandleByIndex, index)) is not None
        )

    def ask(self, function: Callable[..., Any], *arguments: object) -> Any | None:
        """What the function answers, of whatever type that is; None where it is not supported or fails."""
        try:
            return function(*arguments)
        except self._nvml.NVMLError:
            return None

    @property
    def functions(self) -> ModuleType:
        return self._nvml

    def card_of(self, pids: Collection[int], visible: str | None) -> Card | None:
        """The card on which one of these processes computes (the busiest, where there are several); else the
        first that `visible` names, as CUDA_VISIBLE_DEVICES does; else the busiest of all; None without any.
        """
        own = [card for card in self.cards if any(of.pid in pids for of in card.processes())]
        named = [] if own or visible is None else [c for c in self.cards if c.is_named(visible.split(",")[0])]
        return max(own or named or self.cards, key=lambda card: card.use_ratio() or 0.0, default=None)


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU. `index`: as NVML counts, by PCI bus."""

    library: Library
    index: int
    handle: Handle

    def name(self) -> str:
        return str(self.library.ask(self.library.functions.nvmlDeviceGetName, self.handle) or "GPU")

    def is_named(self, word: str) -> bool:
        """Whether an entry of CUDA_VISIBLE_DEVICES means it: an index, a UUID or the begin of one."""
        word = word.strip()
        if word.isdigit():
            return int(word) == self.index
        uuid = self.library.ask(self.library.functions.nvmlDeviceGetUUID, self.handle)
        return bool(word) and str(uuid or "").startswith(word)

    def processes(self) -> list[Computing]:
        """Those that compute on it. Their numbers may be the host's also inside a container."""
        found = self.library.ask(self.library.functions.nvmlDeviceGetComputeRunningProcesses, self.handle)
        return [
            Computing(int(one.pid), float(one.usedGpuMemory or 0), int(one.gpuInstanceId or 0))
            for one in found or ()
        ]

    def others(self, pids: Collection[int]) -> list[Computing] | None:
        """Who else computes on what `pids` compute on; None where none of these is seen there, as in a
        container that does not show the host's process numbers."""
        found = self.processes()
        instances = {of.instance for of in found if of.pid in pids}
        return [of for of in found if of.instance in instances and of.pid not in pids] if instances else None

    def use_ratio(self) -> float | None:
        """Share of the last moment (a sixth of a second to one second) in which it computed, 0–1."""
        use = self.library.ask(self.library.functions.nvmlDeviceGetUtilizationRates, self.handle)
        return None if use is None else float(use.gpu) / 100

    def power_limits(self) -> Limits:
        nvml = self.library.functions
        in_force = self.library.ask(nvml.nvmlDeviceGetEnforcedPowerLimit, self.handle)
        default = self.library.ask(nvml.nvmlDeviceGetPowerManagementDefaultLimit, self.handle)
        return Limits(*(None if of is None else float(of) / 1e3 for of in (in_force, default)))

    def series(self) -> dict[str, float]:
        """Now, by the names that the exporter's series have (`observe/gpu_series.py`)."""
        nvml, ask = self.library.functions, self.library.ask
        clock_mhz = ask(nvml.nvmlDeviceGetClockInfo, self.handle, nvml.NVML_CLOCK_SM)
        temperature_c = ask(nvml.nvmlDeviceGetTemperature, self.handle, nvml.NVML_TEMPERATURE_GPU)
        memory = ask(nvml.nvmlDeviceGetMemoryInfo, self.handle)
        found = {
            "gpu_use_ratio": self.use_ratio(),
            "gpu_clock_hz": None if clock_mhz is None else clock_mhz * 1e6,
            "gpu_temperature_c": temperature_c,
            "gpu_memory_used_bytes": None if memory is None else memory.used,
            **_reasons(self._clock_reasons()),
        }
        return {name: float(value) for name, value in found.items() if value is not None}

    def _clock_reasons(self) -> int | None:
        """Under its newer name or, from drivers before 535, its older one."""
        nvml, ask = self.library.functions, self.library.ask
        newer = ask(nvml.nvmlDeviceGetCurrentClocksEventReasons, self.handle)
        return ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, self.handle) if newer is None else newer


@contextlib.contextmanager
def opened() -> Iterator[Library | None]:
    """The library while the block runs; None where no driver is installed or no card answers."""
    # Its bindings take a tenth of a second to import, which only who looks at a card has to spend.
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        library = Library(pynvml)
        yield library if library.cards else None
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def visible_to(pid: int | None) -> str | None:
    """CUDA_VISIBLE_DEVICES of a process; ours where its own cannot be read, None where it is not set."""
    try:
        text = Path(f"/proc/{pid or 'self'}/environ").read_text(errors="replace")
    except OSError:
        return os.environ.get(VISIBLE)
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair).get(VISIBLE)


def _reasons(mask: int | None) -> dict[str, float | None]:
    """Yes (1) and no (0) for the reasons that matter; None where there is no mask. A hardware slowdown that
    heat has caused is heat."""
    if mask is None:
        return {}
    heat = bool(mask & _THERMAL)
    return {
        "gpu_power_cap": float(bool(mask & _POWER_CAP)),
        "gpu_thermal_slowdown": float(heat),
        "gpu_power_brake": float(bool(mask & (_SLOWDOWN | _BRAKE)) and not heat),
    }
