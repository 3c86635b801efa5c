"""The dashboard from Python: what it says of a program, and whether its advice is worth following."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

import lapack_py as lap

pytestmark = pytest.mark.any_lapack


@pytest.fixture
def monitor() -> Iterator[lap.Monitor]:
    with lap.monitor(port=0, history=False) as started:
        yield started


def get(monitor: lap.Monitor, path: str) -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{monitor.port}/{path}", headers={"Authorization": f"Bearer {monitor.token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode())


def system(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, n)) + n * np.eye(n), rng.standard_normal(n)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def recommendation(monitor: lap.Monitor, rule: str) -> dict[str, object]:
    # Recommendations are made anew every two seconds.
    for _ in range(60):
        found = [one for one in monitor.snapshot()["recommendations"] if one["rule"] == rule]
        if found:
            return dict(found[0])
        time.sleep(0.1)
    raise AssertionError(f"no recommendation by rule {rule}: {monitor.snapshot()['recommendations']}")


def advised(monitor: lap.Monitor, rule: str) -> bool:
    """Whether the rule applies, once recommendations were made of all that has happened."""
    time.sleep(2.1)
    return any(one["rule"] == rule for one in monitor.snapshot()["recommendations"])


def test_every_call_is_counted_and_places_in_the_program_are_known(monitor):
    a, b = system(4)
    for _ in range(30_000):
        lap.solve(a, b)
    large, c = system(300)
    for _ in range(20):
        lap.solve(large, c)
        lap.pinv(large)
    told = monitor.snapshot()
    assert told["totals"]["calls"] == 30_060, "20 of solve, and an svd and a product of each pinv"
    assert told["totals"]["dropped"] == 0
    assert 10 < told["totals"]["timed"] < 10_000
    callers = {place for row in told["rows"] for place in row["callers"]}
    assert callers
    assert all(place.startswith("test_monitor.py:") for place in callers), callers


def test_durations_count_timed_and_counted_calls_and_no_call_that_failed_without_a_clock(monitor):
    a, b = system(4)
    for _ in range(5000):
        lap.solve(a, b)
    for _ in range(30):
        with pytest.raises(lap.SingularMatrixError):
            lap.solve(np.zeros((4, 4)), b)
    families = {family.name: family for family in text_string_to_metric_families(get(monitor, "metrics"))}
    samples = families["lapack_ai_call_duration_seconds"].samples
    within = {s.labels["le"]: s.value for s in samples if s.name.endswith("_bucket")}
    assert 5000 <= within["+Inf"] <= 5030
    assert within["+Inf"] == within["30.0"], "calls without a duration would be taken for very long ones"
    assert [s.value for s in samples if s.name.endswith("_count")] == [within["+Inf"]]


def test_the_memory_that_a_call_needs_is_told(monitor):
    a, b = system(500)
    lap.solve(a, b)
    (row,) = monitor.snapshot()["rows"]
    assert a.nbytes <= row["scratch"] < 3 * a.nbytes, "a working copy and some workspace"
    (call,) = monitor.snapshot()["recent"]
    assert call["scratch"] == row["scratch"]


def test_metrics_are_clean_by_prometheus_own_parser_and_agree_with_the_snapshot(monitor):
    a, b = system(50)
    for _ in range(25):
        lap.solve(a, b)
        lap.svd(a)
    with pytest.raises(lap.SingularMatrixError):
        lap.solve(np.zeros((9, 9)), np.ones(9))
    families = {family.name: family for family in text_string_to_metric_families(get(monitor, "metrics"))}
    calls = {s.labels["operation"]: s.value for s in families["lapack_ai_calls"].samples if s.labels["size"] == "64"}
    assert calls == {"solve": 25, "svd": 25}
    assert sum(sample.value for sample in families["lapack_ai_failures"].samples) == 1
    for family in families.values():
        assert family.documentation
        assert family.type != "unknown"
    duration = families["lapack_ai_call_duration_seconds"].samples
    buckets = [s for s in duration if s.name.endswith("_bucket") and s.labels["operation"] == "svd"]
    values = [bucket.value for bucket in buckets]
    assert values == sorted(values)
    assert buckets[-1].labels["le"] == "+Inf"
    assert buckets[-1].value == 25


def test_the_dashboard_for_grafana_asks_for_metrics_that_there_are(monitor):
    a, b = system(50)
    lap.solve(a, b)
    text = Path("crates/monitor/src/metrics.rs").read_text()
    panels = json.loads(Path("deploy/grafana/lapack-ai.json").read_text())["panels"]
    asked = {name for panel in panels for name in re.findall(r"\b(?:lapack_ai|hw)_\w+", panel["targets"][0]["expr"])}
    assert len(asked) >= 10
    known = set(re.findall(r'"((?:lapack_ai|hw)_\w+)"', text))
    known |= {name + suffix for name in known for suffix in ("_bucket", "_sum", "_count")}
    assert asked <= known, asked - known


def test_exports_are_tables_and_json(monitor):
    a, b = system(80)
    lap.solve(a, b)
    head, row = get(monitor, "api/export.csv").splitlines()
    assert len(head.split(",")) == len(row.split(","))
    assert json.loads(get(monitor, "api/export.json"))["processes"][0]["totals"]["calls"] == 1
    assert get(monitor, "api/export.csv?table=calls").count("\n") == 2


def test_every_rule_has_a_test_that_runs_its_code():
    rules = set(re.findall(r'rule: "([\w-]+)"\.into\(\)', Path("crates/monitor/src/advice.rs").read_text()))
    tests = Path(__file__).read_text() + Path("tests/gpu/test_monitor.py").read_text()
    assert rules == set(re.findall(r'(?:recommendation\(monitor, |"rule"\] == )"([\w-]+)"', tests))


BATCHES: dict[str, Callable[[np.ndarray, np.ndarray], object]] = {
    "solve": lap.solve,
    "matmul": lambda a, b: lap.matmul(a, a),
    "inv": lambda a, b: lap.inv(a),
    "det": lambda a, b: lap.det(a),
    "cholesky": lambda a, b: lap.cholesky(a),
    "qr": lambda a, b: lap.qr(a),
    "svd": lambda a, b: lap.svd(a),
    "eigh": lambda a, b: lap.eigh(a),
    "eig": lambda a, b: lap.eig(a),
}


@pytest.mark.timed
@pytest.mark.parametrize("operation", BATCHES)
def test_a_batch_saves_at_least_half_of_what_the_recommendation_promises(monitor, operation):
    one_by_one = BATCHES[operation]
    count = 20_000
    pairs = [system(4, seed) for seed in range(count)]
    if operation in {"cholesky", "eigh"}:
        pairs = [(a @ a.T, b) for a, b in pairs]
    now = seconds(lambda: [one_by_one(a, b) for a, b in pairs])
    if operation not in {"solve", "matmul"} and not advised(monitor, "batch"):
        a, b = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
        then = min(seconds(lambda: one_by_one(a, b)) for _ in range(10))
        assert then > now / 5, f"not advised, and a batch takes {then:.3f} s instead of {now:.3f} s"
        return
    told = recommendation(monitor, "batch")
    assert f"of {operation} on 4x4" in told["evidence"]
    promised = told["now"] - told["then"]
    assert promised > 0, told
    matrices = np.stack([a for a, _ in pairs])
    names = {
        "np": np,
        "lap": lap,
        "matrices": matrices,
        "left": matrices,
        "right": matrices,
        "right_hand_sides": np.stack([b for _, b in pairs]),
    }
    code = compile(told["code"], "<recommendation>", "exec")
    # The least of several: what else runs on the machine only ever adds to a time.
    then = min(seconds(lambda: exec(code, names)) for _ in range(10))
    assert now - then >= promised / 2, f"{told['evidence']}; measured {now:.3f} s and {then:.3f} s"
    if operation == "solve":
        a, b = pairs[7]
        np.testing.assert_allclose(names["X"][7], lap.solve(a, b), rtol=1e-12)


def test_threads_beyond_the_cores_are_advised_against_and_the_code_sets_them_right():
    code = """
