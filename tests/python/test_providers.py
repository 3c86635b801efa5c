"""The LAPACK that ``LAPACK_AI_LIBRARY`` names is the one that computes, whoever made it and whatever its integers.

``bin/fetch-lapacks`` brings the libraries; ``make test-providers`` runs the other tests with each. A process keeps its
LAPACK, so each case has its own.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import run_python

pytestmark = pytest.mark.any_lapack

ROOT = Path(__file__).parents[2]
INDEX = ROOT / ".cache" / "lapacks" / "index.json"
BITS = {
    "scipy-openblas32": 32,
    "scipy-openblas64": 64,
    "mkl-lp64": 32,
    "mkl-ilp64": 64,
    "debian-openblas": 32,
    "debian-reference": 32,
}
VENDORS = {"scipy": "OpenBLAS", "mkl": "Math Kernel Library", "debian-openblas": "OpenBLAS", "debian-reference": ""}
every_lapack = pytest.mark.parametrize("name", BITS)


def fetched(name: str) -> dict[str, Any]:
    """What ``bin/fetch-lapacks`` found out about a library."""
    if not INDEX.is_file():
        pytest.skip("there are no libraries yet; python bin/fetch-lapacks brings them")
    index = json.loads(INDEX.read_text())
    for lapack in index["lapacks"]:
        if lapack["name"] == name:
            return lapack
    [reason] = [missing["reason"] for missing in index["missing"] if missing["name"] == name]
    pytest.skip(f"{name} cannot be had on this machine: {reason}")


def run_with(lapack: dict[str, Any], code: str) -> Any:
    """What a program prints as JSON that computes with a library."""
    done = run_python(code, timeout=60, LAPACK_AI_LIBRARY=lapack["path"], **lapack["environment"])
    assert (done.returncode, done.stderr) == (0, ""), (done.returncode, done.stderr)
    return json.loads(done.stdout)


COMPUTE = """
import json
def units(error, size, n, dtype):
    return float(error / (size * n * np.finfo(dtype).eps))
worst = {}
for dtype in "float32", "float64", "complex64", "complex128":
    for shape in (3, 3), (8, 8), (40, 40), (150, 150), (2000, 4, 4), (40, 30, 30):
        random = np.random.default_rng(shape[-1])
        a = random.standard_normal(shape)
        if dtype.startswith("c"):
            a = a + 1j * random.standard_normal(shape)
        a = a.astype(dtype)
        n = shape[-1]
        b = np.ones((n, 2), dtype)
        size = np.linalg.norm(a, axis=(-2, -1)).max()
        u, s, vh = lap.svd(a)
        x = lap.solve(a, b)
        errors = {
            "svd": units(np.abs(u * s[..., None, :] @ vh - a).max(), size, n, dtype),
            "solve": units((np.abs(a @ x - b).max((-2, -1)) / np.abs(x).max((-2, -1))).max(), size, n, dtype),
        }
        for operation, error in errors.items():
            worst[operation] = max(worst.get(operation, 0.0), error)
import os
mapped = []
if os.path.exists("/proc/self/maps"):
    lines = [line.split(None, 5) for line in open("/proc/self/maps")]
    mapped = sorted({fields[5].strip() for fields in lines if len(fields) == 6})
print(json.dumps({"info": lap.library_info(), "worst": worst, "mapped": mapped}))
"""


@functools.cache
def computed(name: str) -> Any:
    return run_with(fetched(name), COMPUTE)


@every_lapack
def test_each_lapack_is_known_for_what_it_is_and_gives_right_results(name):
    lapack, found = fetched(name), computed(name)
    info = found["info"]
    assert info["integer_bits"] == BITS[name]
    assert Path(info["path"]) == Path(lapack["path"]).resolve()
    assert info["version"] == lapack["lapack"]
    [vendor] = [text for start, text in VENDORS.items() if name.startswith(start)]
    assert vendor in info["vendor"]
    assert bool(info["vendor"]) == bool(vendor)
    # An entry is off by at most the norm, so these are units of n eps.
    assert set(found["worst"]) == {"svd", "solve"}
    assert all(0 < error <= 30 for error in found["worst"].values()), found["worst"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which files are in a process")
@every_lapack
def test_no_other_blas_comes_into_the_process(name):
    files = [Path(file) for file in computed(name)["mapped"]]
    parts = ("blas", "lapack", "mkl", "blis", "atlas", "libflame")
    numerical = [file for file in files if any(part in file.name for part in parts) and "lapack_py" not in file.parts]
    # NumPy brings its own, in a folder beside it, for itself.
    ours = [file for file in numerical if file.parent.name not in {"numpy.libs", "scipy.libs"}]
    folder = (INDEX.parent / name.removesuffix("-lp64").removesuffix("-ilp64")).resolve()
    assert ours
    assert [file for file in ours if not file.is_relative_to(folder)] == []
    if name == "debian-reference":
        assert sorted(file.name.split(".so")[0] for file in ours) == ["libblas", "liblapack"]


@every_lapack
def test_a_size_is_refused_for_the_integers_only_where_they_have_32_bits(name):
    # 160 TB: more than a process can address, so that nobody computes with it.
    code = """
