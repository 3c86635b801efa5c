"""What the entry point does, in containers that are hardened as far as the documentation says they can be."""

from __future__ import annotations

import re
import signal
import time

import pytest
from runtime import MOUNTS, hardened, output, running


def test_without_a_role_it_greets_with_what_it_found_and_how_to_use_it(each, tmp_path):
    status, text = output(each, tmp_path, memory="1Gi", cpu="1500m")
    assert status == 0
    assert "as user 10001" in text
    assert re.search(r"ok LAPACK .*OpenBLAS", text)
    assert re.search(r"ok memory .*the container may use 1\.0", text)
    assert "time for 1.5" in text
    for part in (
        "monitor",
        "worker",
        "jupyter",
        "bench",
        "doctor",
        "health",
        "shell",
        "--gpus all",
        "--device /dev/kfd",
    ):
        assert part in text


def test_a_command_of_the_users_own_runs_as_it_is(prod, tmp_path):
    code = "import sys, lapack_py as lap; print(lap.svd([[3.0, 0.0], [0.0, 4.0]])[1].tolist(), sys.argv[1:])"
    assert output(prod, tmp_path, "python", "-c", code, "a b", "*") == (0, "[4.0, 3.0] ['a b', '*']\n")


def test_the_status_of_a_command_is_the_containers(prod, tmp_path):
    assert output(prod, tmp_path, "sh", "-c", "exit 7")[0] == 7


def test_a_role_that_does_not_exist_is_named_with_those_that_do(prod, tmp_path):
    status, text = output(prod, tmp_path, "monitr")
    assert status == 127
    assert text.startswith("lapack-ai: there is no role or command 'monitr'\n")
    assert "monitor" in text


def test_a_worker_without_a_scheduler_says_how_to_name_it(prod, tmp_path):
    status, text = output(prod, tmp_path, "worker")
    assert status == 2
    assert "DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786" in text
    assert len(text.splitlines()) == 1


def test_roles_of_the_development_image_say_so_elsewhere(prod, tmp_path):
    status, text = output(prod, tmp_path, "jupyter")
    assert (status, text) == (2, "lapack-ai: jupyter: this image has no Jupyter; take lapack-ai-dev\n")


def test_health_is_good_where_the_library_computes(each, tmp_path):
    assert output(each, tmp_path, "health") == (0, "healthy: a product (cpu) and a solution are right\n")


def test_health_is_bad_where_the_library_does_not_compute(prod, tmp_path):
    status, text = output(prod, tmp_path, "health", env={"LAPACK_AI_LIBRARY": "/nowhere.so"})
    assert status == 1
    assert text.startswith("unhealthy: ")
    assert "/nowhere.so" in text


def test_health_of_a_gpu_is_bad_where_there_is_none(prod, tmp_path):
    status, text = output(prod, tmp_path, "health", "gpu")
    assert status == 1
    assert text.startswith("unhealthy: ")


def test_health_of_a_device_is_good_where_pocl_computes(cpu, tmp_path):
    status, text = output(cpu, tmp_path, "health", "gpu", env={"LAPACK_GPU_DEVICE": "cpu"})
    assert (status, text) == (0, "healthy: a product (opencl) and a solution are right\n")


def test_health_is_asked_within_a_second_and_a_half(prod, tmp_path):
    with running(prod, tmp_path, "sleep", "60") as container:
        container.execute("true")
        start = time.monotonic()
        assert container.execute("lapack-ai-entrypoint", "health").returncode == 0
        assert time.monotonic() - start < 1.5


@pytest.mark.parametrize(
    "role", [["doctor"], ["validate"], ["try", "200"], ["bench", "--quick"], ["explain", "LAP-E010"]]
)
def test_roles_of_the_program_run(prod, tmp_path, role):
    status, text = output(prod, tmp_path, *role, timeout=300)
    assert status == 0, text
    assert text


def test_the_shell_reads_what_it_is_given(prod, tmp_path):
    assert output(prod, tmp_path, "shell", "-c", "id -u; command -v lapack-ai") == (
        0,
        "10001\n/opt/lapack-ai/bin/lapack-ai\n",
    )


def monitor(image, folder, **env):
    container = running(image, folder, "monitor", env=env)
    return container


def reaches(container, path, headers=None, until=200):
    """Asks the dashboard until it answers."""
    end = time.monotonic() + 10
    while True:
        status, text = container.pod.get(8080, path, headers or {"Host": "localhost"})
        if status == until or time.monotonic() > end:
            return status, text
        time.sleep(0.02)


