"""The fault list as a page: docs/faults.md is made from the tests themselves by
`python -m tests.gateway.fault_table --write`.

A test says with `@pytest.mark.fault(7)` which cases it shows; its docstring's first sentence is
the table's text. CASES is the list of what must be shown; a case without a test must be in
ELSEWHERE with the place or the reason.
"""

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "faults.md"

CASES: dict[int, str] = {
    1: "reset within the request head",
    2: "reset within the body",
    3: "half-close after the request",
    4: "reset while queued",
    5: "reset in the tick of the grant",
    6: "reset before the engine accepts",
    7: "reset before the engine's head",
    8: "reset between head and first event",
    9: "reset between events",
    10: "reset before [DONE]",
    11: "reset after [DONE]",
    13: "slow and stalled readers",
    14: "a storm of aborts",
    15: "pipelining",
    16: "engine refused, unreachable, unknown",
    17: "engine accepts, never answers",
    18: "head, then silence",
    19: "silence between tokens",
    20: "endless trickle",
    21: "death within an event",
    22: "death between events",
    23: "clean end without [DONE]",
    24: "more after [DONE]",
    25: "engine's 4xx",
    26: "engine overloaded",
    27: "engine's 500",
    28: "wrong content type for a stream",
    29: "in-band errors",
    30: "garbage instead of HTTP",
    31: "bad chunk size",
    32: "content-length that lies",
    34: "strange and broken answer heads",
    35: "odd events: huge, split, commented",
    36: "redirects",
    37: "interim answers",
    38: "stale keep-alive connection",
    39: "engine restarts under load",
    41: "engine does not read",
    42: "engine's control routes hang",
    43: "body is not JSON",
    44: "text is not Unicode",
    45: "numbers JSON does not have",
    46: "deep nesting",
    47: "JSON that is no object",
    48: "duplicate keys",
    49: "fields of the wrong kind",
    50: "n > 1",
    51: "body too large",
    52: "content type and encoding",
    53: "wrong method and path",
    55: "strange ids, tenants, priorities",
    56: "request smuggling",
    57: "missing or double Host",
    58: "huge heads",
    59: "huge targets",
    60: "slow head",
    61: "slow body",
    62: "idle new connection",
    63: "10,000 idle connections, connection limit",
    64: "10,000 requests at once",
    68: "SIGTERM while streaming",
    69: "second signal",
    70: "SIGKILL under load",
    71: "restart under load",
    72: "wall clock jumps",
    74: "live changes under load",
    75: "bad settings",
    76: "scrapers: many, slow, none",
    80: "two workers",
    81: "timeout at the moment of the grant",
    82: "order under cancels, timeouts, resizes",
    83: "soak",
    84: "2×, 5×, 10× overload, and back",
    85: "offers to upgrade (h2c)",
    86: "HEAD",
    87: "HTTP/1.0 and streams",
    88: "a refusal while the client still sends",
    89: "pages of other origins",
    90: "engine refuses our own key",
    91: "header fields of others",
    92: "the engine's words about its errors",
    93: "the event in which a stream finishes",
    94: "engine behind TLS of an own CA, a login and a path",
    95: "engine behind a proxy",
    96: "engine that cannot be used",
    97: "secrets in what is shown",
    98: "engine without /health, without a list of models",
    100: "one gateway among others in a Prometheus",
    110: "keys of strangers, tenants that somebody claims to be",
    111: "a tenant over its tokens",
    112: "lanes that change under load",
    113: "a tenant that floods",
}

ELSEWHERE: dict[int, str] = {
    78: "no exporter runs in the gateway: `traceparent` is passed on, nothing is sent to a collector",
    79: "there is no shared limiter: one process counts",
}

