"""The gateway reads `stream` and `n` as the installed vLLM's own request classes do."""

import json
import subprocess

import pytest

from experiments.stack import vllm_install
from gateway.lenient import boolean, integer

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not vllm_install.is_installed(vllm_install.CPU), reason="no vLLM: make engine"),
]
VALUES: list[object] = [
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    2.0,
    1.5,
    "2",
    "2.0",
    " 2 ",
    "two",
    "true",
    "Yes",
    "off",
    "",
    [],
    {},
]
ASK = """
import json, sys
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest as R
def read(name, value):
    fields = {"messages": [{"role": "user", "content": "x"}], name: value}
    try:
        return [getattr(R.model_validate(fields), name)]
    except Exception:
        return None
values = json.loads(sys.argv[1])
print("ANSWER" + json.dumps([[read(name, value) for value in values] for name in ("n", "stream")]))
"""


def test_values_are_read_as_vllms_own_classes_read_them() -> None:
    """Equal where vLLM takes the value; what it refuses is left to it, and nothing is refused here."""
    python = str(vllm_install.python_of())
    ended = subprocess.run(
        [python, "-c", ASK, json.dumps(VALUES)], capture_output=True, text=True, timeout=300
    )
    assert "ANSWER" in ended.stdout, ended.stderr[-2000:]
    theirs = json.loads(ended.stdout.split("ANSWER")[1])
    for read, answers in zip((integer, boolean), theirs, strict=True):
        for value, answer in zip(VALUES, answers, strict=True):
            assert read(value) == (answer[0] if answer else None), (read.__name__, value)
