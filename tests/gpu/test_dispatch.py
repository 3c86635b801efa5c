"""Who computes and why: explanations, predictions, calibration and its file, `with lap.device(...)`."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import DTYPES, matrix, refuses, run_python
from on_device import CHOSEN, NAME, NUMBER, computed_there, product, status

import lapack_py as lap

OPERATIONS = [
    "matmul",
    "solve",
    "cholesky",
    "lu",
    "qr",
    "inv",
    "det",
    "lstsq",
    "svd",
    "svdvals",
    "eigh",
    "eighvals",
    "eig",
    "eigvals",
    "schur",
]


# Devices.


def test_devices_are_listed_with_what_is_known_of_them():
    product(np.eye(3), np.eye(3))
    device = status()
    assert device.number == NUMBER
    assert device.name
    assert device.platform
    assert device.driver
    assert device.memory >= device.max_allocation > 0
    assert device.compute_units > 0
    assert device.breaker == "closed"
    assert set(device.pool) == {
        "requested",
        "used",
        "idle",
        "high_water",
        "limit",
        "allocations",
        "reuses",
        "utilisation",
    }
    assert 0 < device.pool["limit"] <= 0.8 * device.memory + 1
    assert device.staging > 0
    built, loaded, rejected = device.programs
    assert built + loaded > 0
    assert rejected == 0
    assert str(device) == repr(device)
    for text in (f"{NUMBER}: {NAME}", "GiB", "breaker closed (chosen)"):
        assert text in str(device)


def test_doctor_names_the_device():
    assert NAME in str(lap.doctor())


# Explanations.


@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_is_explained_for_every_type(op):
    shape = ((300, 300), (300, 300)) if op == "matmul" else (300, 300)
    for dtype in DTYPES:
        explained = lap.explain_dispatch(op, shape, dtype)
        assert explained.op == op
        assert explained.engine in {"cpu", "opencl"}
        assert explained.reason
        assert explained.device == NAME
        assert set(explained.prediction) == {"cpu", "gpu", "transfer"}
        assert explained.prediction["cpu"] > 0
        text = str(explained)
        assert text == repr(explained)
        assert text.startswith(f"{op}: {explained.engine}, since ")
        assert "predicted: cpu " in text
        decomposed = op in ("svd", "svdvals") and np.dtype(dtype).kind == "f"
        if op == "matmul" or decomposed:
            size = np.dtype(dtype).itemsize
            assert explained.prediction["gpu"] > 0
            assert explained.prediction["transfer"] > 0
            if op == "matmul":
                assert explained.memory_needed == 3 * 300 * 300 * size
            else:
                assert explained.memory_needed >= 2 * 300 * 300 * size
            assert explained.memory_available > explained.memory_needed
            assert "GB needed" in text
        else:
            assert explained.engine == "cpu"
            assert explained.prediction["gpu"] is None
            assert explained.memory_needed is None


@pytest.mark.parametrize(
    ("op", "shape", "same_as"),
    [
        ("matmul", (20, 30, 40), ((20, 30), (30, 40))),
        ("matmul", ((7, 20, 30), (30, 40)), ((7, 20, 30), (7, 30, 40))),
        ("matmul", ((2, 1, 20, 30), (3, 30, 40)), ((6, 20, 30), (6, 30, 40))),
        ("solve", (200, 200), ((200, 200), (200, 1))),
        ("lstsq", (300, 200), ((300, 200), (300, 1))),
        ("svd", (2, 3, 40, 30), (6, 40, 30)),
        ("qr", [300, 200], (np.int64(300), np.int64(200))),
    ],
    ids=str,
)
def test_shapes_that_mean_the_same_work_are_predicted_the_same(op, shape, same_as):
    assert lap.explain_dispatch(op, shape).prediction == lap.explain_dispatch(op, same_as).prediction


def test_more_work_is_predicted_to_take_longer():
    for op in OPERATIONS:
        times = [
            lap.explain_dispatch(op, ((n, n), (n, n)) if op == "matmul" else (n, n)).prediction["cpu"]
            for n in (50, 200, 800, 3000)
        ]
        assert times == sorted(times)
    one, many = (lap.explain_dispatch("solve", ((500, 500), (500, rhs))).prediction["cpu"] for rhs in (1, 5000))
    assert many > one


def test_a_small_call_is_the_cpus_whatever_the_model_says():
    explained = lap.explain_dispatch("matmul", (8, 8, 8))
    assert (explained.engine, explained.reason) == ("cpu", "too small to be worth a GPU")


@pytest.mark.parametrize(
    ("op", "shape", "text"),
    [
        ("matmul", (3, 4), "does not name two matrices that can be multiplied"),
        ("matmul", ((3, 4), (5, 6)), "does not name two matrices that can be multiplied"),
        ("matmul", ((3, 4), (4,)), "needs matrices, with at least two extents each"),
        ("svd", (3,), "needs matrices, with at least two extents each"),
        ("svd", (3, -1), "needs matrices, with at least two extents each"),
        ("svd", 3, "is no shape"),
        ("svd", "ab", "is no shape"),
        ("svd", None, "is no shape"),
        ("sort", (3, 3), "op='sort' must be one of matmul, solve"),
    ],
    ids=str,
)
def test_what_cannot_be_explained_is_refused_in_words(op, shape, text):
    refuses(lambda: lap.explain_dispatch(op, shape), lap.LapackError, text)


def test_stacks_that_do_not_broadcast_are_refused_in_words():
    shapes = ((2, 3, 4), (3, 4, 5))
    refuses(lambda: lap.explain_dispatch("matmul", shapes), lap.LapackError, "does not name two matrices")


def test_types_that_no_engine_has_are_refused_in_words():
    refuses(lambda: lap.explain_dispatch("svd", (3, 3), "int32"), lap.LapackError, "dtype='int32' must be float32")


# Choices.


def test_a_call_that_is_large_enough_has_a_prediction_and_follows_it():
    a = matrix(200, 200)
    _, report = lap.matmul(a, a, return_report=True)
    prediction = report.prediction
    assert set(prediction) == {"cpu", "gpu", "transfer"}
    assert all(value > 0 for value in prediction.values())
    faster = "cpu" if prediction["cpu"] <= prediction["gpu"] + prediction["transfer"] else "opencl"
    assert report.engine == faster
    _, report = lap.matmul(a, a, gpu="require", return_report=True)
    computed_there(report)
    assert report.prediction is None, "nothing was chosen"


def test_what_is_explained_is_what_is_done():
    code = """
