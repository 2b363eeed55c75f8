"""The documents of a run folder: what is written is read again, and what is damaged becomes a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.run_folder import codec, describe
from experiments.run_folder.cell_summary import CellSummary
from experiments.run_folder.codec import NotReadableError
from experiments.run_folder.doubt import Doubt, DoubtCode, Severity
from experiments.run_folder.run_state import RunState
from experiments.spec.setting import Setting
from experiments.stack.engine_knobs import EngineKnobs
from experiments.stats.ledger import Check
from gateway.limits import Limits
from tests.experiments import plain
from tests.experiments.run_folder.any_document import values

KINDS = [kind for _, _, kinds in describe.DOCUMENTS for kind in kinds]
FULL = plain.load_summary()
SUMMARY = replace(
    plain.summary("c"),
    counts=FULL.counts,
    rates=FULL.rates,
    attainment=FULL.attainment,
    latency=FULL.latency,
    ledger=(Check("ok", 9, 9, True), Check("arrivals", 10, 10, True)),
    doubts=(
        Doubt(DoubtCode.CUT, Severity.WARN, "two requests"),
        Doubt(DoubtCode.DRIFT, Severity.WARN, "block 2"),
        Doubt(DoubtCode.LEDGER, Severity.INVALID, "one request"),
    ),
)


def document(value: object = SUMMARY) -> dict[str, Any]:
    """As a file holds it; a test may change it."""
    parsed: dict[str, Any] = json.loads(json.dumps(codec.to_json(value), allow_nan=False))
    return parsed


def tolerantly(changed: dict[str, Any]) -> tuple[CellSummary | None, list[str]]:
    return codec.from_json_tolerantly(CellSummary, changed, "c/summary.json")


def read_all_the_same(changed: dict[str, Any]) -> tuple[CellSummary, list[str]]:
    found, said = tolerantly(changed)
    assert found is not None, said
    return found, said


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_read_again(kind: type, data: st.DataObject) -> None:
    """Every document, whatever its values, in both ways of reading, without a word."""
    value = data.draw(values(kind))
    stored = document(value)
    assert codec.from_json(kind, stored, "x") == value
    assert codec.from_json_tolerantly(kind, stored, "x") == (value, [])


def test_files_hold_words_and_plain_lists() -> None:
    """Anybody's script reads them: enums as their words, a setting flat, the version first."""
    setting = Setting(Limits(max_active=4), EngineKnobs(max_num_seqs=8))
    stored = document(replace(SUMMARY, setting=setting))
    assert next(iter(stored)) == "schema_version"
    assert stored["schema_version"] == 1
    assert stored["setting"] == {
        "max_active": 4,
        "queue_mode": "queue",
        "queue_max": 100,
        "queue_timeout_s": 120.0,
        "queue_order": "fifo",
        "request_timeout_s": 300.0,
        "slot_cost": "requests",
        "max_num_seqs": 8,
    }
    assert stored["doubts"][0] == {"code": "cut", "severity": "warn", "text": "two requests"}
    assert stored["counts"]["outcomes"] == {"ok": 9, "rejected_full": 1}
    assert (stored["saturation"], stored["classes"]) == (None, None)


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """Nothing else is left in the folder, and the file says what was written last."""
    path = tmp_path / "summary.json"
    codec.write(path, SUMMARY)
    codec.write(path, replace(SUMMARY, attainment=0.5))
    assert codec.read(CellSummary, path).attainment == 0.5
    assert list(tmp_path.iterdir()) == [path]


