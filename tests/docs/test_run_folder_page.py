"""docs/run-folder.md is made from the declared types."""

from pathlib import Path

from experiments.run_folder import describe

PAGE = Path(__file__).resolve().parents[2] / "docs" / "run-folder.md"


def test_the_page_is_what_the_types_say() -> None:
    """Whoever changes a field makes it anew, with `python -m experiments.run_folder.describe`."""
    assert PAGE.read_text(encoding="utf-8") == describe.page()


def test_every_field_of_a_summary_is_in_it() -> None:
    """A part that nobody lists would be missing without a fault."""
    page = describe.page()
    for word in ("`attainment`", "### Doubt", "### Parts", "`n_eff`", "`engine_queue_s`"):
        assert word in page
