"""A headless Chromium over its DevTools protocol: open a page, wait for it, take pictures, hear it complain.

Protocol: https://chromedevtools.github.io/devtools-protocol/. Needs nothing but a Chromium on this machine.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",  # containers have a small one
    "--no-first-run",
)
START_S = 30.0
LOAD_S = 60.0
POLL_S = 0.1


def find() -> str | None:
    """The path of a Chromium, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


_PLACE = """
(selector => {
  const found = document.querySelector(selector);
  if (!found) return null;
  const seen = ["radio", "checkbox"].includes(found.type) ? found.labels[0] : found;
  seen.scrollIntoView({block: "center"});
  const box = seen.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const top = document.elementFromPoint(x, y);
  return box.width && seen.contains(top) ? [x, y] : null;
})(%s)
"""
"""Where to press; a radio button or a box is often drawn by its label."""
_NEXT_FRAME = (
    "new Promise(shown => requestAnimationFrame(() => requestAnimationFrame(shown))).then(() => true)"
)


@dataclass(slots=True)
class Page:
    """One tab. `complaints`: every console message, uncaught exception and log entry since it was opened."""

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    last: int = 0

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a method of the protocol; RuntimeError with the browser's words if it is refused."""
        self.last += 1
        await self.socket.send_json({"id": self.last, "method": method, "params": params})
        while True:
            message = await self._next()
            if message.get("id") == self.last:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error'].get('message')}")
                return dict(message.get("result", {}))

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=LOAD_S)
        self._hear(message.get("method", ""), message.get("params", {}))
        return message

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        self.events.append(method)
        if method == "Runtime.consoleAPICalled":
            said = " ".join(str(a.get("value", a.get("description"))) for a in params.get("args", []))
            self.complaints.append(f"{params.get('type')}: {said}")
        elif method == "Runtime.exceptionThrown":
            details = params.get("exceptionDetails", {})
            said = details.get("exception", {}).get("description", details.get("text"))
            self.complaints.append(f"exception: {said}")
        elif method == "Log.entryAdded":
            entry = params.get("entry", {})
            self.complaints.append(f"{entry.get('level')}: {entry.get('text')}")

    async def open(self, address: str) -> None:
        """Load an address and wait until it has loaded; a place in the same document is there at once."""
        self.events.clear()
        found = await self.ask("Page.navigate", url=address)
        while "loaderId" in found and "Page.loadEventFired" not in self.events:
            await self._next()

    async def look(self, width_px: int, height_px: int, *, dark: bool = False, paper: bool = False) -> None:
        """Give the window a size, and the page the light or dark scheme of the system, or the print style."""
        narrow = width_px < 500
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width_px, height=height_px, deviceScaleFactor=1, mobile=narrow,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.ask("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])
        await self.run(_NEXT_FRAME)

    async def run(self, script: str) -> Any:
        """The value of a JavaScript expression; RuntimeError when it throws."""
        found = await self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    async def until(self, script: str, deadline_s: float = 30.0) -> Any:
        """Poll until a JavaScript expression is true; returns its value.

        Raises:
            TimeoutError: it was not within `deadline_s` seconds; it has what the page shows.
        """
        give_up_s = asyncio.get_running_loop().time() + deadline_s
        while not (value := await self.run(script)):
            if asyncio.get_running_loop().time() > give_up_s:
                shown = await self.run("document.body.innerText")
                raise TimeoutError(
                    f"not true within {deadline_s:g} s: {script}\nthe page shows: {shown[-1500:]}"
                )
            await asyncio.sleep(POLL_S)
        return value

    async def click(self, selector: str) -> None:
        """Press the middle of an element with the mouse, as a person does: scrolled to, and not covered.

        Raises:
            TimeoutError: there is no such element that can be seen, or something lies over it.
        """
        place, before = await self.until(_PLACE % json.dumps(selector)), None
        while place != before:  # the page may still be moving, after a resize for one
            await self.run(_NEXT_FRAME)
            place, before = await self.until(_PLACE % json.dumps(selector)), place
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    async def type(self, selector: str, text: str) -> None:
        """Click into a field and type over what is in it."""
        await self.click(selector)
        await self.run(f"document.querySelector({json.dumps(selector)}).select()")
        await self.ask("Input.insertText", text=text)

    async def png(self, top: float = 0.0, size: tuple[int, int] | None = None) -> bytes:
        """A picture of the page from `top` on, of `size` (width, height); without it down to the end."""
        whole = (await self.ask("Page.getLayoutMetrics"))["cssContentSize"]
        width, height = size or (whole["width"], whole["height"] - top)
        height = min(height, whole["height"] - top)
        clip = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        found = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(found["data"])

    async def pdf(self) -> bytes:
        """The page as a printer would get it, A4."""
        found = await self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        return base64.b64decode(found["data"])


@asynccontextmanager
async def page() -> AsyncIterator[Page]:
    """A tab of a fresh Chromium, which is ended afterwards.

    Raises:
        RuntimeError: there is no Chromium, or it does not start.
    """
    binary = find()
    if binary is None:
        raise RuntimeError("No Chromium on this machine.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [binary, *QUIET, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
        child = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            address = await _tab(Path(profile) / "DevToolsActivePort")
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                tab = Page(socket)
                for domain in ("Page", "Runtime", "Log"):
                    await tab.ask(f"{domain}.enable")
                yield tab
        finally:
            if child.returncode is None:
                child.terminate()
            await child.wait()


async def _tab(port_file: Path) -> str:
    """The WebSocket address of the first tab, once Chromium has said at which port it listens."""
    until = asyncio.get_running_loop().time() + START_S
    while (port := _port(port_file)) is None:
        if asyncio.get_running_loop().time() > until:
            raise RuntimeError("Chromium did not start.")
        await asyncio.sleep(0.02)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/json") as answer:
        tabs = [tab for tab in await answer.json() if tab["type"] == "page"]
    return str(tabs[0]["webSocketDebuggerUrl"])


def _port(port_file: Path) -> str | None:
    """The port that Chromium wrote down; None while the file is missing or half-written."""
    lines = port_file.read_text().splitlines() if port_file.exists() else []
    return lines[0] if len(lines) > 1 else None
