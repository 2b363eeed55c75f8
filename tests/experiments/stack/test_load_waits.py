"""A generator that stands ready plays its plan whenever the word comes."""

from pathlib import Path

from experiments.stack import engine, load
from loadtests.planning import plan
from loadtests.planning.mix import Mix
from loadtests.reach.endpoint import Endpoint

# Locust asks its shape once a second whether to go on; three such questions come before the word.
LONG_S = 3.5


def test_a_generator_that_waits_long_for_its_start_still_plays_its_plan(tmp_path: Path) -> None:
    """A sweep starts the next cell's generator while the last one drains, however long that takes."""
    arrivals = plan.make("constant", 10.0, 0.5, 1.0, 1, Mix.fixed(16, 4))
    arrivals.save(tmp_path / "plan.json")
    choice = engine.choose("emulator")
    with engine.running(choice, log_dir=tmp_path) as emulator:
        job = load.LoadJob(
            target=Endpoint.parse(emulator.url),
            model=emulator.model,
            plan_file=tmp_path / "plan.json",
            run_dir=tmp_path / "run",
            log_path=tmp_path / "locust.log",
            drain_s=5.0,
        )
        generator = load.start(job)
        try:
            generator.wait_ready()
            assert generator.wait(LONG_S) is None, "it ended before it was told to begin"
            generator.go()
            assert generator.wait(30.0) is not None
        finally:
            generator.stop()
    lines = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert len(lines) == len(arrivals)
