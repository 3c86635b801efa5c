"""Whether there is anything to test with."""

from __future__ import annotations

import importlib.util

import pytest
from installed import BROWSER


def test_there_is_a_browser_to_test_with():
    if BROWSER is None:
        pytest.skip("no Chromium; Debian, Ubuntu: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("no Playwright; pip install playwright")
