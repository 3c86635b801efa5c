"""The demonstration runs to its end, and what it states about the library held."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.any_lapack

for package in ("matplotlib", "sklearn", "PIL"):
    pytest.importorskip(package)

FIGURES = ["digits_kernel", "digits_pca", "nearly_singular", "photo_compression", "regression", "texture"]
OPERATIONS = ["svd", "eigh", "lstsq", "qr", "cholesky", "solve", "matmul"]


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    # A warning that a user would see is a fault of the demonstration.
    command = [sys.executable, "-W", "error", "-m", "lapack_py.demo", "--quick", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return folder, done


def test_every_check_of_the_demonstration_holds(demonstration):
    _, done = demonstration
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert done.stdout.count("\n  ok   ") >= 8
    assert "Traceback" not in done.stderr


def test_every_figure_is_drawn(demonstration):
    folder, _ = demonstration
    assert sorted(path.stem for path in folder.glob("*.png")) == FIGURES
    for path in folder.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 10_000


def test_the_table_has_every_operation_with_times_and_an_error_of_a_few_units(demonstration):
    _, done = demonstration
    lines = done.stdout.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.startswith("operation"))
    rows = [line for line in lines[heading + 2 : lines.index("", heading)]]
    assert {row.split(",")[0] for row in rows} == set(OPERATIONS)
    for row in rows:
        assert " cpu " in row
        assert float(row.split()[-1]) < 10


def test_the_nearly_singular_system_is_explained_short_and_long(demonstration):
    _, done = demonstration
    for text in ("[LAP-W001]", "[LAP-E010]", "cause:", "fix (maybe):", "LAPACK: dgetrf returned INFO = "):
        assert text in done.stdout