import numpy as np, lapack_py as lap
lap.set_num_threads(4 * len(__import__("os").sched_getaffinity(0)))
with lap.monitor(port=0, history=False) as monitor:
    lap.solve(np.eye(300), np.ones(300))
    found = [one for one in monitor.snapshot()["recommendations"] if one["rule"] == "threads"]
    assert "oversubscribed 4.0x" in found[0]["evidence"], found
    exec(found[0]["code"])
    print(lap.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) == len(os.sched_getaffinity(0))


def test_advice_on_ill_conditioned_systems_gives_a_solution_of_small_norm(monitor):
    # 20 singular values of 1 and 10 below the precision.
    orthogonal = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))[0]
    a = orthogonal @ np.diag([1.0] * 20 + [1e-18] * 10) @ orthogonal.T
    b = a @ np.ones(30)
    for _ in range(6):
        with pytest.warns(lap.IllConditionedWarning):
            lap.solve(a, b)
    told = recommendation(monitor, "conditioning")
    names = {"lap": lap, "A": a, "b": b}
    with warnings.catch_warnings():
        # Rounding leaves singular values just below the tolerance.
        warnings.simplefilter("ignore", lap.RankUncertainWarning)
        exec(told["code"], names)
    assert names["rank"] == 20
    assert np.linalg.norm(a @ names["x"] - b) < 1e-13
    assert np.linalg.norm(names["x"]) <= np.linalg.norm(np.ones(30))


def test_advice_on_inverses_without_a_certain_digit_gives_one_of_small_norm(monitor):
    orthogonal = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))[0]
    a = orthogonal @ np.diag([1.0] * 20 + [1e-18] * 10) @ orthogonal.T
    for _ in range(6):
        with pytest.warns(lap.IllConditionedWarning):
            lap.inv(a)
    names = {"lap": lap, "A": a}
    exec(recommendation(monitor, "conditioning")["code"], names)
    assert np.linalg.norm(names["X"], 2) < 1 + 1e-9
    np.testing.assert_allclose(a @ names["X"] @ a, a, atol=1e-12)


