"""What all test directories have in common: close calls at the end of the run, skips that fail, silence.

`helpers` imports the library, whose environment the directories' own conftest.py set up: so it is imported late.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

import pytest

pytest.register_assert_rewrite("helpers")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything that tests need is there, as in continuous integration, a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("LAPACK_AI_NO_SKIPS"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from helpers import WARN, close_calls

    if close_calls:
        terminalreporter.section(f"results above {WARN:g} n*eps")
        for line in close_calls:
            terminalreporter.write_line(line)


@pytest.fixture
def silent(capfd):
    """LAPACK libraries print complaints about arguments; none may reach the user."""
    yield
    if sys.platform != "win32":
        ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr() == ("", "")
