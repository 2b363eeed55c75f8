"""The engine's own limits as an axis of a sweep: which combinations can be measured at all."""

from experiments.errors import UserError
from experiments.spec.sweep_spec import SweepSpec
from experiments.stack import cores
from experiments.stack.engine_knobs import NAMES, flag_of
from experiments.stack.providers import known


def check(spec: SweepSpec, gateway_url: str | None) -> None:
    """See that the engine can be started with every value, and on the cores it is to have.

    Raises:
        UserError: the engine is somebody else's, two values do not go together, or a core is not there.
    """
    cores.split(spec.engine.cpus, engine_is_here=True)
    axes = {name: getattr(spec.engine, name) for name in NAMES if getattr(spec.engine, name)}
    for name, values in axes.items():
        _require_startable(spec, gateway_url, name, f"{flag_of(name)} {','.join(map(str, values))}")
    for knobs in spec.engine.values():
        tokens, seqs = knobs.max_num_batched_tokens, knobs.max_num_seqs
        if tokens is not None and seqs is not None and tokens < seqs:
            raise UserError(
                f"max_num_batched_tokens={tokens} is below max_num_seqs={seqs}: a step must hold a token of "
                "each sequence in the batch"
            )


def _require_startable(spec: SweepSpec, gateway_url: str | None, name: str, given: str) -> None:
    """See that the sweep starts the engine itself, and that this engine has the limit `name`."""
    engine = spec.engine
    if gateway_url is not None or engine.url is not None or not known.can_start(engine.provider):
        *others, last = filter(known.can_start, known.CHOICES[1:])
        raise UserError(
            f"{given}: an engine that is already running cannot be started anew with another limit; leave it "
            f"out, or let the sweep start the engine (--engine {', '.join(others)} or {last})"
        )
    if engine.provider != known.AUTO and name not in known.named(engine.provider).knobs:
        raise UserError(f"{given}: --engine {engine.provider} has no such limit; leave it out")
