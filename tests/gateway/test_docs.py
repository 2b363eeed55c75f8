"""The gateway's pages are true to the code: every setting, metric, outcome and status is in them."""

import re
from http import HTTPStatus
from pathlib import Path

import gateway
from experiments.stack.receivers import RECEIVERS
from gateway.error_form import ANTHROPIC
from gateway.limits import QueueMode, QueueOrder
from gateway.metrics import HELP
from gateway.outcome import Outcome, Route
from gateway.served import ALIASES, SERVED
from gateway.settings import LiveSettings, Settings
from loadtests.outcome import Outcome as ClientOutcome
from loadtests.outcome import outcome_of_status

DOCS = Path(__file__).parents[2] / "docs"
OBSERVABILITY = (DOCS / "observability.md").read_text()
BACKPRESSURE = (DOCS / "backpressure.md").read_text()
LIFECYCLE = (DOCS / "request-lifecycle.md").read_text()
EVERYTHING = OBSERVABILITY + BACKPRESSURE + LIFECYCLE


def settings_table() -> str:
    """The table of settings as it must stand in docs/observability.md."""
    rows = ["| setting | default | live | what |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "–" if field.default is None else f"`{getattr(field.default, 'value', field.default)}`"
        live = "live" if name in LiveSettings.model_fields else ""
        rows.append(f"| `{name.upper()}` | {default} | {live} | {field.description} |")
    return "\n".join(rows)


def routes_table() -> str:
    """The table of routes as it must stand in docs/request-lifecycle.md."""
    rows = ["| path | `route` | slots | longest answer | errors |", "|---|---|---|---|---|"]
    for row in SERVED:
        others = [alias.path.decode() for alias in ALIASES if alias.route is row.route]
        paths = ", ".join(f"`{path}`" for path in (row.path.decode(), *others))
        slots = (row.sequences.__doc__ or "").split(".")[0].lower() if row.takes_slots else "none"
        longest = " or ".join(f"`{name}`" for name in row.longest) or "–"
        form = "Anthropic" if row.errors is ANTHROPIC else "OpenAI"
        rows.append(f"| {paths} | `{row.route.value}` | {slots} | {longest} | {form} |")
    return "\n".join(rows)


def test_every_route_is_in_the_table() -> None:
    """Paths, label, slots, bound and form, by the gateway's own table."""
    assert routes_table() in LIFECYCLE, routes_table()


def test_every_setting_is_in_the_table() -> None:
    """Name, default, whether it can change live, and what it does: the same words as in --help."""
    assert settings_table() in OBSERVABILITY


def test_every_setting_that_is_named_exists() -> None:
    """A capital name ending like a setting is one."""
    others = {"WEB_CONCURRENCY", *RECEIVERS}
    named = set(re.findall(r"`([A-Z][A-Z]+(?:_[A-Z0-9]+)+)[`=]", EVERYTHING)) - others
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_metric_is_documented_and_none_is_invented() -> None:
    """The table has each metric once, with its type."""
    named = set(re.findall(r"`(gateway_[a-z_]+)", OBSERVABILITY))
    assert named == set(HELP)


def mapping() -> dict[str, str]:
    """Gateway outcome → the cell that names the record outcomes."""
    table = OBSERVABILITY.split("## Outcomes")[1].split("## Metrics")[0]
    return dict(re.findall(r"^\| `([a-z_]+)` \|.*\| ([^|]*) \|$", table, re.MULTILINE))


def test_every_outcome_and_route_is_documented() -> None:
    """The mapping table has a row for each outcome, and the labels are listed."""
    assert set(mapping()) == {outcome.value for outcome in Outcome}
    assert all(f"`{route.value}`" in OBSERVABILITY for route in Route)


def test_the_mapping_to_record_outcomes_is_the_load_tests_own() -> None:
    """A gateway outcome becomes what the load client makes of it, and every name is in its closed set."""
    for outcome, cell in mapping().items():
        named = re.findall(r"`([a-z_]+)`", cell)
        assert set(named) <= set(ClientOutcome), outcome
        if outcome not in ("ok", "client_abort"):
            assert outcome_of_status(500, outcome) == named[0], outcome


def test_every_status_is_documented() -> None:
    """Each status that appears in the gateway's code is on a page."""
    assert gateway.__file__ is not None
    code = "".join(path.read_text() for path in Path(gateway.__file__).parent.rglob("*.py"))
    used = {int(status) for status in re.findall(r"\b([45]\d\d)\b(?! [sM])", code)}
    statuses = {status for status in used if status in {known.value for known in HTTPStatus} | {499}}
    assert statuses
    assert not [status for status in statuses if str(status) not in EVERYTHING]


def test_modes_and_orders_are_documented() -> None:
    """Every value of the two choices is explained."""
    assert all(f"`QUEUE_MODE={mode.value}`" in BACKPRESSURE for mode in QueueMode)
    assert all(f"`QUEUE_ORDER={order.value}`" in BACKPRESSURE for order in QueueOrder)
