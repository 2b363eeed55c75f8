"""Plain Locust: HttpUser and iter_lines, JSON parsed, first content and gaps noted. What most people
write."""

from __future__ import annotations

import json
import time

import gevent
from locust import HttpUser, events, task
from locust.exception import StopUser

TTFT: list[float] = []
ITL: list[float] = []
STARTED = [0]


@events.init_command_line_parser.add_listener
def _(parser: object) -> None:
    parser.add_argument("--requests", type=int, default=64)  # type: ignore[attr-defined]
    parser.add_argument("--chunks", type=int, default=100)  # type: ignore[attr-defined]
    parser.add_argument("--out", default="out.json")  # type: ignore[attr-defined]


class ChatUser(HttpUser):
    @task
    def chat(self) -> None:
        options = self.environment.parsed_options
        if STARTED[0] >= options.requests:
            raise StopUser
        STARTED[0] += 1
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": "word " * 64}],
            "max_tokens": options.chunks,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        start_s = last_s = time.perf_counter()
        first = True
        with self.client.post(
            "/v1/chat/completions", json=body, stream=True, catch_response=True, name="chat"
        ) as answer:
            for line in answer.iter_lines():
                if not line.startswith(b"data: {"):
                    continue
                choices = json.loads(line[6:])["choices"]
                if not choices or not choices[0]["delta"].get("content"):
                    continue
                now_s = time.perf_counter()
                (TTFT if first else ITL).append(now_s - (start_s if first else last_s))
                first, last_s = False, now_s


@events.init.add_listener
def _end_when_done(environment: object, **_: object) -> None:
    def watch() -> None:
        while len(TTFT) < environment.parsed_options.requests:  # type: ignore[attr-defined]
            gevent.sleep(0.05)
        environment.runner.quit()  # type: ignore[attr-defined]

    gevent.spawn(watch)


@events.quitting.add_listener
def _write(environment: object, **_: object) -> None:
    with open(environment.parsed_options.out, "w") as out:  # type: ignore[attr-defined]  # noqa: PTH123
        json.dump({"ttft": TTFT, "itl": ITL}, out)
