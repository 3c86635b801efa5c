"""The manifests: rendered, checked against Kubernetes' schemas, and run: their own commands, probes and rights."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from runtime import Pod

MANIFESTS = Path(__file__).resolve().parents[2] / "deploy/kubernetes"
OVERLAYS = ["cpu", "nvidia", "amd", "intel"]
TOKEN = "0123456789abcdef0123456789abcdef"


def rendered(kubectl, name):
    done = subprocess.run([kubectl, "kustomize", str(MANIFESTS / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {(part["kind"], part["metadata"]["name"]): part for part in yaml.safe_load_all(done.stdout)}


def pod_of(parts, deployment):
    return parts["Deployment", deployment]["spec"]["template"]["spec"]


def container_of(pod, name):
    return next(spec for spec in pod["containers"] if spec["name"] == name)


@pytest.fixture
def cpu_pods(kubectl):
    parts = rendered(kubectl, "overlays/cpu")
    return pod_of(parts, "lapack-ai-scheduler"), pod_of(parts, "lapack-ai-worker")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_has_what_runs_and_what_protects_it(kubectl, overlay):
    parts = rendered(kubectl, f"overlays/{overlay}")
    kinds = {kind for kind, _ in parts}
    assert kinds >= {"Namespace", "ServiceAccount", "Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget"}
    for part in parts.values():
        assert part["kind"] == "Namespace" or part["metadata"]["namespace"] == "lapack-ai"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_hardened_limited_and_probed(kubectl, overlay):
    parts = rendered(kubectl, f"overlays/{overlay}")
    for (kind, _), part in parts.items():
        if kind != "Deployment":
            continue
        pod = part["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for spec in pod["containers"]:
            assert spec["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert spec["resources"]["limits"].keys() >= {"cpu", "memory"}
            probes = [spec[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
            for probe in probes:
                assert probe["failureThreshold"] > 1
                assert probe["timeoutSeconds"] > 1
            # Liveness restarts, so it asks nothing that computes.
            assert "exec" not in spec["livenessProbe"]


@pytest.mark.parametrize(
    ("overlay", "resource"),
    [("nvidia", "nvidia.com/gpu"), ("amd", "amd.com/gpu"), ("intel", "gpu.intel.com/i915"), ("cpu", None)],
)
def test_a_gpu_is_asked_for_where_there_is_one_and_its_start_is_its_use(kubectl, overlay, resource):
    worker = container_of(pod_of(rendered(kubectl, f"overlays/{overlay}"), "lapack-ai-worker"), "worker")
    asked = {key: value for key, value in worker["resources"]["limits"].items() if "/" in key}
    assert asked == ({resource: 1} if resource else {})
    assert worker["image"].endswith("0.1.0" if overlay == "cpu" else f"0.1.0-{overlay}")
    assert (worker["startupProbe"]["exec"]["command"][-1] == "gpu") is (resource is not None)


def test_selectors_find_their_pods(kubectl):
    parts = rendered(kubectl, "overlays/cpu")
    labels = {
        name: part["spec"]["template"]["metadata"]["labels"]
        for (kind, name), part in parts.items()
        if kind == "Deployment"
    }
    workers = labels["lapack-ai-worker"]
    assert parts["Service", "lapack-ai-monitor"]["spec"]["selector"].items() <= workers.items()
    assert (
        parts["PodDisruptionBudget", "lapack-ai-worker"]["spec"]["selector"]["matchLabels"].items() <= workers.items()
    )
    service = parts["Service", "lapack-ai-scheduler"]["spec"]["selector"]
    assert service.items() <= labels["lapack-ai-scheduler"].items()
    assert not service.items() <= workers.items()
    policy = parts["NetworkPolicy", "lapack-ai"]["spec"]["podSelector"]["matchLabels"]
    assert all(policy.items() <= told.items() for told in labels.values())
    prometheus = rendered(kubectl, "prometheus")
    scraped = prometheus["ServiceMonitor", "lapack-ai"]["spec"]
    monitor = parts["Service", "lapack-ai-monitor"]
    assert scraped["selector"]["matchLabels"].items() <= monitor["metadata"]["labels"].items()
    assert scraped["endpoints"][0]["port"] == monitor["spec"]["ports"][0]["name"]


def test_what_the_network_lets_through_is_what_listens(kubectl):
    parts = rendered(kubectl, "overlays/cpu")
    listening = {
        port["containerPort"]: port["name"]
        for (kind, _), part in parts.items()
        if kind == "Deployment"
        for spec in part["spec"]["template"]["spec"]["containers"]
        for port in spec["ports"]
    }
    allowed = parts["NetworkPolicy", "lapack-ai"]["spec"]["ingress"][0]["ports"]
    assert {listening[port["port"]] for port in allowed} == {"scheduler", "worker"}
    scraped = rendered(kubectl, "prometheus")["NetworkPolicy", "lapack-ai-prometheus"]["spec"]["ingress"][0]["ports"]
    assert [listening[port["port"]] for port in scraped] == ["monitor"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_own_schemas_accept_it(kubectl, overlay):
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    for part in rendered(kubectl, f"overlays/{overlay}").values():
        validate.validate(part, "1.31", strict=True)


def worker_pod(prod, pod, folder, **more):
    secrets = {("lapack-ai-dashboard", "token"): TOKEN}
    return Pod(prod, pod, folder, hosts=["lapack-ai-scheduler"], secrets=secrets, **more)


def test_a_cluster_of_the_manifests_computes_and_is_seen_on_the_dashboard(prod, cpu_pods, tmp_path):
    """Scheduler, worker and dashboard with their own commands, probes and rights; a client's tasks run on the worker.

    The two pods share a network here, in place of the cluster's.
    """
    scheduler_pod, pod = cpu_pods
    together = {**pod, "containers": [*scheduler_pod["containers"], *pod["containers"]]}
    with worker_pod(prod, together, tmp_path) as running:
        scheduler, worker, monitor = (running.start(name) for name in ("scheduler", "worker", "monitor"))
        assert monitor.wait_for("startup", "readiness") < 3
        scheduler.wait_for("startup", "readiness")
        worker.wait_for("startup", "readiness")
        for container in (scheduler, worker, monitor):
            assert container.probe("liveness") is None
            told = container.status()
            assert told["Uid"].split() == ["10001"] * 4
            assert (told["CapEff"], told["CapBnd"], told["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
            assert told["Seccomp"] == "2"
            assert container.execute("touch", "/etc/x").returncode == 1
        code = """
