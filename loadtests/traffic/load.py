"""Which recorded traffic a load run plays, and how dense."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loadtests.bounds import WrongValueError
from loadtests.planning.mix import Mix
from loadtests.planning.plan import Plan
from loadtests.planning.rate import RECORDED, parse_rate
from loadtests.planning.scenarios import SCENARIOS
from loadtests.traffic.segments import TrafficError
from loadtests.traffic.when import Times


@dataclass(frozen=True, slots=True)
class RecordedLoad:
    """folder: of the recording; times: which part of it. factor: times its rate; None: as `rate_per_s` says,
    requests per second, 0 for as recorded.
    """

    folder: Path
    times: Times
    factor: float | None
    rate_per_s: float = 0.0

    def plan(self, warm_up_s: float, measure_s: float, seed: int, mix: Mix) -> Plan:
        """The plan of the first seconds of it. Raises WrongValueError in one sentence."""
        from loadtests.traffic import recorded, replayed  # with pyarrow, which nothing else here needs

        try:
            found = recorded.read(self.folder, self.times, seed)
            factor = self.factor or (self.rate_per_s / found.rate_per_s if self.rate_per_s else 1.0)
            return replayed.plan(found, factor, replayed.Stretch(warm_up_s, measure_s), seed, mix)
        except TrafficError as error:
            raise WrongValueError(RECORDED, str(error), f"recorded {error}") from None


def asked(scenario: str, folder: str, begin: str, end: str, factor: float | None, rate_per_s: float) -> (
    RecordedLoad | None
):  # fmt: skip
    """What the flags ask for; None where they ask for something else.

    Raises:
        WrongValueError: in one sentence, where they do not go together.
    """
    if scenario != RECORDED:
        for flag, value in ((RECORDED, folder), ("from", begin), ("to", end)):
            if value:
                sentence = f"goes with the scenario {RECORDED!r} (--load {RECORDED}@1.0x)"
                raise WrongValueError(flag, sentence, f"--{flag} {value}: {sentence}")
        if factor is not None:
            sentence = f"only a recording has a rate of its own to multiply (--load {RECORDED}@{factor:g}x)"
            raise WrongValueError("load", sentence, f"--load {scenario}@{factor:g}x: {sentence}")
        return None
    if not folder:
        sentence = "give the folder of the recording with --recorded"
        raise WrongValueError(RECORDED, sentence, f"scenario = {RECORDED!r}: {sentence}")
    try:
        times = Times(begin, end)
    except TrafficError as error:
        raise WrongValueError("from", str(error), str(error)) from None
    return RecordedLoad(Path(folder), times, factor, rate_per_s)


def scenario_and_rate(load: str, scenario: str, rate_per_s: float) -> tuple[str, float, float | None]:
    """Scenario, rate per second and multiple of the recorded rate that `--load SCENARIO@RATE` says, or where
    it is empty the two flags.

    Raises:
        WrongValueError: in one sentence.
    """
    if not load:
        return scenario, rate_per_s, None
    name, _, rate = load.partition("@")
    try:
        if name not in SCENARIOS:
            raise ValueError(f"the scenario must be one of {', '.join(SCENARIOS)}")
        per_s, factor = parse_rate(rate)
    except ValueError as error:
        sentence = f"write SCENARIO@RATE, such as sustained@4 or {RECORDED}@1.0x: {error}"
        raise WrongValueError("load", sentence, f"--load {load!r}: {sentence}") from None
    return name, per_s or 0.0, factor
