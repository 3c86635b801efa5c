"""The dashboard in a real browser, beside a program that computes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from proxy import Proxy

import lapack_py as lap

PAGES = {
    "Overview": "Calls per second",
    "Operations": "Last calls",
    "Crossover": "order",
    "Roofline": "How near to the limit",
    "Accuracy": "Reciprocal condition numbers",
    "Memory": "Device pools",
    "History": "Runs",
    "Device": "Settings",
    "What to do": "no digit of some results is certain",
}
FIVE_SECONDS = 5000


@pytest.fixture
def monitor() -> Iterator[lap.Monitor]:
    with lap.monitor(port=0) as started:
        yield started


def some_work() -> None:
    """Many small systems, larger ones of several sizes, failures, and matrices without a certain digit."""
    rng = np.random.default_rng(0)
    small, b = rng.standard_normal((4, 4)) + 4 * np.eye(4), rng.standard_normal(4)
    for _ in range(100_000):
        lap.solve(small, b)
    for n in (60, 120, 250, 500):
        a = rng.standard_normal((n, n)) + n * np.eye(n)
        for _ in range(6):
            lap.solve(a, a[0])
            lap.matmul(a, a)
        lap.svd(a)
        lap.eigh(a + a.T)
    for _ in range(20):
        with pytest.raises(lap.SingularMatrixError):
            lap.solve(np.zeros((3, 3)), np.ones(3))
    doubtful = np.vander(np.linspace(1, 2, 25))
    for _ in range(8):
        with pytest.warns(lap.IllConditionedWarning):
            lap.solve(doubtful, np.ones(25))


def go_to(page: Page, name: str) -> None:
    page.get_by_role("link", name=re.compile(rf"^{name}")).click()


def is_live(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("live", timeout=3 * FIVE_SECONDS)


def cells(page: Page, *beginning: str) -> list[str]:
    """The texts of the table row that begins so."""
    page.wait_for_selector("tbody tr")
    rows = [row.locator("td").all_inner_texts() for row in page.locator("tbody tr").all()]
    return next(row for row in rows if row[: len(beginning)] == list(beginning))


def test_every_page_shows_what_the_program_did(open_tab, pictures):
    with lap.monitor(port=0):
        lap.solve(np.eye(60), np.ones(60))
    with lap.monitor(port=0) as monitor:
        look_at_every_page(monitor, open_tab, pictures)


def look_at_every_page(monitor: lap.Monitor, open_tab: Any, pictures: Path) -> None:
    some_work()
    tab = open_tab(monitor.url)
    page = tab.page
    is_live(page)
    assert "token" not in page.url
    for name, text in PAGES.items():
        go_to(page, name)
        expect(page.get_by_role("main")).to_contain_text(text, timeout=2 * FIVE_SECONDS)
        page.wait_for_timeout(1500)
        page.screenshot(path=pictures / f"dashboard-{name.lower().replace(' ', '-')}.png")

    go_to(page, "Operations")
    row = cells(page, "solve", "float64", "4")
    assert row[3:5] == ["CPU", "100,020"], "100,000 that ended well and 20 that failed, of orders 4 and 3"
    assert row[-1] == "20"
    assert cells(page, "svd", "float64", "512")[4] == "1"
    page.get_by_role("button", name="svd", exact=True).first.click()
    expect(page.get_by_role("main")).to_contain_text("Where the time goes")
    expect(page.get_by_role("main")).to_contain_text("computing")

    go_to(page, "History")
    page.locator("button.row").first.click()
    expect(page.get_by_role("main")).to_contain_text("Compared with the median")

    go_to(page, "Accuracy")
    expect(page.get_by_role("main")).to_contain_text("LAP-E010 20 times")
    expect(page.get_by_role("main")).to_contain_text("LAP-W001 8 times")
    page.close()


def test_values_follow_the_program_within_seconds_and_failures_raise_an_alert(monitor, open_tab, pictures):
    page = open_tab(monitor.url).page
    is_live(page)
    a = np.eye(50)
    for _ in range(37):
        lap.solve(a, a[0])
    expect(page.locator(".tile", has_text="Calls").nth(1)).to_contain_text("37", timeout=FIVE_SECONDS)
    for _ in range(30):
        with pytest.raises(lap.SingularMatrixError):
            lap.solve(np.zeros((3, 3)), np.ones(3))
    expect(page.locator(".alert")).to_contain_text(
        "calls failed within the last minute (LAP-E010)", timeout=FIVE_SECONDS
    )
    page.screenshot(path=pictures / "dashboard-alert.png")


def test_a_recommendation_says_what_to_do_with_numbers_and_code(monitor, open_tab):
    some_work()
    page = open_tab(monitor.url).page
    go_to(page, "What to do")
    card = page.locator(".card", has_text="no digit of some results is certain")
    expect(card).to_contain_text("8 of 8 calls of solve on 25x25 matrices", timeout=2 * FIVE_SECONDS)
    expect(card).to_contain_text("LAP-W001")
    assert "lap." in card.locator("code").inner_text()


@pytest.mark.timed
def test_many_small_calls_are_told_what_one_batch_would_take(monitor, open_tab):
    some_work()
    page = open_tab(monitor.url).page
    go_to(page, "What to do")
    card = page.locator(".card", has_text="solve calls of")
    told = re.compile(r"100,020 calls of solve on 4x4 matrices one by one took .*; one batched call on one array takes")
    expect(card).to_contain_text(told, timeout=2 * FIVE_SECONDS)
    assert "lap.solve(A" in card.locator("code").inner_text()


def test_the_page_comes_back_after_a_restart_and_says_meanwhile_that_nobody_answers(open_tab):
    token = "a-token-of-the-test"
    first = lap.monitor(port=0, token=token, history=False)
    port = first.port
    tab = open_tab(first.url)
    page = tab.page
    is_live(page)
    tab.expected_errors = True
    first.close()
    expect(page.get_by_role("status")).to_contain_text("reconnecting", timeout=2 * FIVE_SECONDS)
    with lap.monitor(port=port, token=token, history=False):
        is_live(page)


def test_a_wrong_token_is_asked_for_again(monitor, open_tab):
    tab = open_tab(monitor.url.split("?")[0] + "?token=not-the-right-token")
    tab.expected_errors = True
    page = tab.page
    expect(page.get_by_role("status")).to_contain_text("token is missing or wrong", timeout=FIVE_SECONDS)
    page.get_by_label("Token", exact=True).fill(monitor.token)
    page.get_by_role("button", name="open").click()
    is_live(page)


def test_behind_a_prefix_that_a_proxy_takes_off_everything_works(monitor, open_tab):
    proxy = Proxy(monitor.port, "/user/ada/proxy/8080")
    lap.solve(np.eye(60), np.ones(60))
    url = f"http://127.0.0.1:{proxy.port}/user/ada/proxy/8080/?token={monitor.token}"
    page = open_tab(url).page
    is_live(page)
    for name, text in list(PAGES.items())[:-1]:
        go_to(page, name)
        expect(page.get_by_role("main")).to_contain_text(text, timeout=2 * FIVE_SECONDS)
    page.close()
    proxy.close()
    assert proxy.refused == 0, "a path outside the prefix was asked for"


@pytest.mark.parametrize(("width", "height", "theme"), [(400, 800, "dark"), (1280, 900, "dark"), (3840, 2160, "light")])
def test_every_page_fits_its_window_in_both_themes(monitor, open_tab, pictures, width, height, theme):
    some_work()
    page = open_tab(monitor.url, width=width, height=height, theme=theme).page
    is_live(page)
    for name, text in PAGES.items():
        go_to(page, name)
        expect(page.get_by_role("main")).to_contain_text(text, timeout=2 * FIVE_SECONDS)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than {width}"
        size = float(page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)"))
        assert size >= (15 if width < 2000 else 24), f"{size} px is too small to read at {width}"
        if name in {"Overview", "Operations"}:
            page.screenshot(path=pictures / f"dashboard-{name.lower()}-{width}-{theme}.png")


def test_the_keyboard_reaches_pages_tables_and_details(monitor, open_tab):
    some_work()
    page = open_tab(monitor.url).page
    is_live(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Operations":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text("Last calls")
    sort = page.get_by_role("button", name="calls", exact=True)
    sort.focus()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=descending]").first).to_have_text("calls")
    first = page.locator("button.row").first
    first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text("Called from")
    page.wait_for_timeout(2500)
    assert page.evaluate("document.activeElement.className") == "row", "the update took the focus away"


def test_the_page_stays_right_while_threads_compute(monitor, open_tab):
    page = open_tab(monitor.url).page
    is_live(page)
    a = np.random.default_rng(0).standard_normal((120, 120))

    def work() -> None:
        for _ in range(100):
            lap.matmul(a, a)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    go_to(page, "Operations")
    expect(page.locator("tbody tr").first).to_contain_text("300", timeout=FIVE_SECONDS)