for n in (110, 200, 400, 700):
    a = np.ones((n, n), dtype="float32")
    explained = lap.explain_dispatch("matmul", (n, n, n), "float32")
    _, report = lap.matmul(a, a, return_report=True)
    assert (report.engine, report.reason) == (explained.engine, explained.reason)
    assert report.prediction == explained.prediction
    _, report = lap.matmul(a, a, gpu="require", return_report=True)
    assert report.engine == "opencl"
print("good")
"""
    done = run_python(code)
    assert done.stdout == "good\n", done.stderr


# Calibration.

CALIBRATE = """
told = []
points = lap.calibrate(["matmul"], ["float32"], seconds=0.2, progress=lambda done, text: told.append((done, text)))
explained = lap.explain_dispatch("matmul", (300, 300, 300), "float32")
other = lap.explain_dispatch("matmul", (300, 300, 300), "float64")
print([points, told, explained.measured, other.measured, explained.prediction["cpu"], explained.prediction["gpu"]])
"""
EXPLAIN = """
explained = lap.explain_dispatch("matmul", (300, 300, 300), "float32")
a = np.ones((300, 300), dtype="float32")
_, report = lap.matmul(a, a, gpu="require", return_report=True)
assert report.engine == "opencl"
plain = "from plain rates" in str(explained)
print([explained.measured, explained.prediction["cpu"], explained.prediction["gpu"], plain])
"""


def test_calibration_is_kept_in_a_file_that_the_next_process_reads(tmp_path):
    place = str(tmp_path / "cache")
    first = run_python(EXPLAIN, LAPACK_AI_CACHE_DIR=place)
    assert first.returncode == 0, first.stderr
    measured, *_, plain = eval(first.stdout)
    assert (measured, plain) == (False, True)
    done = run_python(CALIBRATE, timeout=120, LAPACK_AI_CACHE_DIR=place)
    assert done.returncode == 0, done.stderr
    points, told, measured, other, cpu, gpu = eval(done.stdout)
    assert points > 0
    assert (measured, other) == (True, False)
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    texts = " ".join(text for _, text in told)
    for text in (NAME, "CPU", "both engines", "matmul float32"):
        assert text in texts
    [file] = Path(place).glob("model-*.json")
    stored = json.loads(file.read_text())
    assert stored["key"]["device"].startswith(NAME)
    second = run_python(EXPLAIN, LAPACK_AI_CACHE_DIR=place)
    assert second.returncode == 0, second.stderr
    measured, cpu_again, gpu_again, plain = eval(second.stdout)
    assert (measured, plain) == (True, False)
    assert (cpu_again, gpu_again) == pytest.approx((cpu, gpu))


def test_a_file_that_cannot_be_used_counts_as_absent(tmp_path):
    done = run_python(CALIBRATE, timeout=120, LAPACK_AI_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.glob("model-*.json")
    good = file.read_text()
    for bad in ("", "{", good[: len(good) // 2], good.replace('"format":1', '"format":0')):
        file.write_text(bad)
        done = run_python(EXPLAIN, LAPACK_AI_CACHE_DIR=str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert eval(done.stdout)[0] is False


def test_a_cache_that_cannot_be_written_costs_no_result(tmp_path):
    place = tmp_path / "a file"
    place.write_text("")
    done = run_python(CALIBRATE + EXPLAIN, timeout=120, LAPACK_AI_CACHE_DIR=str(place / "below"))
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_calibrated_is_refused_in_words():
    refuses(lambda: lap.calibrate(["sort"]), lap.LapackError, "there is no operation 'sort' to measure")
    refuses(lambda: lap.calibrate(seconds=0), lap.LapackError, "seconds=0 must be a time above 0")
    refuses(lambda: lap.calibrate(dtypes=["int8"]), lap.LapackError, "dtype='int8' must be")


def test_an_error_of_the_progress_function_reaches_the_caller():
    def broken(done, text):
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        lap.calibrate(["matmul"], ["float32"], seconds=0.01, progress=broken)


def test_a_bar_is_drawn_on_standard_error(capsys):
    lap.calibrate(["matmul"], ["float32"], seconds=0.01, progress=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("\n")
    assert "#" * 30 in said.err
    assert "matmul float32" in said.err


def test_an_uncertain_operation_is_measured_by_itself_once_it_has_cost_enough(tmp_path):
    code = """
