"""The file of results: whole lines, one of each request, whatever happened before."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest

from loadtests.batch import results_file
from loadtests.batch.answer import BatchAnswer, BatchError
from loadtests.batch.stopping import BatchMistake, BatchStopped

GOOD = BatchAnswer(200, "r1", {"id": "c"}, None)
KNOWN = {"a", "b", "c"}


def test_a_result_is_a_line_of_the_usual_form(tmp_path: Path) -> None:
    """With the answer; or with an error, and the server's answer to it where there was one."""
    path = tmp_path / "out.jsonl"
    with results_file.opened(path, KNOWN) as results:
        results.add("a", GOOD)
        results.add("b", BatchAnswer(None, None, None, BatchError("timeout", "no answer")))
    first, second = map(json.loads, path.read_text().splitlines())
    assert first.pop("id").startswith("batch_req_")
    response = {"status_code": 200, "request_id": "r1", "body": {"id": "c"}}
    assert first == {"custom_id": "a", "response": response, "error": None}
    assert (second["response"], second["error"]) == (None, {"code": "timeout", "message": "no answer"})


def test_a_torn_line_is_dropped_and_the_rest_counts(tmp_path: Path) -> None:
    """What was being written when the process was killed is sent again."""
    path = tmp_path / "out.jsonl"
    with results_file.opened(path, KNOWN) as results:
        results.add("a", GOOD)
        results.add("b", BatchAnswer(400, None, {}, BatchError("invalid", "no")))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40])
    with results_file.opened(path, KNOWN) as results:
        assert (results.done_ids, results.failed_ids) == ({"a", "b"}, {"b"})
        results.add("c", GOOD)
    assert [json.loads(text)["custom_id"] for text in path.read_text().splitlines()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello\n", "line 1 is no result"),
        ('{"custom_id": "z", "error": null}\n', "line 1 is the result of 'z', which is no request here"),
        ('{"custom_id": "a", "error": null}\n' * 2, "line 2 is a second result of 'a'"),
        ('{"custom_id": [], "error": null}\n', "line 1 is the result of"),
    ],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, text: str, said: str) -> None:
    """Not a byte of it is changed."""
    path = tmp_path / "out.jsonl"
    path.write_text(text)
    with pytest.raises(BatchMistake, match=said), results_file.opened(path, KNOWN):
        pass
    assert path.read_text() == text


def test_two_batches_do_not_write_one_file(tmp_path: Path) -> None:
    """The second says so; when the first has ended it may."""
    path = tmp_path / "out.jsonl"
    with (
        results_file.opened(path, KNOWN),
        pytest.raises(BatchMistake, match="another batch is writing"),
        results_file.opened(path, KNOWN),
    ):
        pass
    with results_file.opened(path, KNOWN):
        pass


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A result for which there is no room leaves the file as it was; so does too little to begin with."""
    path = tmp_path / "out.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with results_file.opened(path, KNOWN) as results:
        results.add("a", GOOD)
        whole = path.read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, before[1]))
        try:
            with pytest.raises(BatchStopped, match="there is no room for it"):
                results.add("b", GOOD)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.read_bytes() == whole
        results.add("b", GOOD)
    with pytest.raises(BatchStopped, match="must stay free"), results_file.opened(path, KNOWN, 2**60):
        pass