def test_advice_on_fallbacks_tells_the_reason_and_its_code_runs(monitor, capsys):
    a = np.eye(20)
    for _ in range(6):
        with pytest.warns(lap.GpuNotUsedWarning):
            lap.qr(a, gpu=True)
    told = recommendation(monitor, "fallback")
    assert "6 of 6 calls of qr did not run as asked for" in told["evidence"]
    exec(told["code"], {"lap": lap})
    assert "OpenCL" in capsys.readouterr().out


def test_a_running_monitor_is_returned_again_and_a_closed_one_is_not():
    first = lap.monitor(port=0, history=False)
    assert lap.monitor() is first
    assert str(first.port) in repr(first)
    first.close()
    assert repr(first) == "<lapack_py.Monitor closed>"
    assert first.snapshot() == {}
    with lap.monitor(port=0, history=False) as second:
        assert second is not first


def test_a_taken_port_is_an_error_where_it_was_named_and_else_another_is_found(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} is taken"):
            lap.monitor(port=port, history=False)
        code = "import lapack_py as lap; m = lap.monitor(history=False); print(m.port); m.close()"
        environment = {**os.environ, "LAPACK_DASHBOARD_PORT": str(port)}
        run = [sys.executable, "-c", code]
        other = subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout
        assert int(other) != port
    same = subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout
    assert int(same) == port


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"address": "0.0.0.0"}, "needs a token"),
        ({"address": "nowhere"}, "must be an IP address"),
        ({"token": "short"}, "at least 16"),
        ({"prefix": "/a b/"}, "must be a path"),
        ({"port": 70_000}, "from 0 to 65535"),
    ],
)
def test_options_that_cannot_be_are_refused_in_words(keywords, text):
    with pytest.raises(ValueError, match=text):
        lap.monitor(**{"port": 0, "history": False, **keywords})


def test_a_notebook_shows_the_page_and_a_hub_gets_it_through_its_proxy(monitor, monkeypatch):
    html = monitor._repr_html_()
    assert f'<iframe src="http://127.0.0.1:{monitor.port}/?token={monitor.token}"' in html
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert f'src="/user/ada/proxy/{monitor.port}/?token=' in monitor._repr_html_()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_is_not_watched_ends_in_order_and_may_have_a_monitor_of_its_own():
    code = """
import os, sys
import numpy as np
import lapack_py as lap
parent = lap.monitor(port=0, history=False)
port = parent.port
child = os.fork()
if child == 0:
    lap.solve(np.eye(40), np.ones(40))
    assert not parent.running and parent.url is None
    own = lap.monitor(port=0, history=False)
    lap.solve(np.eye(40), np.ones(40))
    assert own.snapshot()["totals"]["calls"] == 1
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert parent.snapshot()["totals"]["calls"] == 0
lap.solve(np.eye(40), np.ones(40))
assert parent.snapshot()["totals"]["calls"] == 1
sleeping = os.fork()
if sleeping == 0:
    import time
    time.sleep(30)
    os._exit(0)
parent.close()
again = lap.monitor(port=port, history=False)
os.kill(sleeping, 9)
os.waitpid(sleeping, 0)
print("ok")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr


def test_a_run_is_recorded_and_the_next_is_compared_with_it(tmp_path):
    environment = {**os.environ, "LAPACK_AI_HISTORY": str(tmp_path / "history.db")}
    program = tmp_path / "program.py"
    program.write_text(
        "import numpy as np, lapack_py as lap, urllib.request, json\n"
        "with lap.monitor(port=0) as monitor:\n"
        "    for _ in range(20): lap.solve(np.eye(60), np.ones(60))\n"
    )
    for _ in range(3):
        subprocess.run([sys.executable, str(program)], env=environment, check=True, timeout=60)
    code = """
import json, sys, urllib.request
import lapack_py as lap
with lap.monitor(port=0) as monitor:
    def get(path):
        headers = {"Authorization": f"Bearer {monitor.token}"}
        url = f"http://127.0.0.1:{monitor.port}/api/{path}"
        return json.load(urllib.request.urlopen(urllib.request.Request(url, headers=headers)))
    runs = get("history")
    changes = get(f"history/{runs[0]['id']}")
print(json.dumps([runs, changes]))
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    runs, changes = json.loads(done.stdout)
    assert [run["calls"] for run in runs] == [20, 20, 20]
    assert (changes[0]["operation"], changes[0]["calls"], changes[0]["runs"]) == ("solve", 20, 2)
    assert changes[0]["baseline"] > 0


def test_a_program_publishes_when_the_environment_says_so(tmp_path):
    code = "import lapack_py as lap; print(lap.monitor()); lap.monitor().close()"
    environment = {**os.environ, "LAPACK_AI_PUBLISH": "1", "LAPACK_AI_SOCKET": str(tmp_path / "none.sock")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "<lapack_py.Monitor publishing, no lapack-ai monitor listens>\n", done.stderr
    assert not Path(tmp_path / "none.sock").exists()