def test_the_monitor_is_reached_and_its_health_is_the_dashboards(prod, tmp_path):
    with monitor(prod, tmp_path, LAPACK_DASHBOARD_TOKEN="0123456789abcdef") as container:
        assert reaches(container, "/health/ready") == (200, "ready\n")
        assert time.monotonic() - container.started < 3
        done = container.execute("lapack-ai-entrypoint", "health")
        assert (done.returncode, done.stdout) == (0, "healthy: ready\n")
        assert reaches(container, "/metrics", until=401)[0] == 401
        assert reaches(container, "/metrics?token=0123456789abcdef")[0] == 200
        assert "http://localhost:8080/?token=0123456789abcdef" in container.output()


def test_health_is_the_dashboards_where_an_init_process_started_it(prod, tmp_path):
    with running(prod, tmp_path, "sh", "-c", "lapack-ai-entrypoint monitor & wait") as container:
        reaches(container, "/health/ready")
        done = container.execute("lapack-ai-entrypoint", "health")
        assert (done.returncode, done.stdout) == (0, "healthy: ready\n")


def test_a_token_can_be_in_a_file_and_is_not_printed_then(prod, tmp_path):
    write = "echo 0123456789abcdef > /tmp/token && exec lapack-ai-entrypoint monitor"
    env = {"LAPACK_DASHBOARD_TOKEN_FILE": "/tmp/token"}
    with running(prod, tmp_path, "sh", "-c", write, env=env) as container:
        assert reaches(container, "/metrics?token=0123456789abcdef")[0] == 200
        assert "?token=the token of /tmp/token" in container.output()
        assert "random" not in container.output()


def test_a_monitor_without_a_token_makes_one_and_prints_it(prod, tmp_path):
    with monitor(prod, tmp_path) as container:
        reaches(container, "/health/ready")
        token = re.search(r"http://localhost:8080/\?token=([0-9a-f]{32})\n", container.output())
        assert token, container.output()
        assert reaches(container, f"/api/export.json?token={token[1]}")[0] == 200


def test_health_of_a_monitor_that_is_not_there_is_bad(prod, tmp_path):
    status, text = output(prod, tmp_path, "health", "monitor")
    assert status == 1
    assert text.startswith("unhealthy: the dashboard does not answer on port 8080: ")


def test_the_monitor_answers_for_further_names_only_if_told(prod, tmp_path):
    with monitor(prod, tmp_path, LAPACK_DASHBOARD_HOSTS="hub.example.org other.example.org") as container:
        assert reaches(container, "/health/live", {"Host": "hub.example.org"})[0] == 200
        assert reaches(container, "/health/live", {"Host": "evil.example.org"}, until=403)[0] == 403


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_monitor_ends_in_order_at_a_signal(prod, tmp_path, number):
    with monitor(prod, tmp_path) as container:
        reaches(container, "/health/ready")
        assert container.signal(number) < 3
        assert container.process.returncode == 0


def test_a_cache_that_cannot_be_written_is_said_and_is_not_fatal(prod, tmp_path):
    mounts = [mount for mount in MOUNTS if mount["name"] != "cache"]
    told = hardened("doctor", mounts=mounts)
    assert told["containers"][0]["volumeMounts"] == mounts
    status, text = output(prod, tmp_path, "doctor", mounts=mounts)
    assert status == 0
    assert text.startswith("lapack-ai: /cache cannot be written by user 10001, so kernels are built anew")
    assert "-v lapack-ai-cache:/cache" in text


def test_built_kernels_are_kept_in_the_cache(cpu, tmp_path):
    with running(cpu, tmp_path, "sleep", "120", env={"LAPACK_GPU_DEVICE": "cpu"}) as container:
        assert container.execute("lapack-ai-entrypoint", "health", "gpu").returncode == 0
        kept = container.execute("find", "/cache/lapack-ai", "/cache/pocl", "-type", "f").stdout.splitlines()
        assert any(name.startswith("/cache/lapack-ai/") for name in kept)
        assert any(name.startswith("/cache/pocl/") for name in kept)


def test_a_process_in_the_container_has_no_rights_and_writes_only_where_it_may(each, tmp_path):
    with running(each, tmp_path, "sleep", "60") as container:
        container.execute("true")
        told = container.status()
        assert told["Uid"].split() == ["10001"] * 4
        assert {told[key] for key in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
        assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
        for place in ("/opt/lapack-ai/x", "/etc/x", "/usr/x", "/x"):
            done = container.execute("touch", place)
            assert done.returncode == 1, place
        for place in ("/cache/x", "/tmp/x"):
            assert container.execute("touch", place).returncode == 0, place
