"""A chat completion server that does exactly what a script says, on an absolute schedule, and
logs what it did.

Run as a process: `python scripted_upstream.py LOG SCRIPT_JSON`; prints its port. Times are
`time.monotonic()`, which on one machine is the same clock for every process. A request's behaviour is
chosen by its order of arrival.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def event(choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
    chunk: dict[str, Any] = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": choices}
    if usage is not None:
        chunk["usage"] = usage
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def delta(content: str, finish_reason: str | None = None, **role: str) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": {**role, "content": content}, "finish_reason": finish_reason}]


CONTENT = event(delta(" word"))
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "step", "arguments": "{"}}
SAYS = {
    "tool": event([{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": None}]),
    "reasoning": event([{"index": 0, "delta": {"reasoning_content": " hm"}, "finish_reason": None}]),
}
ROLE = event(delta("", role="assistant"))
LAST = event(delta("", "length"))
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
    b"x-gateway-limits-version: 7\r\nserver-timing: queue;dur=1.500, upstream;dur=2.250\r\n\r\n"
)


@dataclass
class Script:
    """ttft_s, gap_s: from the request's last byte to the first content chunk, and between chunks.

    behaviours: cycled over requests in order of arrival; see `Exchange.run`. stall: [from, length]
    in seconds after the first request: every write due inside is made at its end, and nothing is
    read. tokenize: has /tokenize. prompt_factor: times the words of a prompt, as its usage tells them.
    slots: answers at a time.
    """

    ttft_s: float = 0.02
    gap_s: float = 0.01
    behaviours: list[str] = field(default_factory=lambda: ["ok"])
    stall: list[float] = field(default_factory=list)
    tokenize: bool = False
    retry_after_s: float = 0.2
    retry_after_ms: int | None = None
    prompt_factor: float = 1.0
    slots: int = 1000
    tls: str = ""


class Upstream:
    def __init__(self, script: Script, log: Any) -> None:
        self.script = script
        self.log = log
        self.count = 0
        self.first_s: float | None = None
        self.slots = asyncio.Semaphore(script.slots)

    def stalled_until(self, when_s: float) -> float:
        """`when_s`, or the end of the stall it falls into."""
        if self.script.stall and self.first_s is not None:
            start = self.first_s + self.script.stall[0]
            if start <= when_s < start + self.script.stall[1]:
                return start + self.script.stall[1]
        return when_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])
                }
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                path = head.split(b" ", 2)[1].decode()
                if path.endswith("/chat/completions"):
                    if not await self.chat(json.loads(body), fields, writer):
                        return
                else:
                    self.other(path, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    def other(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        status = 404
        answer: dict[str, object] = {"error": {"message": "no such route"}}
        if path == "/v1/models":
            status, answer = 200, {"data": [{"id": "scripted-model"}]}
        elif path == "/log-count":
            status, answer = 200, {"count": self.count}
        elif path == "/metrics":
            body = b"gateway_active 1\ngateway_active_limit 6\ngateway_queue_limit 20\n"
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            return
        elif path == "/tokenize" and self.script.tokenize:
            text = " ".join(m["content"] for m in json.loads(body)["messages"])
            status, answer = 200, {"count": tokens_of(text)}
        write_json(writer, status, answer)

    async def chat(
        self, request: dict[str, Any], fields: dict[str, str], writer: asyncio.StreamWriter
    ) -> bool:
        """Returns whether the connection goes on."""
        received_s = time.monotonic()
        if self.first_s is None:
            self.first_s = received_s
        behaviour = self.script.behaviours[self.count % len(self.script.behaviours)]
        self.count += 1
        entry: dict[str, Any] = {
            "id": fields.get("x-request-id"),
            "lane": [fields.get("x-headroom-tenant"), fields.get("x-headroom-class")],
            "behaviour": behaviour,
            "received_s": received_s,
            "chunks_s": [],
            "messages": request["messages"],
            "request": {key: value for key, value in request.items() if key != "messages"},
        }
        try:
            async with self.slots:
                begun_s = received_s if self.script.slots == 1000 else time.monotonic()
                return await self.behave(behaviour, request, begun_s, entry, writer)
        except ConnectionError:
            entry["gone"] = True
            return False
        finally:
            entry["end_s"] = time.monotonic()
            self.log.write(json.dumps(entry) + "\n")
            self.log.flush()

    async def behave(
        self,
        behaviour: str,
        request: dict[str, Any],
        received_s: float,
        entry: dict[str, Any],
        writer: asyncio.StreamWriter,
    ) -> bool:
        if behaviour == "429":
            reject(writer, 429, "rejected_full", self.script.retry_after_s, self.script.retry_after_ms)
            return True
        if behaviour == "503":
            reject(writer, 503, "queue_timeout", None)
            return True
        if behaviour == "500":
            write_json(writer, 500, {"error": {"message": "boom"}})
            return True
        refused = sorted({"min_tokens", "ignore_eos", "stream_options"} & request.keys())
        if behaviour == "plain" and refused:
            message = f"Unrecognized request argument supplied: {', '.join(refused)}"
            write_json(writer, 400, {"error": {"message": message, "type": "invalid_request_error"}})
            return True
        if behaviour == "400":
            write_json(writer, 400, {"error": {"message": "bad"}})
            return True
        if behaviour == "close_before_head":
            return False
        if behaviour == "reset":
            writer.transport.abort()
            return False
        if behaviour == "garbage":
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            return False
        await self.until(received_s + self.script.ttft_s / 2)
        writer.write(HEAD)
        entry["head_s"] = time.monotonic()
        self.send(writer, ROLE)
        if behaviour == "close_after_head":
            return False
        n = {"short": 3, "long": 2 * int(request["max_tokens"])}.get(behaviour, int(request["max_tokens"]))
        for k in range(n):
            await self.until(received_s + self.script.ttft_s + k * self.script.gap_s)
            if writer.transport.is_closing():
                entry["gone"] = True
                return False
            if k == n // 2 and behaviour == "close_mid":
                return False
            if k == n // 2 and behaviour == "hang":
                await asyncio.sleep(3600)
            if k == n // 2 and behaviour == "error_event":
                self.send(writer, b'data: {"error":{"message":"engine died","code":"upstream_error"}}\n\n')
                writer.write(b"0\r\n\r\n")
                return True
            if k == n // 2 and behaviour == "bad_json":
                self.send(writer, b"data: {oops\n\n")
            entry["chunks_s"].append(time.monotonic())
            self.send(writer, SAYS.get(behaviour, CONTENT))
        if behaviour == "no_done":
            writer.write(b"0\r\n\r\n")
            return True
        words = len(" ".join(m["content"] for m in request["messages"]).split())
        prompt = int(words * self.script.prompt_factor)
        usage = event([], {"prompt_tokens": prompt, "completion_tokens": n, "total_tokens": prompt + n})
        told = [] if behaviour == "no_usage" or "stream_options" not in request else [usage]
        writer.write(b"".join(chunked(x) for x in (LAST, *told, b"data: [DONE]\n\n")) + b"0\r\n\r\n")
        return True

    async def until(self, when_s: float) -> None:
        """Sleep to an absolute time; asyncio rounds to a millisecond, so the log holds what was done,
        not what was due."""
        left_s = self.stalled_until(when_s) - time.monotonic()
        if left_s > 0:
            await asyncio.sleep(left_s)

    def send(self, writer: asyncio.StreamWriter, event: bytes) -> None:
        writer.write(chunked(event))


def chunked(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def write_json(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any], extra: str = "") -> None:
    body = json.dumps(answer).encode()
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    )
    writer.write(head.encode() + body)


def reject(
    writer: asyncio.StreamWriter,
    status: int,
    outcome: str,
    retry_after_s: float | None,
    retry_after_ms: int | None = None,
) -> None:
    extra = f"x-gateway-outcome: {outcome}\r\nserver-timing: queue;dur=12.000\r\n"
    if retry_after_s is not None:
        extra += f"retry-after: {retry_after_s}\r\n"
    if retry_after_ms is not None:
        extra += f"retry-after-ms: {retry_after_ms}\r\n"
    write_json(writer, status, {"error": {"message": outcome, "code": outcome}}, extra)


def tokens_of(text: str) -> int:
    """A tokenizer of ours: 9 for the template, short words cost 1, words of five letters and more 2."""
    return 9 + sum(1 if len(word) < 5 else 2 for word in text.split())


async def main(script: Script, log: Any) -> None:
    upstream = Upstream(script, log)
    tls = None
    if script.tls:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(script.tls)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=4096, limit=2**22, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w") as log_file:
        asyncio.run(main(Script(**json.loads(sys.argv[2])), log_file))
