"""Driving a headless Chromium over the DevTools protocol: open, evaluate, wait, take a picture."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._next = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._next += 1
        await self._socket.send_json({"id": self._next, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive(timeout=60)).data)
            if message.get("id") == self._next:
                assert "error" not in message, message
                return dict(message["result"])

    async def js(self, expression: str) -> Any:
        """The value of an expression; a promise is awaited."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def until(self, expression: str, deadline_s: float = 30.0) -> Any:
        """Poll until the expression is true; returns its value."""
        give_up = asyncio.get_running_loop().time() + deadline_s
        while not (value := await self.js(expression)):
            assert asyncio.get_running_loop().time() < give_up, (
                f"not true within {deadline_s:g} s: {expression}"
            )
            await asyncio.sleep(0.1)
        return value

    async def picture(self, width: int = 1280, height: int = 900) -> bytes:
        """A PNG of the view."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


def start(folder: Path) -> subprocess.Popen[bytes]:
    assert CHROMIUM is not None
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
    return subprocess.Popen(
        [CHROMIUM, *flags, "--remote-debugging-port=0", f"--user-data-dir={folder}/profile", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def port_of(folder: Path) -> int:
    port_file = folder / "profile" / "DevToolsActivePort"
    for _ in range(600):
        if port_file.exists() and len(lines := port_file.read_text().splitlines()) == 2:
            return int(lines[0])
        await asyncio.sleep(0.1)
    raise AssertionError("Chromium did not open its port within a minute")


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A Chromium with one tab, its profile in `folder`; ended in any case."""
    process = start(folder)
    try:
        port = await port_of(folder)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tab = next(entry for entry in await answer.json() if entry["type"] == "page")
            async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=2**27) as socket:
                page = Page(socket)
                await page.call("Page.enable")
                yield page
    finally:
        stop(process)
