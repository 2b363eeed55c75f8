"""An engine to imitate: how long its steps take, what bounds its batches, and what a request costs
outside the steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiments.errors import UserError
from experiments.twin.scheduler import EngineLimits
from experiments.twin.step_time import StepTime

Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Profile(BaseModel):
    """Parameters of the engine model, as a calibration writes them. Times in seconds, sizes in tokens or
    blocks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str = Field(description="where the numbers come from")
    base_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(description="a: the shortest step")
    per_decode_s: Cost = Field(default=0.0, description="b: per decoding sequence")
    per_token_s: Cost = Field(default=0.0, description="c: per token of a step above the knee")
    knee_tokens: Cost = Field(default=0.0, description="T0: tokens of a step that the base covers")
    per_kv_token_s: Cost = Field(default=0.0, description="d: per context token read")
    per_pair_s: Cost = Field(
        default=0.0, description="e: per pair of a prompt token and one before it (prompts squared, halved)"
    )
    ingest_s: Cost = Field(default=0.0, description="from a request's arrival to the scheduler's queue")
    egress_s: Cost = Field(default=0.0, description="from the end of a step to the token's chunk on the wire")
    arrival_work_s: Cost = Field(
        default=0.0, description="what a request's arrival takes from a running step (a shared core)"
    )
    end_work_s: Cost = Field(default=0.0, description="what a request's end takes from the step after it")
    max_num_seqs: Count = 16
    max_num_batched_tokens: Count = 2048
    num_gpu_blocks: Count = 1024
    block_size: Count = 128
    max_model_len: Count = 4096

    @property
    def step_time(self) -> StepTime:
        """The part that times steps."""
        return StepTime(
            self.base_s, self.per_decode_s, self.per_token_s, self.knee_tokens, self.per_kv_token_s
        )

    @property
    def limits(self) -> EngineLimits:
        """The part that bounds batches."""
        return EngineLimits(
            self.max_num_seqs,
            self.max_num_batched_tokens,
            self.num_gpu_blocks,
            self.block_size,
            self.max_model_len,
        )


def slower(profile: Profile, factor: float) -> Profile:
    """The profile with every time multiplied by `factor`."""
    times = {name: getattr(profile, name) * factor for name in Profile.model_fields if name.endswith("_s")}
    return profile.model_copy(update=times)


TINY_CPU = Profile(
    name="tiny-cpu",
    source="vLLM 0.32.0 (CPU, 8×768 random weights, one Xeon core), closed loops of 1 to 24",
    base_s=0.0172,
    per_decode_s=0.00035,
    per_token_s=0.00022,
    knee_tokens=1,
    ingest_s=0.002,
    egress_s=0.0005,
)
"""The project's tiny model on the real vLLM, roughly: the emulator's default."""

EXACT = Profile(
    name="exact",
    source="chosen, not measured: every step takes 10 ms, whatever is in it",
    base_s=0.010,
    max_num_seqs=4096,
    max_num_batched_tokens=1_000_000,
    num_gpu_blocks=1_000_000,
    block_size=16,
    max_model_len=100_000,
)
"""Service times that anyone can compute: `output_tokens` × 10 ms, alone or in any batch.

For a request that starts on an idle engine; one that joins a batch first waits for the running step's end.
"""


def named(name: str) -> Profile:
    """The profile called `name`, or the one in a file: `calibrated:FILE`.

    Raises:
        UserError: no such profile, or the file does not hold one.
    """
    known = {profile.name: profile for profile in (TINY_CPU, EXACT)}
    if name in known:
        return known[name]
    kind, _, file = name.partition(":")
    if kind != "calibrated" or not file:
        raise UserError(
            f"emulator profile {name!r} is not known; allowed: {', '.join(known)}, calibrated:FILE"
        )
    try:
        return Profile.model_validate_json(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"the profile {file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(f"the profile {file} is not valid: {key}: {first['msg']}") from error
