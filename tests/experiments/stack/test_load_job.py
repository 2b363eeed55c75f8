"""What a load job says to Locust."""

from itertools import pairwise
from pathlib import Path

from experiments.stack.load import LoadJob
from loadtests.planning.optional_fields import AnswerLengths, OptionalFields, UsageFields

LEAST = LoadJob("http://127.0.0.1:1", "m", Path("plan.json"), Path("run"), Path("log"))


def test_what_is_not_given_is_left_to_the_generator() -> None:
    """A flag without a value would replace Locust's default."""
    argv = LEAST.argv(Path("run/go"))
    assert argv[argv.index("--host") + 1] == "http://127.0.0.1:1"
    assert argv[argv.index("--go-file") + 1] == "run/go"
    for flag in (
        "--lengths",
        "--usage",
        "--slo",
        "--drain",
        "--metrics-port",
        "--metrics-host",
        "--api-key",
        "--tokenize-url",
    ):
        assert flag not in argv


def test_every_field_reaches_the_command_line() -> None:
    """Its value follows its flag, seconds without needless digits."""
    paths = Path("plan.json"), Path("run"), Path("log")
    job = LoadJob(
        "h", "m", *paths, "ttft<=1s", 5.0, 9001, "10.0.0.1", "key", "http://e", Path("cost.json"), (0,),
        OptionalFields(AnswerLengths.FREE, UsageFields.NONE),
    )  # fmt: skip
    argv = job.argv(Path("run/go"))
    given = {flag: value for flag, value in pairwise(argv) if flag.startswith("--")}
    assert (given["--lengths"], given["--usage"]) == ("free", "none")
    assert given["--slo"] == "ttft<=1s"
    assert given["--drain"] == "5"
    assert (given["--metrics-host"], given["--metrics-port"]) == ("10.0.0.1", "9001")
    assert (given["--api-key"], given["--tokenize-url"]) == ("key", "http://e")
    assert Path(given["--prompt-cost-file"]).name == "cost.json"