import numpy as np
from dask.distributed import Client

def sum_of_values(seed):
    import lapack_py as lap
    return float(lap.svdvals(np.random.default_rng(seed).standard_normal((200, 200))).sum())

with Client("tcp://lapack-ai-scheduler:8786", timeout=30) as client:
    got = client.gather(client.map(sum_of_values, range(8)))
matrices = [np.random.default_rng(seed).standard_normal((200, 200)) for seed in range(8)]
expected = [np.linalg.svd(matrix, compute_uv=False).sum() for matrix in matrices]
print(np.allclose(got, expected, rtol=1e-12))
"""
        done = scheduler.execute("python", "-c", code)
        assert done.stdout == "True\n", done.stderr
        end = time.monotonic() + 10
        seen = ""
        calls = 'operation="svd",dtype="float64",size="256",batched="false",engine="cpu"} 8\n'
        while calls not in seen and time.monotonic() < end:
            status, seen = running.get(8080, "/metrics", {"Host": "localhost", "Authorization": f"Bearer {TOKEN}"})
            assert status == 200
            time.sleep(0.2)
        assert calls in seen
        for container in (worker, monitor, scheduler):
            assert container.signal(signal.SIGTERM) < 5, container.output()


def test_a_dashboard_without_its_token_refuses_prometheus(prod, cpu_pods, tmp_path):
    with worker_pod(prod, cpu_pods[1], tmp_path) as pod:
        pod.start("monitor").wait_for("startup", "readiness")
        assert pod.get(8080, "/metrics", {"Host": "localhost"})[0] == 401


def test_a_pods_limits_are_what_the_library_sees(prod, cpu_pods, tmp_path):
    with worker_pod(prod, cpu_pods[1], tmp_path) as pod:
        doctor = pod.start("monitor", args=["doctor"])
        assert doctor.process.wait(timeout=60) == 0
        assert "of which the container may use 0.2" in doctor.output()
        assert "time for 0.5" in doctor.output()


def test_a_worker_without_a_gpu_does_not_start_in_a_gpu_overlay(kubectl, prod, tmp_path):
    pod = pod_of(rendered(kubectl, "overlays/nvidia"), "lapack-ai-worker")
    with worker_pod(prod, pod, tmp_path) as running:
        worker = running.start("worker")
        time.sleep(1)
        assert (worker.probe("startup") or "").startswith("unhealthy: ")


def test_the_startup_probe_of_a_device_passes_where_a_device_computes(kubectl, cpu, tmp_path):
    """PoCL in place of a GPU: the probe is the overlay's own."""
    pod = pod_of(rendered(kubectl, "overlays/intel"), "lapack-ai-worker")
    env = [*container_of(pod, "worker")["env"], {"name": "LAPACK_GPU_DEVICE", "value": "cpu"}]
    with worker_pod(cpu, pod, tmp_path) as running:
        assert running.start("worker", env=env).probe("startup") is None
