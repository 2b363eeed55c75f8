"""One gateway setting, and the limits its engine was started with."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from experiments.stack.engine_knobs import NAMES as ENGINE_KEYS
from experiments.stack.engine_knobs import EngineKnobs

_SHORT = {"max_num_seqs": "seqs", "max_num_batched_tokens": "tokens", "max_num_queued_reqs": "reqs"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One gateway setting, its keys as in `PUT /admin/limits`, and the limits its engine was started with
    where the sweep varies them (None: it does not).
    """

    max_active: int
    queue_mode: str
    queue_max: int
    queue_timeout_s: float
    queue_order: str
    request_timeout_s: float
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    max_num_queued_reqs: int | None = None

    @property
    def name(self) -> str:
        """Short and unique within a sweep, safe in a file name; the engine's part first."""
        knobs = self.engine.given().items()
        engine = "".join(f"{_SHORT[name]}{value}-" for name, value in knobs)
        if self.queue_mode == "reject":
            return f"{engine}ma{self.max_active}-reject"
        order = "" if self.queue_order == "fifo" else f"-{self.queue_order}"
        return f"{engine}ma{self.max_active}-q{self.queue_max}-t{self.queue_timeout_s:g}s{order}"

    @property
    def engine(self) -> EngineKnobs:
        """What the engine is started with for this setting."""
        return EngineKnobs(*(getattr(self, name) for name in ENGINE_KEYS))

    def on(self, knobs: EngineKnobs) -> "Setting":
        """The same gateway setting before an engine with these limits."""
        return replace(self, **asdict(knobs))

    def limits(self) -> dict[str, Any]:
        """The body of `PUT /admin/limits`."""
        return {key: value for key, value in asdict(self).items() if key not in ENGINE_KEYS}

    def to_json(self) -> dict[str, Any]:
        """As stored: the limits, and the engine's where the sweep varies them."""
        return self.limits() | self.engine.given()
