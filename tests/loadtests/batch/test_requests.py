"""A file of requests is right as a whole before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtests.batch import requests_file
from loadtests.batch.__main__ import main
from loadtests.batch.stopping import BatchStopped
from tests.loadtests.batch.batch_files import line, written

NOWHERE = "http://127.0.0.1:1"
GOOD = line("a")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "holds no requests"),
        ([GOOD, '{"custom_id":'], "line 2 is no JSON: unexpected end of data"),
        ([GOOD, "", "[]"], "line 3 is no JSON object"),
        ([GOOD, line("b"), line("a")], "line 3: custom_id 'a' is that of line 1 already"),
        ([{**GOOD, "custom_id": 7}], "line 1: custom_id must be a text of 1 to 512 characters"),
        ([line("x" * 513)], "line 1: custom_id must be a text of 1 to 512 characters"),
        ([{**GOOD, "method": "GET"}], "line 1: method is 'GET'; allowed: POST"),
        ([{**GOOD, "url": "/v1/embeddings"}], "line 1: url is '/v1/embeddings'; allowed: /v1/chat"),
        ([{**GOOD, "body": None}], "line 1: body must be a JSON object"),
        ([line("a", stream=True)], "line 1: a result is one line, so body.stream cannot be true"),
    ],
)
def test_what_is_wrong_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[Any], said: str
) -> None:
    """One sentence with the line, exit code 2, and no file of results; nobody is there to be asked."""
    path = written(tmp_path, lines)
    assert main(["run", str(path), "--host", NOWHERE]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert said in sentence
    assert not path.with_suffix(".results.jsonl").exists()


def test_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line, and of the file."""
    path = written(tmp_path, [GOOD, line("b", pad="x" * 500)])
    monkeypatch.setattr(requests_file, "MOST_LINE_BYTES", 300)
    assert main(["run", str(path), "--host", NOWHERE]) == 2
    assert "line 2 has more than 300 bytes" in capsys.readouterr().err
    monkeypatch.setattr(requests_file, "MOST_FILE_BYTES", 400)
    assert main(["run", str(path), "--host", NOWHERE]) == 2
    assert "allowed: up to 400" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such-file"], "no-such-file cannot be read: No such file or directory"),
        ([""], "cannot be read"),
        (["IN", "--slo", "fast"], "fast"),
        (["IN", "--host", "ftp://x"], "must be http://"),
        (["IN", "--out", "IN"], "--out is the file of the requests itself"),
        (["IN", "--out", "no/such/folder/out"], "cannot be written: No such file or directory"),
        (["IN"], "target 127.0.0.1:1 is unreachable: connection refused"),
    ],
)
def test_mistakes_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """The same."""
    path = written(tmp_path, [GOOD])
    given = [str(path) if word == "IN" else word for word in words]
    assert main(["run", "--host", NOWHERE, *given]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("headroom: ")
    assert said in last


def test_a_file_that_changes_under_way_ends_it(tmp_path: Path) -> None:
    """Another request is never sent in the place of one that was checked."""
    path = written(tmp_path, [GOOD, line("b")])
    with requests_file.opened(path) as requests:
        assert b'"user":"b"' in requests.body(requests.requests[1])
        path.write_text(path.read_text().replace('"b"', '"c"'))
        with pytest.raises(BatchStopped, match="was changed while it was sent"):
            requests.body(requests.requests[1])
