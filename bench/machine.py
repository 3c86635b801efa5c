"""What the measurements say of the machine that they ran on."""

from __future__ import annotations

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def cpuinfo() -> str:
    """The system's own description of its processors, where it has one."""
    return _CPUINFO.read_text() if _CPUINFO.exists() else ""


def processor() -> str:
    """The processor's name."""
    lines = cpuinfo().splitlines()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.processor())