def test_a_number_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    """A NaN in a file would be read by some programs and by others not."""
    with pytest.raises(ValueError, match="JSON"):
        codec.write(tmp_path / "summary.json", replace(SUMMARY, attainment=float("nan")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999"])
def test_a_number_that_is_not_finite_is_none(number: str, tmp_path: Path) -> None:
    """Other programs write some; no figure can draw them, no rate is infinite."""
    path = tmp_path / "summary.json"
    codec.write(path, SUMMARY)
    path.write_text(
        path.read_text().replace(f'"attainment": {SUMMARY.attainment}', f'"attainment": {number}')
    )
    assert codec.read(CellSummary, path) == replace(SUMMARY, attainment=None)


def test_what_a_later_version_added_is_left_alone() -> None:
    """A key that nobody knows harms nobody."""
    found, said = read_all_the_same({**document(), "colour": "blue"})
    assert (found, said) == (SUMMARY, [])
    assert codec.from_json(CellSummary, {**document(), "colour": "blue"}, "x") == SUMMARY


def test_another_format_is_named(tmp_path: Path) -> None:
    """By every way in; the sentence begins with the file's name."""
    changed = {**document(), "schema_version": 2}
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(changed))
    said = "is of format 2; this version reads format 1"
    with pytest.raises(NotReadableError, match=f"^c/summary.json {said}"):
        codec.from_json(CellSummary, changed, "c/summary.json")
    with pytest.raises(NotReadableError, match=f"^{path} {said}"):
        codec.read(CellSummary, path)
    with pytest.raises(NotReadableError, match=f"^{path} {said}"):
        codec.read_tolerantly(CellSummary, path, dict)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"cell": "c",\n "sentinel": fal', "not complete JSON (line 2)"),
        ("", "not complete JSON (line 1)"),
        ("[1, 2]", "a list, not an object"),
    ],
)
def test_a_damaged_file_is_one_sentence(content: str, said: str, tmp_path: Path) -> None:
    """Where it broke off; a disk that was full leaves such files."""
    path = tmp_path / "summary.json"
    path.write_text(content)
    for read in (
        lambda: codec.read(CellSummary, path),
        lambda: codec.read_tolerantly(CellSummary, path, dict),
    ):
        with pytest.raises(NotReadableError) as caught:
            read()
        assert str(caught.value) == f"{path} is damaged: {said}"


def test_reading_for_a_decision_names_the_first_fault() -> None:
    """The place as one would write it in a script, and what was expected."""
    changed = document()
    changed["counts"]["offered"] = "many"
    with pytest.raises(NotReadableError, match=r"^c/summary\.json: counts\.offered: .*integer"):
        codec.from_json(CellSummary, changed, "c/summary.json")
    del changed["counts"]["offered"], changed["window"]
    with pytest.raises(NotReadableError, match=r"^c/summary\.json: window: .*required"):
        codec.from_json(CellSummary, changed, "c/summary.json")


def test_a_part_that_is_missing_is_none() -> None:
    """Runs of earlier versions lack some: an empty list, no section, and nothing to complain of."""
    changed = document()
    for name in ("rates", "ledger", "prometheus", "engine", "attainment"):
        del changed[name]
    found, said = read_all_the_same(changed)
    expected = replace(SUMMARY, rates=None, ledger=(), prometheus={}, engine=None, attainment=None)
    assert (found, said) == (expected, [])


def test_a_part_of_the_wrong_kind_is_none_and_said() -> None:
    """The sentence names file and place."""
    found, (sentence,) = read_all_the_same({**document(), "rates": "fast"})
    assert found == replace(SUMMARY, rates=None)
    assert sentence.startswith("c/summary.json: rates cannot be used: ")
    assert sentence.endswith(".")


def test_only_the_number_that_is_wrong_is_lost_where_it_may_be_none() -> None:
    """The other rates are as good as before."""
    changed = document()
    changed["rates"]["goodput_per_s"] = "fast"
    found, (sentence,) = read_all_the_same(changed)
    assert found == replace(SUMMARY, rates=replace(FULL.rates, goodput_per_s=None))
    assert sentence.startswith("c/summary.json: rates.goodput_per_s cannot be used: ")


def test_the_section_around_a_number_that_must_be_there_is_lost() -> None:
    """Counts without the offered requests are no counts; all else stays."""
    changed = document()
    changed["counts"]["offered"] = "many"
    found, (sentence,) = read_all_the_same(changed)
    assert found == replace(SUMMARY, counts=None)
    assert sentence.startswith("c/summary.json: counts.offered cannot be used: ")


