"""The comparison of a run's measurements with the committed ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def product(n: int, seconds: float, **more: Any) -> dict[str, Any]:
    return {"dtype": "float64", "ops": "NN", "batch": 1, "m": n, "n": n, "k": n, "beta": 0, "seconds": seconds, **more}


def gemm(*cases: dict[str, Any], device: str = "Some GPU") -> dict[str, Any]:
    return {"device": device, "driver": "1", "cases": list(cases)}


def host(seconds: float, cores: int = 16) -> dict[str, Any]:
    case = {"dtype": "float64", "n": 1024, "gpu_seconds": seconds}
    return {"device": "Some GPU", "processor": "Some CPU", "cores": cores, "cases": [case]}


@pytest.fixture
def compare(tmp_path: Path):
    """Compares files by name with others."""

    def run(now: dict[str, Any], was: dict[str, Any], *options: str, folder: str = "some"):
        results, baseline = tmp_path / "results", tmp_path / "baseline"
        (baseline / folder).mkdir(parents=True)
        results.mkdir()
        for where, files in ((results, now), (baseline / folder, was)):
            for name, content in files.items():
                (where / name).write_text(content if isinstance(content, str) else json.dumps(content))
        command = [sys.executable, ROOT / "testing/compare_results.py", results, baseline, *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_a_fall_of_more_than_ten_per_cent_fails_with_case_numbers_and_what_to_do(compare):
    done = compare({"gemm.json": gemm(product(4096, 2.3e-3))}, {"gemm.json": gemm(product(4096, 2e-3))})
    assert done.returncode == 1
    assert (
        "gemm float64 NN batch=1 m=4096 n=4096 k=4096 beta=0: 2.3 ms, was 2 ms: 15 % slower" in done.stdout.splitlines()
    )
    assert "1 of 1 cases fell by more than 10 %" in done.stdout
    assert "measure again: bench/gpu_gemm.py" in done.stdout


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.09])
def test_what_is_within_ten_per_cent_or_faster_passes(compare, factor):
    done = compare({"gemm.json": gemm(product(4096, factor * 2e-3))}, {"gemm.json": gemm(product(4096, 2e-3))})
    assert done.returncode == 0
    assert "0 of 1 cases fell" in done.stdout


def test_the_threshold_can_be_set(compare):
    done = compare(
        {"gemm.json": gemm(product(4096, 2.3e-3))}, {"gemm.json": gemm(product(4096, 2e-3))}, "--threshold", "20"
    )
    assert done.returncode == 0


def test_another_device_is_not_compared_and_that_is_said(compare):
    now = {"gemm.json": gemm(product(4096, 9.0), device="Other GPU")}
    done = compare(now, {"gemm.json": gemm(product(4096, 2e-3))})
    assert done.returncode == 0
    assert "has gemm of Some GPU, not of Other GPU: nothing to compare with" in done.stdout


def test_times_with_transfers_are_not_compared_between_hosts(compare):
    done = compare({"host.json": host(9.0, cores=8)}, {"host.json": host(1e-3)})
    assert done.returncode == 0
    assert "measured with cores 16, not 8" in done.stdout


def test_times_with_transfers_are_compared_on_the_same_host(compare):
    done = compare({"host.json": host(2e-3)}, {"host.json": host(1e-3)})
    assert done.returncode == 1
    assert "host float64 n=1024: 2 ms, was 1 ms: 100 % slower" in done.stdout


def test_a_difference_of_a_tick_of_the_clock_is_none(compare):
    done = compare({"gemm.json": gemm(product(64, 5.9e-6))}, {"gemm.json": gemm(product(64, 5e-6))})
    assert done.returncode == 0


def test_a_device_that_is_slower_today_is_told_from_code_that_is(compare):
    was = gemm(product(1024, 1e-3, cublas_seconds=1e-3), product(2048, 1e-3, cublas_seconds=1e-3))
    now = gemm(product(1024, 1.3e-3, cublas_seconds=1.3e-3), product(2048, 1.3e-3, cublas_seconds=1.0e-3))
    done = compare({"gemm.json": now}, {"gemm.json": was})
    assert done.returncode == 1
    assert "cublas took 1.3 ms, was 1 ms: the device is slower, not the code" in done.stdout
    assert "1 of 2 cases fell" in done.stdout


def test_the_best_of_several_rounds_counts(compare, tmp_path):
    slow, fast = gemm(product(4096, 3e-3)), gemm(product(4096, 2e-3))
    list_of_slower = tmp_path / "slower.txt"
    done = compare(
        {"gemm.json": slow, "gemm-2.json": fast}, {"gemm.json": gemm(product(4096, 2e-3))}, "--slower", list_of_slower
    )
    assert done.returncode == 0, done.stdout
    assert list_of_slower.read_text() == ""


def test_files_in_which_something_fell_are_listed_for_another_round(compare, tmp_path):
    list_of_slower = tmp_path / "slower.txt"
    done = compare(
        {"gemm.json": gemm(product(4096, 3e-3)), "host.json": host(1e-3)},
        {"gemm.json": gemm(product(4096, 2e-3)), "host.json": host(1e-3)},
        "--slower",
        list_of_slower,
    )
    assert done.returncode == 1
    assert list_of_slower.read_text() == "gemm\n"


def test_cases_that_only_one_side_has_are_named(compare):
    done = compare(
        {"gemm.json": gemm(product(1, 1.0), product(2, 1.0))}, {"gemm.json": gemm(product(1, 1.0), product(3, 1.0))}
    )
    assert done.returncode == 0
    assert any("m=2" in line and "not in" in line for line in done.stdout.splitlines())
    assert any("m=3" in line and "not measured now" in line for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "cannot be read"),
        ("[]", "does not name its device"),
        ('{"cases": []}', "does not name its device"),
        ('{"device": "Some GPU", "cases": []}', "has no cases"),
        ('{"device": "Some GPU", "cases": [{"m": 1}]}', "has a case without dtype, ops"),
    ],
)
def test_a_file_that_is_no_measurement_is_an_error_in_a_line(compare, content, text):
    done = compare({"gemm.json": content}, {"gemm.json": gemm(product(1, 1.0))})
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_same_product_by_another_scheme_is_another_case(compare):
    was = gemm(product(4, 1e-3, kernels="gemm_batched"), product(4, 2e-3, kernels="gemm_alphatensor"))
    now = gemm(product(4, 1e-3, kernels="gemm_batched"), product(4, 3e-3, kernels="gemm_alphatensor"))
    done = compare({"gemm.json": now}, {"gemm.json": was})
    assert done.returncode == 1
    assert "by AlphaTensor's scheme: 3 ms, was 2 ms: 50 % slower" in done.stdout
    assert "1 of 2 cases fell" in done.stdout


def test_a_folder_without_measurements_is_named(compare):
    done = compare({}, {"gemm.json": gemm(product(1, 1.0))})
    assert done.returncode == 0
    assert "nothing to compare" in done.stdout


@pytest.mark.parametrize("name", ["gemm", "host"])
def test_what_is_committed_compares_with_itself(name, tmp_path):
    (tmp_path / f"{name}.json").write_text((ROOT / f"bench/results/h100/{name}.json").read_text())
    command = [sys.executable, ROOT / "testing/compare_results.py", tmp_path, ROOT / "bench/results"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{name}: 0 of " in done.stdout
