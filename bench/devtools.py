"""A headless Chromium, driven through the pipe of its DevTools protocol by the standard library alone.

For machines that have a browser but no Playwright. The protocol's messages are JSON, each ended by a zero byte; the
browser reads them from its descriptor 3 and answers on 4.

Source: Chrome DevTools Protocol, domains Target, Page, Runtime, Emulation, Log and Network.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

ARGUMENTS = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--hide-scrollbars",
]


class Browser:
    """Runs until it is closed, with a profile of its own that goes with it."""

    def __init__(self, program: str, arguments: Iterable[str] = ()) -> None:
        self._profile = tempfile.mkdtemp(prefix="lapack-ai-profile-")
        ours, theirs = os.pipe(), os.pipe()
        ends = [os.dup(ours[0]), os.dup(theirs[1])]
        # Descriptors above 4 are left as they are when 3 and 4 are taken.
        while min(ends) <= 4:
            ends = [os.dup(end) for end in ends]

        def take_descriptors() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        # Root, as in containers, cannot use the sandbox.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [program, *ARGUMENTS, *sandbox, *arguments, f"--user-data-dir={self._profile}", "about:blank"]
        self._process = subprocess.Popen(
            command, preexec_fn=take_descriptors, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (ours[0], theirs[1], *ends):
            os.close(end)
        self._write, self._read = ours[1], theirs[0]
        self._buffer = bytearray()
        self._count = 0
        self._tabs: dict[str, Tab] = {}
        self.version = str(self.call("Browser.getVersion", timeout=60)["product"])

    def call(self, method: str, session: str | None = None, timeout: float = 30, **values: Any) -> dict[str, Any]:
        """The answer to one message; what the tabs tell meanwhile goes to them."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": values}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + timeout
        while True:
            told = self._message(end - time.monotonic())
            if told.get("id") == self._count:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                return dict(told["result"])
            if told.get("sessionId") in self._tabs:
                self._tabs[told["sessionId"]].hear(told["method"], told["params"])

    def _message(self, timeout: float) -> dict[str, Any]:
        while (end := self._buffer.find(b"\0")) < 0:
            if not select.select([self._read], [], [], max(timeout, 0))[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise ConnectionError(f"the browser has ended with status {self._process.wait(10)}")
            self._buffer += part
        message = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return dict(json.loads(message))

    def tab(self, url: str, width: int, height: int, theme: str = "light") -> Tab:
        """A new tab at the address."""
        target = self.call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        tab.look(width, height, theme)
        tab.go(url)
        return tab

    def close(self) -> None:
        """End it and remove its profile."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Tab:
    """A tab that notes errors, and requests to other places than where it was sent."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session
        self._home = "about:"
        self.faults: list[str] = []

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """The answer to one message to this tab."""
        return self._browser.call(method, self._session, **values)

    def hear(self, method: str, told: dict[str, Any]) -> None:
        """What the browser tells of this tab."""
        if method == "Runtime.exceptionThrown":
            self.faults.append(f"error: {told['exceptionDetails'].get('exception', {}).get('description')}")
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.faults.append(f"console: {told['entry']['text']}")
        elif method == "Network.requestWillBeSent":
            url = told["request"]["url"]
            if not url.startswith((self._home, "data:", "blob:", "about:")):
                self.faults.append(f"request to {url}")

    def look(self, width: int, height: int, theme: str) -> None:
        """Set the size of the window and what it prefers, light or dark."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def go(self, url: str) -> None:
        """Open an address."""
        self._home = url.split("?")[0]
        self.call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """The value of an expression on the page."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"{script}: {told['exceptionDetails'].get('exception', {}).get('description')}")
        return told["result"].get("value")

    def wait_for(self, script: str, timeout: float = 15) -> Any:
        """The expression's value as soon as it is true; the last, which is not, when time is over."""
        end = time.monotonic() + timeout
        while True:
            value = self.evaluate(script)
            if value or time.monotonic() > end:
                return value
            time.sleep(0.1)

    def picture(self, path: Path) -> None:
        """What the window shows, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """Close it."""
        self._browser.call("Target.closeTarget", targetId=self._target)
