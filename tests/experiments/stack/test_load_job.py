"""What a load job says to Locust."""

from itertools import pairwise
from pathlib import Path

from experiments.stack.load import LoadJob
from loadtests.planning.optional_fields import AnswerLengths, OptionalFields, UsageFields
from loadtests.reach import handed_down
from loadtests.reach.endpoint import Endpoint

LEAST = LoadJob(Endpoint.parse("http://127.0.0.1:1"), "m", Path("plan.json"), Path("run"), Path("log"))


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
        Endpoint.parse("http://h", "key"),
        "m",
        *paths,
        "ttft<=1s",
        5.0,
        9001,
        "10.0.0.1",
        Endpoint.parse("http://u:p@e"),
        Path("cost.json"),
        (0,),
        OptionalFields(AnswerLengths.FREE, UsageFields.NONE),
    )
    argv = job.argv(Path("run/go"))
    given = {flag: value for flag, value in pairwise(argv) if flag.startswith("--")}
    assert (given["--lengths"], given["--usage"]) == ("free", "none")
    assert given["--slo"] == "ttft<=1s"
    assert given["--drain"] == "5"
    assert (given["--metrics-host"], given["--metrics-port"]) == ("10.0.0.1", "9001")
    assert given["--tokenize-url"] == "http://e"
    assert Path(given["--prompt-cost-file"]).name == "cost.json"


def test_credentials_go_through_the_environment() -> None:
    """Everybody on the machine can read a command line."""
    paths = Path("plan.json"), Path("run"), Path("log")
    job = LoadJob(Endpoint.parse("http://me:my-word@h/prefix", "my-key"), "m", *paths)
    assert "my-" not in " ".join(job.argv(Path("run/go")))
    told = handed_down.endpoint("http://h/prefix", "", job.environment()[handed_down.VARIABLE])
    assert (told.login, told.api_key) == ("me:my-word", "my-key")
    assert handed_down.VARIABLE not in LEAST.environment()