a = np.ones((900, 900), dtype="float32")
for call in range(4000):
    lap.matmul(a, a)
    if lap.explain_dispatch("matmul", (900, 900, 900), "float32").measured:
        break
print(lap.explain_dispatch("matmul", (900, 900, 900), "float32").measured)
_, report = lap.matmul(a, a, gpu="require", return_report=True)
assert report.engine == "opencl"
"""
    done = run_python(code, timeout=120, LAPACK_AI_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "True\n"
    assert list(tmp_path.glob("model-*.json"))


# `with lap.device(...)`.


def engine():
    _, report = lap.matmul(np.eye(4), np.eye(4), return_report=True)
    if report.engine == "opencl":
        computed_there(report)
    return report.engine


def test_a_block_sets_where_its_calls_run_and_the_former_place_comes_back():
    assert engine() == "cpu"
    with lap.device(NUMBER) as entered:
        assert isinstance(entered, lap.device)
        assert engine() == "opencl"
        with lap.device("cpu"):
            assert engine() == "cpu"
            with lap.device("gpu"):
                assert engine() == "opencl"
            with lap.device(NAME):
                assert engine() == "opencl"
            assert engine() == "cpu"
        assert engine() == "opencl"
        _, report = lap.matmul(np.eye(4), np.eye(4), gpu=False, return_report=True)
        assert report.engine == "cpu", "what a call says goes first"
    assert engine() == "cpu"


def test_an_exception_ends_the_block_as_well():
    with pytest.raises(ZeroDivisionError), lap.device("gpu"):
        int(engine() == "opencl") / 0
    assert engine() == "cpu"


def test_one_object_may_be_entered_again():
    place = lap.device("gpu")
    with place, lap.device("cpu"), place:
        assert engine() == "opencl"
    assert engine() == "cpu"


def test_a_name_that_means_no_device_is_refused_on_entry():
    for name in ("tpu", 99, True, 1.5, None):
        with pytest.raises(lap.LapackError, match="must be 'auto', 'cpu', 'gpu' or a device of"), lap.device(name):
            pass
    assert engine() == "cpu"


def test_a_block_is_its_own_threads():
    seen = []
    with lap.device("gpu"):
        thread = threading.Thread(target=lambda: seen.append(engine()))
        thread.start()
        thread.join()
        assert engine() == "opencl"
    assert seen == ["cpu"]


def test_arrays_that_are_made_in_a_block_go_to_its_device():
    with lap.device(NUMBER):
        assert lap.to_device(np.eye(2)).device_number == NUMBER


# Settings.


def test_without_a_setting_a_cpu_among_the_devices_is_not_chosen_and_a_gpu_is():
    code = f"""
