"""The comparison of before and after: what is equal, what differs, where it says so."""

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.before_after import allowed, code, made
from benchmarks.before_after.__main__ import main, shown
from benchmarks.before_after.html_tables import of_page
from benchmarks.before_after.leaves import differences, of_document, same
from experiments.errors import EnvironmentProblem, UserError

PAGE = """<section id="cells"><table class="sortable"><caption>All cells</caption>
<thead><tr><th>Setting</th><th>Load</th><th class="n">Goodput</th></tr></thead>
<tbody><tr><td>2 slots</td><td>low</td><td class="n" data-v="{low}">{shown}<small>3–4</small></td></tr>
<tr><td>2 slots</td><td>high &amp; long</td><td class="n" data-v="5.5">5.50</td></tr>
<tr><td>2 slots</td><td>low</td><td class="n">–</td></tr></tbody></table>
<dl class="facts"><div><dt>Window</dt><dd>8 s</dd></div></dl>
<b id="goodput" data-v="5.5">5.50/s</b></section>"""


@pytest.mark.parametrize(
    ("before", "after", "equal"),
    [
        (1.0, 1.0 + 1e-13, True),
        (1.0, 1.0 + 1e-11, False),
        (3, 3.0, True),
        (0.0, 1e-300, False),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
        (True, 1, False),
        ("1", 1, False),
        ("a", "a", True),
        (None, 0.0, False),
        ("", None, False),
    ],
)
def test_two_leaves(before: object, after: object, equal: bool) -> None:
    """Numbers to a relative 1e-12; a word, a truth and nothing are only like themselves."""
    assert same(before, after) is equal  # type: ignore[arg-type]


def test_a_null_is_a_missing_key() -> None:
    """Nobody reads them apart; an empty list is something."""
    before = of_document({"a": {"b": None, "c": [1, None, {"d": "x"}]}, "e": []})
    assert before == {"/a/c/0": 1, "/a/c/2/d": "x", "/e": "[]"}
    assert differences(before, of_document({"a": {"c": [1, None, {"d": "x"}], "z": None}, "e": []})) == []


def test_a_difference_names_its_place_and_both_values() -> None:
    """Changed, gone, new."""
    before = of_document({"doubts": [{"code": "few", "n": 5}], "gone": 1})
    after = of_document({"doubts": [{"code": "few", "n": 6}], "new": False})
    found = {one.path: (one.before, one.after) for one in differences(before, after)}
    assert found == {"/doubts/0/n": (5, 6), "/gone": (1, None), "/new": (None, False)}


def test_cells_of_a_page_are_named_by_section_caption_row_and_column() -> None:
    """What is read and the exact value; rows of one name are counted; facts and lone values are there."""
    leaves = of_page(PAGE.format(low="3.14159", shown="3.14"), "report.html")
    assert leaves["report.html:cells/All cells/2 slots · low/Goodput"] == "3.14 3–4"
    assert leaves["report.html:cells/All cells/2 slots · low/Goodput (exact)"] == 3.14159
    assert leaves["report.html:cells/All cells/2 slots · high & long/Goodput (exact)"] == 5.5
    assert leaves["report.html:cells/All cells/2 slots · low #2/Goodput"] == "–"
    assert leaves["report.html:cells//Window/column 2"] == "8 s"
    assert leaves["report.html:goodput"] == 5.5


def test_a_value_that_reads_the_same_but_is_another_differs() -> None:
    """Rounding must not hide a change."""
    before = of_page(PAGE.format(low="3.14159", shown="3.14"), "p")
    after = of_page(PAGE.format(low="3.14160", shown="3.14"), "p")
    assert [one.path for one in differences(before, after)] == [
        "p:cells/All cells/2 slots · low/Goodput (exact)"
    ]


