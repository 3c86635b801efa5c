"""What the pages show of a program that computes on both engines: on the first GPU, else on PoCL."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

WORKLOAD = Path(__file__).parent / "workload.py"
DEVICE = os.environ.get("LAPACK_AI_TEST_DEVICE", "pocl")
FIVE_SECONDS = 5000
PICTURES = {
    "Overview": "x on ",
    "Operations": "Last calls",
    "Crossover": "GPU, predicted",
    "Roofline": "CPU double: ",
    "Accuracy": "LAP-E010 5 times",
    "Memory": "before operands go in pieces",
    "History": "Compared with the median",
    "Device": "circuit breaker closed",
    "What to do": "calls of solve on 4x4 matrices",
}


def devices(environment: dict[str, str]) -> list[str]:
    code = "import lapack_py as lap; print([device.name for device in lap.devices()])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.replace("'", '"')))


class Program:
    """The workload, running."""

    def __init__(self, environment: dict[str, str]) -> None:
        command = [sys.executable, str(WORKLOAD)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.done: dict[str, int] = json.loads(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate(timeout=60)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("devices")
    environment = {**os.environ, "LAPACK_GPU_DEVICE": DEVICE, "LAPACK_AI_HISTORY": str(folder / "history.db")}
    if not devices(environment):
        pytest.skip("no OpenCL device; Debian, Ubuntu: apt-get install pocl-opencl-icd")
    # An earlier run, to compare with.
    Program(environment).end()
    started = Program(environment)
    yield started
    started.end()


def go_to(page: Page, name: str) -> None:
    page.get_by_role("link", name=re.compile(rf"^{name}")).first.click()


def open_operation(page: Page) -> None:
    page.get_by_role("button", name="matmul", exact=True).first.click()
    expect(page.get_by_text("Where the time goes")).to_be_in_viewport()


def open_run(page: Page) -> None:
    page.locator("button.row").last.click()
    page.locator("button.row").first.click()


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (400, "dark"), (3840, "light")])
def test_every_page_is_filled_by_a_program_on_both_engines(program, open_tab, pictures, width, theme):
    page = open_tab(program.url, width=width, height=900 if width < 3000 else 2160, theme=theme).page
    expect(page.get_by_role("status")).to_have_text("live", timeout=3 * FIVE_SECONDS)
    for name, text in PICTURES.items():
        go_to(page, name)
        if name == "History":
            open_run(page)
        expect(page.get_by_role("main")).to_contain_text(text, timeout=3 * FIVE_SECONDS)
        page.wait_for_timeout(1200)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than {width}"
        suffix = "" if (width, theme) == (1280, "light") else f"-{width}-{theme}"
        page.screenshot(path=pictures / f"devices-{name.lower().replace(' ', '-')}{suffix}.png")
        if name == "Operations":
            open_operation(page)


def test_the_numbers_of_both_engines_are_those_of_the_program(program, open_tab):
    page = open_tab(program.url).page
    go_to(page, "Operations")
    page.get_by_label("Filter").fill("matmul float32")
    page.get_by_label("Engine").select_option("opencl")
    expect(page.locator("tbody tr").first).to_contain_text("GPU", timeout=FIVE_SECONDS)
    rows = page.locator("table").first.locator("tbody tr")
    calls = [row.locator("td").nth(4).inner_text() for row in rows.all()]
    # Half of the products on the device are of this type.
    assert sum(int(text.replace(",", "")) for text in calls) == program.done["matmul opencl"] / 2
    page.get_by_label("Filter").fill("qr")
    page.get_by_label("Engine").select_option("")
    expect(rows).to_have_count(1)
    assert int(rows.first.locator("td").nth(4).inner_text()) == program.done["qr cpu"]


def test_what_is_selected_and_focused_stays_so_while_numbers_change(program, open_tab):
    page = open_tab(program.url).page
    go_to(page, "Accuracy")
    told = page.locator("td", has_text="LAP-E010").first
    expect(told).to_be_visible(timeout=FIVE_SECONDS)
    told.select_text()
    go_to_focus = page.get_by_role("link", name="Overview")
    go_to_focus.focus()
    page.wait_for_timeout(2500)
    assert page.evaluate("String(getSelection())").strip() == "LAP-E010"
    go_to(page, "Overview")
    advice = page.locator(".card", has_text="What to do").get_by_role("link").first
    expect(advice).to_be_visible(timeout=FIVE_SECONDS)
    advice.focus()
    page.wait_for_timeout(3500)
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#recommendations"


def test_a_dot_of_a_chart_says_what_it_is_to_the_keyboard(program, open_tab):
    page = open_tab(program.url).page
    go_to(page, "Roofline")
    dot = page.locator("circle").first
    expect(dot).to_be_attached(timeout=3 * FIVE_SECONDS)
    dot.focus()
    assert re.fullmatch(
        r"\w+ \w+ \d+ on the (GPU|CPU): .* at .*",
        str(page.evaluate("document.activeElement.getAttribute('aria-label')")),
    )
