"""docs/faults.md and the fault list are in step with the tests."""

from tests.gateway.fault_table import CASES, PAGE, page, shown


def test_every_case_has_a_test() -> None:
    """No case of the list is left out, none is invented."""
    assert {number for row in shown() for number in row.numbers} == set(CASES)


def test_every_row_says_what_it_shows() -> None:
    """A row without a sentence is no documentation."""
    assert all(row.says.endswith(".") for row in shown())


def test_the_page_is_in_step() -> None:
    """`python -m tests.gateway.fault_table --write` has nothing to change."""
    assert PAGE.read_text() == page()
