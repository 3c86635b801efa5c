"""The dashboard inside a real notebook: JupyterLab, once reached directly and once as on a hub, through its proxy."""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Page, expect

pytest.importorskip("jupyterlab", reason="no JupyterLab; pip install -r requirements/notebook.txt")
pytest.importorskip("jupyter_server_proxy", reason="no jupyter-server-proxy; pip install -r requirements/notebook.txt")

BASE = "/user/ada/"
MINUTE = 60_000
WORK = """\
import numpy as np, lapack_py as lap
monitor = lap.monitor(port=0, history=False)
for _ in range(25):
    lap.solve(np.eye(50), np.ones(50))
monitor"""


class Lab:
    """A running JupyterLab, below a prefix as a hub's single-user servers are."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token = folder, secrets.token_hex(16)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        # Nothing of the user's, and no hub.
        own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
        options = {
            "ServerApp.port": self.port,
            "ServerApp.base_url": BASE,
            "ServerApp.root_dir": folder,
            "IdentityProvider.token": self.token,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", *arguments]
        with (folder / "log.txt").open("w") as log:
            self._process = subprocess.Popen(command, env={**environment, **own}, stdout=log, stderr=log)

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{BASE}api?token={self.token}", timeout=5).close()
                return
            except OSError:
                assert self._process.poll() is None, (self.folder / "log.txt").read_text()
                time.sleep(0.1)
        raise AssertionError((self.folder / "log.txt").read_text())

    def notebook(self, name: str, *cells: str) -> str:
        """Writes one; returns its address."""
        code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        written = [{**code, "id": f"cell-{number}", "source": source} for number, source in enumerate(cells)]
        text = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": written})
        (self.folder / name).write_text(text)
        return f"http://127.0.0.1:{self.port}{BASE}lab/tree/{name}?token={self.token}&reset"

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    started = Lab(tmp_path_factory.mktemp("lab"))
    try:
        started.wait()
        yield started
    finally:
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    yield context.new_page()
    context.close()


def shown_inline(page: Page, address: str) -> FrameLocator:
    """Runs all cells of a notebook; the page in the last one's output."""
    page.goto(address, timeout=MINUTE)
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=MINUTE)
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=MINUTE)
    # A busy machine makes it ask for what the notebook says.
    asked = page.get_by_role("button", name="Select Kernel")
    page.add_locator_handler(asked, lambda button: button.click())
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    frame = page.locator("iframe[title='LAPACK AI dashboard']")
    expect(frame).to_be_visible(timeout=MINUTE)
    return frame.content_frame


def take_picture(page: Page, path: Path) -> None:
    news = page.get_by_role("button", name="No", exact=True)
    if news.is_visible():
        news.click()
    page.wait_for_timeout(1500)
    page.screenshot(path=path)


def test_the_page_is_live_inside_a_notebook(lab, page, pictures):
    shown = shown_inline(page, lab.notebook("inline.ipynb", WORK))
    expect(shown.get_by_role("status")).to_have_text("live", timeout=MINUTE)
    expect(shown.locator(".tile", has_text="timed")).to_contain_text("25", timeout=MINUTE)
    assert page.locator("iframe").get_attribute("src").startswith("http://127.0.0.1:")
    take_picture(page, pictures / "dashboard-notebook.png")


def test_on_a_hub_the_page_is_live_through_the_servers_proxy_and_only_with_its_login(lab, page, pictures):
    hub = f"import os; os.environ['JUPYTERHUB_SERVICE_PREFIX'] = {BASE!r}"
    shown = shown_inline(page, lab.notebook("hub.ipynb", hub, WORK))
    expect(shown.get_by_role("status")).to_have_text("live", timeout=MINUTE)
    expect(shown.locator(".tile", has_text="timed")).to_contain_text("25", timeout=MINUTE)
    shown.get_by_role("link", name="Operations").click()
    expect(shown.get_by_role("main")).to_contain_text("solve", timeout=MINUTE)
    shown.get_by_role("link", name="Crossover").click()
    expect(shown.get_by_role("main")).to_contain_text("order", timeout=MINUTE)
    address = page.locator("iframe").get_attribute("src")
    assert address.startswith(f"{BASE}proxy/")
    take_picture(page, pictures / "dashboard-notebook-hub.png")
    stranger = page.context.browser.new_context().new_page()
    stranger.goto(f"http://127.0.0.1:{lab.port}{address}")
    assert "/login" in stranger.url, "the proxy asks for the server's own login before the page's token"
    stranger.context.close()