OF_A_SWEEP: dict[str, dict[str, str]] = {
    "observe/test_metrics_page.py": {
        "test_what_is_no_page_is_told_and_harms_nobody": "a web page, JSON or a bomb in place of metrics",
        "test_a_page_is_read_whatever_its_header_says": "metrics under a wrong header, broken lines",
        "test_a_number_that_is_none_is_not_reported": "metrics that are no numbers",
        "test_a_list_of_models_that_is_none_is_one_sentence": "a web page in place of the models",
        "test_a_gateway_that_is_none_is_one_sentence": "a web page in place of the gateway",
    },
    "observe/test_identity.py": {
        "test_no_number_of_the_others_is_in_ours": "others' gateways and engines in one Prometheus",
        "test_what_cannot_be_told_is_asked_for": "an engine that several could be",
        "test_an_engine_that_is_not_scraped_has_no_series": "a Prometheus that does not scrape the engine",
        "test_a_gateway_that_is_not_scraped_is_one_sentence": "one that does not scrape the gateway",
    },
    "observe/test_identity_cases.py": {
        "test_two_replicas_of_a_prometheus_count_once": "a Prometheus with two replicas",
    },
    "measure/test_scope_doubts.py": {
        "test_every_other_is": "limits set by hand, a restart, two gateways at one address",
        "test_a_series_that_should_be_there_is_named_once": "a series without samples",
    },
}
"""What is met around a sweep: file below tests/experiments → test, whose docstring tells the rest → what."""


@dataclass(frozen=True)
class Shown:
    """A test and the cases it shows. long: runs with `make prove` only."""

    numbers: tuple[int, ...]
    test: str
    says: str
    long: bool


def shown() -> list[Shown]:
    """All marked tests, in the order of their first case."""
    rows = []
    for path in (*sorted(HERE.glob("test_*.py")), HERE.parent / "reaching" / "test_gateway.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                numbers = _numbers(node)
                if numbers:
                    says = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
                    rows.append(Shown(numbers, f"{path.name}::{node.name}", says, "prove" in _marks(node)))
    return sorted(rows, key=lambda row: row.numbers)


def _marks(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    return [ast.unparse(mark).removeprefix("pytest.mark.").split("(")[0] for mark in node.decorator_list]


def _numbers(node: ast.FunctionDef | ast.ClassDef) -> tuple[int, ...]:
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
            return tuple(int(ast.unparse(number)) for number in mark.args)
    return ()


INTRODUCTION = """# Faults and bad input: what is tried, and what must hold

Made from the tests by `python -m tests.gateway.fault_table --write`; a test fails when this page is
out of step. Each row is a test against a real `python -m gateway` process; engines and clients are
scripted at the wire.

After every one of them, within a second: no slot is held, nobody waits, the engine has nothing open
for us, every request that arrived has exactly one outcome (`arrived = Σ outcomes + in flight`), the
number of open files is back, no exception was left unretrieved, the engine never saw more than
MAX_ACTIVE at once, and the next ordinary request is answered with 200.

| case | what | behaviour that the test shows | test |
|---|---|---|---|
"""

SWEEPS = """
## Around a sweep

What engines, gateways and Prometheuses of other people do to a measurement; scripted at the wire, or two
real stacks beside each other.

| what | behaviour that the test shows | test |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = []
    for row in shown():
        what = "; ".join(CASES[number] for number in row.numbers)
        cases = ", ".join(map(str, row.numbers))
        test = f"`{row.test}`" + (" (`make prove`)" if row.long else "")
        rows.append(f"| {cases} | {what} | {row.says} | {test} |")
    rest = "".join(f"- {number}: {why}.\n" for number, why in ELSEWHERE.items())
    return INTRODUCTION + "\n".join(rows) + "\n\nCases that do not apply:\n\n" + rest + _of_a_sweep()


def _of_a_sweep() -> str:
    rows = []
    for file, tests in OF_A_SWEEP.items():
        tree = ast.parse((HERE.parent / "experiments" / file).read_text())
        found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        for test, what in tests.items():
            says = " ".join((ast.get_docstring(found[test]) or "").split())
            rows.append(f"| {what} | {says} | `{file.rpartition('/')[2]}::{test}` |\n")
    return SWEEPS + "".join(rows)


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page())
    else:
        print(page())
