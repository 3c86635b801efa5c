"""Tests of the built images: `make test-images`, after `make images`. They need root, and no daemon.

LAPACK_AI_IMAGES names the directory with the unpacked images (deploy/images/build --unpack).
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import runtime

CHECKOUT = Path(__file__).resolve().parents[2]
IMAGES = Path(os.environ.get("LAPACK_AI_IMAGES", "/var/tmp/lapack-ai-images/unpacked"))


def _image(name: str) -> runtime.Image:
    lacks = runtime.missing()
    if lacks:
        pytest.skip(lacks)
    folder = IMAGES / name
    if not (folder / "image.json").exists():
        pytest.skip(f"the image {name} is not in {IMAGES}: make images")
    return runtime.Image(folder)


@pytest.fixture(scope="session")
def prod() -> runtime.Image:
    return _image("nvidia")


@pytest.fixture(scope="session")
def cpu() -> runtime.Image:
    return _image("cpu")


@pytest.fixture(scope="session")
def dev() -> runtime.Image:
    return _image("dev")


@pytest.fixture(scope="session", params=["nvidia", "cpu", "intel", "amd"])
def each(request: pytest.FixtureRequest) -> runtime.Image:
    """Every image for production that was built."""
    return _image(request.param)


@pytest.fixture
def kubectl() -> str:
    found = shutil.which("kubectl")
    if not found:
        pytest.skip("kubectl is missing: https://kubernetes.io/docs/tasks/tools")
    return found
