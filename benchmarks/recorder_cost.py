"""What recording costs a request: `python -m benchmarks.recorder_cost [--rounds 100]`.

The work that is done only where RECORD_DIR is set, by size of the prompt: hashes of its leading bytes, the
row, the queue; and the writer's thread, with a real folder. With and without take turns, 20 requests at a
time, on the same requests; CPU time, medians over the rounds.
"""

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import orjson
import structlog

from gateway.account import Account
from gateway.call import Call
from gateway.metrics import Metrics
from gateway.outcome import Outcome, Route
from gateway.recorder import Recorder, of_settings
from gateway.request_body import BodyRules, parse
from gateway.served import CHAT
from gateway.settings import Settings

BLOCK = 20
SIZES_KB = (1, 11, 21, 31, 41, 51, 61, 71, 81, 91, 101)
_WORDS = "the quick brown fox jumps over the lazy dog and runs on through the field until night falls "


def body_of(size_kb: int, number: int) -> bytes:
    """A chat with a prompt of so many KB, of which the last words are its own."""
    text = (_WORDS * (size_kb * 1024 // len(_WORDS) + 1))[: size_kb * 1024 - 10] + f" {number:09}"
    messages = [{"role": "system", "content": text[:400]}, {"role": "user", "content": text[400:]}]
    return orjson.dumps({"model": "m", "messages": messages, "stream": True, "max_tokens": 256})


def play(account: Account, recorder: Recorder | None, bodies: list[bytes]) -> None:
    """What the recorder has to do with requests: parsing them, and their ends."""
    rules = BodyRules(128, prefixes=None if recorder is None else recorder.prefixes)
    fields = {b"content-length": b"1234", b"x-session-id": b"a-session"}
    for body in bodies:
        call = Call(Route.CHAT, b"0123456789abcdef", 1)
        if recorder is not None:
            call.asked = recorder.at_door(fields, None)
        wish = parse(body, CHAT, rules)
        if call.asked is not None:
            call.asked.learn(wish)
        call.received_s = call.dispatched_s = call.head_s = call.first_s = call.last_s = call.arrived_s + 0.1
        call.offered = True
        call.prompt_tokens, call.output_tokens = 300, 256
        call.ends(Outcome.OK, 200)
        account.finish_request(call)


def cpu_us(account: Account, recorder: Recorder | None, bodies: list[bytes]) -> float:
    """A request, of this thread's CPU time alone."""
    began_s = time.thread_time()
    play(account, recorder, bodies)
    return (time.thread_time() - began_s) / len(bodies) * 1e6


def writers_us(recorder: Recorder, play_all: Callable[[], int]) -> float:
    """What the writer's thread uses for a row of those that `play_all` makes; it says how many."""
    process_s, thread_s = time.process_time(), time.thread_time()
    before = recorder.written + recorder.lost
    rows = play_all()
    while recorder.written + recorder.lost < before + rows:
        time.sleep(0.3)
    used_s = (time.process_time() - process_s) - (time.thread_time() - thread_s)
    return used_s / rows * 1e6


def measure(rounds: int, folder: Path) -> tuple[dict[int, float], float]:
    """Size in KB → µs that recording adds to a request, and the writer's µs a row."""
    log = structlog.make_filtering_bound_logger("error")(None, [], {})
    recorder = of_settings(Settings(record_dir=str(folder)), log)
    assert recorder is not None
    recorder.start()
    metrics = Metrics(lambda: ())
    off, on = Account(metrics, log, "info"), Account(metrics, log, "info", recorder)
    added: dict[int, list[float]] = {size: [] for size in SIZES_KB}
    gc.freeze()

    def play_all() -> int:
        for number in range(rounds):
            for size in SIZES_KB:
                bodies = [body_of(size, number * BLOCK + k) for k in range(BLOCK)]
                without_us = cpu_us(off, None, bodies)
                added[size].append(cpu_us(on, recorder, bodies) - without_us)
        return rounds * len(SIZES_KB) * BLOCK

    of_writer_us = writers_us(recorder, play_all)
    recorder.stop()
    if recorder.lost:
        raise RuntimeError(f"{recorder.lost} rows were lost: the figures are of something else")
    return {size: median(found) for size, found in added.items()}, of_writer_us


def main() -> int:
    """Prints the table."""
    flags = argparse.ArgumentParser(prog="python -m benchmarks.recorder_cost")
    flags.add_argument("--rounds", type=int, default=100)
    options = flags.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "recording"
        added_us, writer_us = measure(options.rounds, folder)
        stored = [path for path in folder.iterdir() if path.suffix == ".jsonl"]
        lines = [line for path in stored for line in path.read_bytes().splitlines(keepends=True)[1:]]
    sizes, costs = np.array(list(added_us)), np.array(list(added_us.values()))
    slope = float(np.polyfit(sizes, costs, 1)[0]) * 10
    for size, cost in added_us.items():
        print(f"{size:4} KB  {cost:6.2f} µs a request")
    lengths = sorted(map(len, lines))
    print(f"a further 10 KB: {slope:.2f} µs")
    print(f"the writer's thread: {writer_us:.2f} µs a row")
    print(f"bytes a row: median {lengths[len(lengths) // 2]}, largest {lengths[-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