def test_a_setting_that_no_gateway_has_is_left_out() -> None:
    """A limit is missing, a mode or a limit is unknown, or there are numbers where an object was expected."""
    whole = document()["setting"]
    for wrong in ({"max_active": 2}, {**whole, "queue_mode": "pray"}, {**whole, "colour": 1}, [2, 10]):
        found, (sentence,) = read_all_the_same({**document(), "setting": wrong})
        assert found == replace(SUMMARY, setting=None)
        assert sentence.startswith("c/summary.json: setting cannot be used: ")


@pytest.mark.parametrize("wrong", [7, {"code": 7, "severity": "warn", "text": "odd"}, {"code": "cut"}])
def test_an_item_that_is_wrong_is_left_out_of_its_list(wrong: object) -> None:
    """The others keep their order."""
    changed = document()
    changed["doubts"][1] = wrong
    found, said = read_all_the_same(changed)
    assert found.doubts == (SUMMARY.doubts[0], SUMMARY.doubts[2])
    assert all("doubts.1" in sentence for sentence in said)


def test_an_item_with_two_faults_does_not_take_the_next_one_with_it() -> None:
    """What stands after it in the list is whole."""
    changed = document()
    changed["doubts"][1] = {"code": 7, "severity": 8, "text": "odd"}
    found, said = read_all_the_same(changed)
    assert found.doubts == (SUMMARY.doubts[0], SUMMARY.doubts[2])
    assert all("doubts.1" in sentence for sentence in said)


def test_wrong_items_of_a_long_list_are_left_out_and_no_others() -> None:
    """Of twelve rows the third and the eleventh."""
    rows = tuple(Check(f"row {k}", k, k, True) for k in range(12))
    changed = document(replace(SUMMARY, ledger=rows))
    changed["ledger"][2] = changed["ledger"][10] = "torn"
    found, said = read_all_the_same(changed)
    assert [row.what for row in found.ledger] == [row.what for k, row in enumerate(rows) if k not in (2, 10)]
    assert len(said) == 2


def test_a_document_without_what_it_is_about_is_none() -> None:
    """A cell without a window says nothing that could be used; the last sentence says so."""
    for changed in ({**document(), "window": "long"}, {"schema_version": 1}, {}):
        found, said = tolerantly(changed)
        assert found is None
        assert said[-1] == "c/summary.json is not of the expected form."


def test_a_run_state_of_another_file_is_none() -> None:
    """A summary where run.json should be."""
    found, said = codec.from_json_tolerantly(RunState, document(), "run.json")
    assert found is None
    assert said[-1] == "run.json is not of the expected form."


def test_what_is_read_is_not_changed() -> None:
    """The caller's document stays as it was, whatever was left out."""
    changed = document()
    changed["rates"]["goodput_per_s"] = "fast"
    changed["doubts"][1] = 7
    before = json.dumps(changed)
    tolerantly(changed)
    assert json.dumps(changed) == before


def test_a_doubt_of_another_version_keeps_its_cell_out() -> None:
    """What it is called there is not known here; that the numbers must not be used is."""
    changed = document()
    changed["doubts"][1] = {"code": "cosmic_rays", "severity": "invalid", "text": "a bit was turned"}
    found, said = read_all_the_same(changed)
    assert said == []
    assert found.doubts[1] == Doubt(DoubtCode.OTHER, Severity.INVALID, "a bit was turned")
    assert DoubtCode.OTHER in found.invalid_codes


def test_an_empty_item_before_a_torn_one_costs_no_other() -> None:
    """Both are left out, and what stands behind them is whole."""
    changed = document()
    changed["ledger"] = [dict(changed["ledger"][0]) for _ in range(6)]
    changed["ledger"][1]["agrees"] = None
    changed["ledger"][3] = "torn"
    found, _ = read_all_the_same(changed)
    assert len(found.ledger) == 4


@pytest.mark.parametrize(
    ("limit", "value"), [("max_active", "many"), ("queue_max", []), ("queue_timeout_s", None)]
)
def test_a_limit_of_the_wrong_type_is_named(limit: str, value: object) -> None:
    changed = document()
    changed["setting"][limit] = value
    with pytest.raises(NotReadableError, match=limit):
        codec.from_json(CellSummary, changed, "c/summary.json")