def test_exported_tables_are_compared_by_what_names_their_rows(tmp_path: Path) -> None:
    """An order of rows is no difference, a field is; an empty field is a missing value."""
    frame = pd.DataFrame(
        {"cell": ["a", "b"], "outcome": ["ok", "cut"], "share": [0.5, None], "yes": [True, False]}
    )
    found = []
    for name, table in (("before", frame), ("after", frame[::-1].assign(share=[None, 0.25]))):
        folder = tmp_path / name / "report-data"
        folder.mkdir(parents=True)
        table.to_csv(folder / "outcomes.csv", index=False)
        table.to_parquet(folder / "outcomes.parquet", index=False)
        found.append(made.of_csv(folder / "outcomes.csv") | made.of_parquet(folder / "outcomes.parquet"))
    assert "outcomes.csv:/b · cut/share" not in found[0]
    assert [one.path for one in differences(found[0], found[1])] == [
        "outcomes.csv:/a · ok/share", "outcomes.parquet:/a · ok/share",
    ]  # fmt: skip


def test_two_long_texts_are_shown_from_where_they_part() -> None:
    """A line of a table differs in one number somewhere in it."""
    same_start = "x" * 100
    assert shown(f"{same_start}1 and on", f"{same_start}2 and on") == ("…1 and on", "…2 and on")
    assert shown("a|b", None) == ("a\\|b", "–")
    assert shown(1.5, "y" * 99)[1] == "y" * 59 + "…"


def test_what_is_allowed_has_a_pattern_and_a_reason(tmp_path: Path) -> None:
    """The first pattern that fits gives the reason; a pattern that nothing needs is named."""
    path = tmp_path / "allowed.toml"
    path.write_text('[allowed]\n"*/tpot_s/*" = "one meaning"\n"*: gone" = "never shown"\n')
    meant = allowed.read(path)
    assert meant.reason("run: cells/x/summary.json:/latency/tpot_s/p50/value") == "one meaning"
    assert meant.reason("run: cells/x/summary.json:/latency/ttft_s/p50/value") is None
    assert meant.unused(["run: a/tpot_s/b"]) == ["*: gone"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("allowed = 1", "one table"),
        ('[allowed]\n"*" = ""', "needs a reason"),
        ("[", "not TOML"),
        (None, "No such file"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    """A list that cannot be read must not allow everything, or nothing, in silence."""
    path = tmp_path / "allowed.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        allowed.read(path)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose `reports` says which revision it is."""
    root = tmp_path / "repository"
    (root / "reports").mkdir(parents=True)
    git(root, "init", "-q")
    for text in ("old", "new"):
        (root / "reports" / "__init__.py").write_text(f"WHICH = {text!r}\n")
        git(root, "add", ".")
        git(root, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", text)
    return root


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_old_code_runs_in_a_worktree(repository: Path, tmp_path: Path) -> None:
    """Its own modules are imported, also beside installed ones; the worktree goes with the block."""
    with code.of_revision(repository, "HEAD~1", tmp_path / "w") as old:
        old.check()
        assert old.run("-c", "import reports; print(reports.WHICH)").stdout == "old\n"
        (old.root / "left.txt").touch()
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert not (tmp_path / "w" / "code").exists()


def test_the_worktree_goes_after_a_failure(repository: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle leaves nothing in the repository."""

    def interrupted() -> None:
        with code.of_revision(repository, "HEAD", tmp_path):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_a_revision_that_is_none_is_the_users_mistake(repository: Path, tmp_path: Path) -> None:
    """One sentence, in git's words."""
    with pytest.raises(UserError, match="nonsense"), code.of_revision(repository, "nonsense", tmp_path):
        pass


def test_code_that_imports_another_checkout_is_found_out(tmp_path: Path) -> None:
    """Comparing a state of the code with itself would find nothing."""
    with pytest.raises(EnvironmentProblem, match="nothing would be compared"):
        code.Code(tmp_path).check()


def test_a_run_that_is_none_is_the_users_mistake(tmp_path: Path) -> None:
    """Before a worktree is made."""
    with pytest.raises(UserError, match="not a folder"):
        main(["HEAD", str(tmp_path / "none")])
