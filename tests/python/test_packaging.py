"""What is installed and published: the type marker, ``python -m lapack_py``, and the check of wheels before release."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lapack_py as lap

pytestmark = pytest.mark.any_lapack

PACKAGE = Path(lap.__file__).parent
CHECK = Path(__file__).parents[2] / "bin" / "check-dist"
METADATA = """Metadata-Version: 2.4
Name: lapack-py
Version: 0.1.0
Requires-Dist: numpy>=2.0
Requires-Dist: scipy-openblas32>=0.3.29
Requires-Dist: pytest>=8 ; extra == 'test'
License-Expression: MIT OR Apache-2.0
Requires-Python: {python}
"""


def wheel(
    folder: Path, *, tag: str = "cp310-abi3-manylinux_2_28_x86_64", python: str = ">=3.10", more: str = ""
) -> Path:
    path = folder / f"lapack_py-0.1.0-{tag}.whl"
    info = "lapack_py-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("__init__.py", "__main__.py", "py.typed", "_native.pyi", "_native.abi3.so"):
            archive.writestr(f"lapack_py/{name}", "")
        for name in ("LICENSE-MIT", "LICENSE-APACHE"):
            archive.writestr(f"{info}/licenses/{name}", "")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n")
        archive.writestr(f"{info}/METADATA", METADATA.format(python=python))
        if more:
            archive.writestr(more, "")
    return path


def check(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(CHECK), str(path)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "tag",
    [
        "cp310-abi3-manylinux_2_28_aarch64",
        "cp310-abi3-linux_x86_64",
        "cp310-abi3-macosx_11_0_arm64",
        "cp310-abi3-win_amd64",
    ],
)
def test_a_wheel_of_the_stable_abi_passes_the_check(tag, tmp_path):
    done = check(wheel(tmp_path, tag=tag))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tag": "cp311-cp311-manylinux_2_28_x86_64"}, "is not that of the stable ABI"),
        ({"tag": "py3-none-any"}, "is not that of the stable ABI"),
        ({"python": ">=3.9"}, "Requires-Python is '>=3.9'"),
        ({"more": "tests/python/helpers.py"}, "contains tests/python/helpers.py"),
        ({"more": "lapack_py/_native.pyd"}, "has 2 compiled modules"),
    ],
    ids=str,
)
def test_a_wheel_that_must_not_be_published_fails_the_check(change, complaint, tmp_path):
    done = check(wheel(tmp_path, **change))
    assert done.returncode == 1
    assert complaint in done.stderr


def test_type_checkers_find_the_marker_and_the_stubs():
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_native.pyi").is_file()


def test_the_version_is_that_of_the_installed_distribution():
    assert importlib.metadata.version("lapack-py") == lap.__version__


def test_the_module_run_as_a_program_shows_version_library_diagnosis_and_demonstration():
    done = subprocess.run([sys.executable, "-m", "lapack_py"], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith(f"lapack_py {lap.__version__}, Python {sys.version.split()[0]}\n")
    assert str(lap.doctor()) in done.stdout
    assert lap.library_info()["path"] in done.stdout
    assert "python -m lapack_py.demo" in done.stdout
    assert done.returncode == (0 if lap.doctor().ok else 1)
