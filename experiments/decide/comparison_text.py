"""A comparison as Markdown for a pull request, and as JUnit XML for a build server."""

from xml.etree import ElementTree

from experiments.decide.comparison import Row, RunComparison
from experiments.stats.paired import EFFECT, LEAST_BLOCKS, POWER, Comparison, Verdict

WORDS = {
    Verdict.DIFFERENT: "different",
    Verdict.EQUAL: "equal",
    Verdict.CANT_TELL: "can't tell these apart",
}


def markdown(found: RunComparison) -> str:
    """One screen: the verdict, a row a cell, what was not compared, how to read it."""
    lines = [
        f"### {found.b.name} compared with {found.a.name}: {headline(found)}",
        "",
        f"Engine: {_engine(found)}. Judged under `{found.slo}`. Over all "
        f"{len(found.judged)} cells: {change(found.overall)} goodput, {WORDS[found.overall.verdict]} "
        f"({found.overall.why}){_further(found.overall)}.",
        *(["", f"Not judged: {'; '.join(unjudged)}."] if (unjudged := not_judged(found)) else []),
        "",
        "| setting | load | blocks | goodput A /s | B /s | change (interval) | verdict | TTFT p95 A → B "
        "| E2E p95 A → B |",
        "|---|---|--:|--:|--:|--:|---|--:|--:|",
        *(_line(row) for row in found.rows),
        "",
    ]
    if found.pairing.what_matters:
        lines += ["**Not the same experiment** (compared all the same, `--anyway`):", ""]
        lines += [f"- {difference}" for difference in found.pairing.what_matters] + [""]
    lines += [f"- {text}" for text in _notes(found)]
    return "\n".join(lines) + "\n"


def _engine(found: RunComparison) -> str:
    engine = found.pairing.a.engine
    return engine.label if engine is not None else "unknown"


def headline(found: RunComparison) -> str:
    """The verdict in words."""
    if found.regressed:
        return (
            f"worse ({len(found.worse)} of {len(found.judged)} cells)"
            if found.worse
            else "worse over all cells"
        )
    if found.verdict is Verdict.DIFFERENT:
        return "better"
    return f"equal within {found.delta:.0%}" if found.verdict is Verdict.EQUAL else WORDS[found.verdict]


def not_judged(found: RunComparison) -> list[str]:
    """What the comparison could not say, a clause each; empty where everything was judged."""
    said = []
    if found.recommended is not None and found.recommended_missing:
        name, blocks = found.recommended.name, _most_blocks(found)
        measured = f"{blocks} common block{'s' * (blocks != 1)} are too few" if blocks else "no common block"
        said.append(f"{name}, which {found.a.name} recommends ({measured})")
    few = [row for row in found.rows if not row.judged]
    if few:
        of = f"{len(few)} of {len(found.rows)} cells"
        said.append(f"{of}, which have fewer than {LEAST_BLOCKS} common blocks")
    if found.pairing.alone:
        said.append("cells that only one run has (listed below)")
    return said


def _most_blocks(found: RunComparison) -> int:
    """Common blocks of the recommended setting at the load where it has most."""
    own = [row for row in found.rows if row.pair.setting == found.recommended]
    return max((len(row.pair.a) for row in own), default=0)


def junit(found: RunComparison) -> str:
    """One test case a cell and one for the whole; a drop told apart from noise is a failure, "can't tell" is
    skipped."""
    cases = [(row.pair.name, row.goodput) for row in found.rows] + [("all cells", found.overall)]
    failed = [one for _, one in cases if _dropped(one)]
    unsure = [one for _, one in cases if one.verdict is Verdict.CANT_TELL]
    suite = ElementTree.Element(
        "testsuite", name=f"goodput against {found.a.name}", tests=str(len(cases)), failures=str(len(failed)),
        errors="0", skipped=str(len(unsure)),
    )  # fmt: skip
    for name, one in cases:
        case = ElementTree.SubElement(suite, "testcase", classname="headroom.goodput", name=name)
        text = f"{change(one)} ({one.why})"
        if _dropped(one):
            ElementTree.SubElement(case, "failure", message=text)
        elif one.verdict is Verdict.CANT_TELL:
            ElementTree.SubElement(case, "skipped", message=text + _further(one))
        else:
            ElementTree.SubElement(case, "system-out").text = text
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _line(row: Row) -> str:
    one, p95 = row.goodput, row.p95
    return (
        f"| {row.pair.setting.name} | {row.pair.load} | {one.blocks} | {one.baseline:.2f} "
        f"| {one.baseline + one.difference:.2f} | {change(one)} | {verdict(row)} "
        f"| {_seconds(p95['ttft_s'])} | {_seconds(p95['e2e_s'])} |"
    )


def verdict(row: Row) -> str:
    """What is said of one pair, in words."""
    return f"{WORDS[row.goodput.verdict]}{_further(row.goodput)}" if row.judged else "not judged"


def change(one: Comparison) -> str:
    """Relative change with its interval."""
    if one.relative is None:
        return "no goodput on either side"
    if one.relative_low is None or one.relative_high is None:
        return f"{one.relative:+.1%} (no interval)"
    return f"{one.relative:+.1%} ({one.relative_low:+.1%} to {one.relative_high:+.1%})"


def _further(one: Comparison) -> str:
    n = one.further_blocks
    return f"; {n} more block{'s' * (n > 1)} would" if n else ""


def _seconds(pair: tuple[float | None, float | None]) -> str:
    a, b = ("–" if value is None else f"{value:.3g} s" for value in pair)
    return f"{a} → {b}"


def _dropped(one: Comparison) -> bool:
    return one.verdict is Verdict.DIFFERENT and one.difference < 0


def _notes(found: RunComparison) -> list[str]:
    said = [
        "Change: goodput (served within the SLO, per second) of B less A on the same arrivals, as part of "
        "the larger one. The intervals together are wrong in 5 % of comparisons at most, also when blocks "
        "are added and it is looked at again; p95 are of the pooled served requests and are not judged.",
        f'"more blocks would": would find a change of {EFFECT:.0%} with a probability of {POWER:.0%}.',
    ]
    said += [f"differs, without harm: {d}" for d in found.pairing.differences if not d.matters]
    said += [f"left out, marked invalid: {name}" for name in found.pairing.left_out]
    return said + [f"not compared: {name}" for name in found.pairing.alone]
