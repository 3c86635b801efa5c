"""The tests of the dashboard in a real browser: `pytest tests/browser`.

They drive the Chromium of the system through Playwright. Without either, one test is left, which is skipped and says
what is missing. Pictures go to out/browser, or where LAPACK_AI_SCREENSHOTS says.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installed import BROWSER

HERE = Path(__file__).parent

# As in tests/python: the CPU's engine, and nothing of the user's.
os.environ["LAPACK_GPU_DEVICE"] = "none, for the tests of the dashboard"
_folder = tempfile.mkdtemp(prefix="lapack-ai-browser-tests-")
os.environ["LAPACK_AI_CACHE_DIR"] = _folder
os.environ["LAPACK_AI_HISTORY"] = str(Path(_folder) / "history.db")
_owner = os.getpid()

if BROWSER is None or importlib.util.find_spec("playwright") is None:
    collect_ignore = [path.name for path in HERE.glob("test_*.py") if path.name != "test_there_is_a_browser.py"]


@atexit.register
def _remove_the_folder() -> None:
    if os.getpid() == _owner:
        shutil.rmtree(_folder, ignore_errors=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root, as in containers, cannot use the sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=BROWSER, args=[*arguments, "--disable-dev-shm-usage"])
        yield started
        started.close()


class Tab:
    """A tab that notes what must not happen: errors, and requests to other places."""

    def __init__(self, page: Any, home: str) -> None:
        self.page, self.faults = page, list[str]()
        self.expected_errors = False
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("request", lambda request: self._asked(request.url, home))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and not self.expected_errors:
            self.faults.append(f"console: {text}")

    def _asked(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:")):
            self.faults.append(f"request to {url}")


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Any]:
    contexts = []
    tabs: list[Tab] = []

    def open_at(url: str, *, width: int = 1280, height: int = 900, theme: str = "light") -> Tab:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
        contexts.append(context)
        tab = Tab(context.new_page(), url.split("?")[0])
        tabs.append(tab)
        tab.page.goto(url)
        return tab

    yield open_at
    for context in contexts:
        context.close()
    assert [fault for tab in tabs for fault in tab.faults] == []


@pytest.fixture(scope="session")
def pictures() -> Path:
    folder = Path(os.environ.get("LAPACK_AI_SCREENSHOTS", "out/browser"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