import json
try:
    lap.svdvals(np.broadcast_to(1.0, (10**13, 2)))
except lap.SizeError as error:
    print(json.dumps([error.code, error.summary]))
"""
    code, summary = run_with(fetched(name), code)
    if BITS[name] == 32:
        assert code == "LAP-E032"
        assert "whose integers end at 2147483647" in summary
    else:
        assert code == "LAP-E033"


@pytest.mark.parametrize("pair", [("scipy-openblas32", "scipy-openblas64"), ("mkl-lp64", "mkl-ilp64")], ids=str)
def test_both_widths_of_one_library_give_the_same_numbers(pair):
    code = """
import json
lap.set_num_threads(1)
a = np.random.default_rng(5).standard_normal((60, 60))
x, (w, v), fit = lap.solve(a, a[:, 0]), lap.eigh(a + a.T), lap.lstsq(a[:, :20], a[:, 20])
hard = np.diag([1.0, 2.0, 0.0, 0.0])
try:
    lap.solve(hard, np.ones(4))
except lap.SingularMatrixError as error:
    info = error.info
numbers = [*x, *w, *np.abs(v).flat, *fit.x]
print(json.dumps([numbers, int(fit.rank), info]))
"""
    one, other = (run_with(fetched(name), code) for name in pair)
    # The integers that come back, rank and INFO, are exact; the numbers agree as far as two builds compute the same.
    assert one[1:] == other[1:] == [20, 3]
    assert one[0] == pytest.approx(other[0], rel=1e-9, abs=1e-9)


def test_mkl_is_found_by_its_name_where_its_wheel_puts_it():
    lapack = fetched("mkl-lp64")
    prefix = Path(lapack["path"]).parents[1]
    code = f"""
import sys
sys.prefix = {str(prefix)!r}
print(lap.set_lapack("mkl")["path"])
"""
    done = run_python(code, **lapack["environment"])
    assert (done.returncode, done.stderr) == (0, ""), (done.returncode, done.stderr)
    assert Path(done.stdout.strip()) == Path(lapack["path"]).resolve()


def provider_error(library: Path | str) -> dict[str, Any]:
    """The fields of the error that a library gives at the first call, after looking that the second gives the same."""
    code = """
import json
said = []
for call in (lambda: lap.svd(np.eye(2)), lambda: lap.solve(np.eye(2), np.ones(2)), lap.library_info):
    try:
        call()
    except lap.ProviderError as error:
        said.append({"code": error.code, "summary": error.summary, "fixes": [fix for _, fix in error.fixes]})
print(json.dumps(said))
"""
    done = run_python(code, LAPACK_AI_LIBRARY=str(library))
    assert (done.returncode, done.stderr) == (0, ""), (done.returncode, done.stderr)
    first, *later = json.loads(done.stdout)
    assert later == [first] * 2
    assert first["code"] == "LAP-E031"
    assert str(library) in first["summary"]
    assert any("LAPACK_AI_LIBRARY" in fix for fix in first["fixes"])
    return first


def test_a_path_where_nothing_is_ends_every_call_and_no_other_library_is_taken():
    assert "cannot be opened" in provider_error("/nowhere/liblapack.so")["summary"]


@pytest.mark.parametrize("content", [b"", b"-- no library --\n" * 100], ids=["empty", "text"])
def test_a_file_that_is_no_library_is_named(tmp_path, content):
    file = tmp_path / "liblapack.so.3"
    file.write_bytes(content)
    assert "cannot be opened" in provider_error(file)["summary"]


def test_a_folder_is_not_searched(tmp_path):
    assert "cannot be opened" in provider_error(tmp_path)["summary"]


@pytest.fixture
def library_of(tmp_path):
    """Builds a library with the functions of these names, which do nothing."""
    compiler = shutil.which("cc")
    if not compiler or os.name != "posix":
        pytest.skip("needs a C compiler, cc")

    def build(*names: str) -> Path:
        file = tmp_path / "libpart.so"
        source = "".join(f"void {name}(void) {{}}\n" for name in names) or "int nothing;\n"
        command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", file]
        subprocess.run(command, input=source, text=True, check=True)
        return file

    return build


def test_a_library_without_lapack_is_refused_by_name(library_of):
    assert provider_error(library_of("dgemm_"))["summary"].endswith("has no dgesv under any known spelling.")


def test_a_library_with_a_part_of_lapack_is_refused_with_what_it_lacks(library_of):
    # The shape of LAPACK's interfaces in some vendors' libraries: drivers, but not all of them.
    summary = provider_error(library_of("dgesv_", "ilaver_", "dgemm_"))["summary"]
    assert "lacks routines that are needed: sgemm" in summary
    assert "dgemm" not in summary.split("needed: ")[1].split(", ")


def test_a_blas_alone_is_no_lapack():
    blas = fetched("debian-reference")["blas_file"]
    assert "has no dgesv" in provider_error(blas)["summary"]


def test_the_reference_lapack_takes_the_reference_blas():
    lapack = fetched("debian-reference")
    assert Path(lapack["blas_file"]).name.startswith("libblas.so.3")
    assert lapack["blas"] == "reference"
    assert not [file for file in lapack["mapped"] if "openblas" in file or "mkl" in file]
