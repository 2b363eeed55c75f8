"""The engine's own limits as an axis of a sweep: which combinations can be measured at all."""

from experiments.errors import UserError
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack.engine_knobs import NAMES, flag_of

_NOT_OURS = ("external", "compose")


def check(spec: SweepSpec, gateway_url: str | None) -> None:
    """See that the engine can be started with every value.

    Raises:
        UserError: the engine is somebody else's, or two values do not go together.
    """
    given = [name for name in NAMES if getattr(spec.engine, name)]
    if not given:
        return
    name, values = given[0], getattr(spec.engine, given[0])
    shown = f"{flag_of(name)} {','.join(map(str, values))}"
    if gateway_url is not None or spec.engine.url is not None or spec.engine.provider in _NOT_OURS:
        raise UserError(
            f"{shown}: an engine that is already running cannot be started anew with another limit; leave it "
            "away, or let the sweep start the engine (--engine vllm, vllm-cpu or emulator)"
        )
    for knobs in spec.engine.values():
        tokens, seqs = knobs.max_num_batched_tokens, knobs.max_num_seqs
        if tokens is not None and seqs is not None and tokens < seqs:
            raise UserError(
                f"max_num_batched_tokens={tokens} is below max_num_seqs={seqs}: a step must hold a token of "
                "each sequence in the batch"
            )