print([device.name for device in lap.devices() if device.chosen])
a = np.ones((200, 200))
_, report = lap.matmul(a, a, device={NUMBER}, return_report=True)
print(report.engine, report.device)
print(lap.matmul(a, a, return_report=True)[1].reason)
"""
    done = run_python(code, LAPACK_GPU_DEVICE="")
    assert done.returncode == 0, done.stderr
    chosen, there, reason = done.stdout.splitlines()
    assert there == f"opencl {NAME}"
    if all(device.is_cpu for device in lap.devices()):
        assert (chosen, reason) == ("[]", "no GPU was found")
    else:
        assert chosen != "[]"


@pytest.mark.parametrize("wanted", [str(NUMBER), NAME[:8].lower(), CHOSEN.platform[:8].upper()])
def test_the_setting_takes_a_number_or_a_part_of_a_name(wanted):
    code = """
_, report = lap.matmul(np.eye(3), np.eye(3), gpu="require", return_report=True)
print(report.engine)
"""
    done = run_python(code, LAPACK_GPU_DEVICE=wanted)
    assert done.stdout == "opencl\n", done.stderr


def test_a_gpu_that_is_switched_off_is_not_used_and_the_reason_says_so():
    code = f"""
import warnings
warnings.simplefilter("always")
a = np.ones((200, 200))
for keywords in ({{}}, {{"gpu": True}}, {{"device": {NUMBER}}}):
    print(lap.matmul(a, a, **keywords, return_report=True)[1].reason)
for call in (lambda: lap.matmul(a, a, gpu="require"), lambda: lap.to_device(a)):
    try:
        call()
    except lap.GpuUnavailableError as error:
        print(error)
"""
    done = run_python(code, LAPACK_GPU_ENABLED="false")
    auto, *lines = done.stdout.splitlines()
    assert len(lines) == 4, done.stderr
    assert auto
    for line in lines:
        assert "LAPACK_GPU_ENABLED is false" in line
    assert done.stderr.count("LAP-W002") == 2
