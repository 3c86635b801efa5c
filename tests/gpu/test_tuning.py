"""Tuning a device: what is found, kept, used by the next process, and what becomes of a damaged file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import refuses, run_python
from on_device import NUMBER, status

import lapack_py as lap

TUNE = f"""
told = []
result = lap.tune({NUMBER}, seconds=15, dtypes=["float32"], progress=lambda done, text: told.append((done, text)))
fractions = [fraction for fraction, _ in told]
assert fractions == sorted(fractions) and fractions[-1] == 1.0
assert any("float32 NN" in text for _, text in told)
assert result.ended in ("time", "done")
for found in result.classes:
    assert found.gain >= 1.0 and found.gflops >= found.gflops_before > 0
    assert found.product.startswith("float32")
print([len(result.classes), result.file, result.recalibrate, str(result)])
"""
PRODUCT = f"""
a = np.arange(90000, dtype="float32").reshape(300, 300) % 7
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        c, report = lap.matmul(a, a, device={NUMBER}, return_report=True)
        assert report.engine == "opencl", report.reason
assert np.array_equal(c, a @ a)
print([[str(one.message) for one in caught], lap.devices()[{NUMBER}].tuning])
"""


def run(code, place, **environment):
    done = run_python("import warnings\n" + code, timeout=180, LAPACK_AI_CACHE_DIR=str(place), **environment)
    assert done.returncode == 0, done.stderr
    return eval(done.stdout)


def test_what_was_tuned_is_kept_for_the_next_process_and_a_damaged_file_is_warned_of_once(tmp_path):
    caught, before = run(PRODUCT, tmp_path)
    assert (caught, "tuned on this machine" in before) == ([], False)
    count, file, recalibrate, text = run(TUNE, tmp_path)
    assert count > 0
    assert recalibrate is False, "nothing was calibrated"
    assert "classes of products are faster" in text
    [kept] = Path(tmp_path).glob("gemm-*.json")
    assert Path(file) == kept
    assert len(json.loads(kept.read_text())["value"]["entries"]) == count

    caught, tuning = run(PRODUCT, tmp_path)
    assert caught == []
    assert f"tuned on this machine ({count} classes)" in tuning

    kept.write_text(kept.read_text()[:-20])
    caught, tuning = run(PRODUCT, tmp_path)
    [warning] = caught
    assert "LAP-W005" in warning
    assert str(kept) in warning
    assert "tuned on this machine" not in tuning

    assert run(f"print([lap.tune({NUMBER}, reset=True)])", tmp_path) == [None]
    assert not list(Path(tmp_path).glob("gemm-*.json"))
    caught, tuning = run(PRODUCT, tmp_path)
    assert (caught, "tuned on this machine" in tuning) == ([], False)


def test_an_error_of_the_progress_function_ends_the_search_and_reaches_the_caller():
    asked = []

    def broken(done, text):
        asked.append(done)
        if len(asked) > 2:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        lap.tune(NUMBER, seconds=600, dtypes=["float32"], progress=broken)
    assert asked[-1] < 1 or len(asked) < 10
    lap.tune(NUMBER, reset=True)
    assert "tuned on this machine" not in status().tuning


def test_what_cannot_be_tuned_is_refused_in_words():
    refuses(lambda: lap.tune("no such device"), lap.LapackError, "no OpenCL device matches 'no such device'")
    refuses(lambda: lap.tune(NUMBER, seconds=0), lap.LapackError, "seconds=0 must be a time above 0")
    refuses(lambda: lap.tune(NUMBER, dtypes=["int8"]), lap.LapackError, "dtype='int8' must be")
