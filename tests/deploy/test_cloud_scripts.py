"""The scripts that run GPU tests in clouds: what they say, what they ask for, and that nothing is left running."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from clouds import ROOT, SKYPILOT, Cloud, make_cloud, skypilot_is_there

pytestmark = pytest.mark.skipif(not skypilot_is_there(), reason="no .venv/skypilot; make test-deploy makes it")


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return make_cloud(tmp_path)


def ask_the_engine(code: str, home: Path) -> str:
    """What SkyPilot's own Python says."""
    done = subprocess.run(
        [SKYPILOT / "bin/python", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(home), "PATH": os.environ["PATH"], "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"},
        cwd=ROOT,
    )
    return done.stdout


def test_the_engine_reads_the_task_as_spot_machines_of_three_clouds_that_end_themselves(tmp_path):
    said = ask_the_engine(
        """
import sky
task = sky.Task.from_yaml("testing/gpu_tests.sky.yaml")
for one in task.resources:
    stop = one.autostop_config
    print(one.cloud, one.use_spot, stop.enabled, stop.down, stop.idle_minutes, one.max_hourly_cost)
    assert one.job_recovery["strategy"] == "EAGER_NEXT_REGION" and one.job_recovery["max_restarts_on_errors"] == 0
""",
        tmp_path,
    )
    lines = set(said.splitlines())
    assert lines == {f"{cloud} True True True 10 1.0" for cloud in ("AWS", "GCP", "Azure")}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aws", "T4: $0.200 an hour (g4dn.xlarge, us-east-1); on demand $0.800, saving 75 %"),
        ("gcp", "L4: $0.300 an hour (g2-standard-4, us-central1); on demand $1.000, saving 70 %"),
        ("azure", "T4: $0.100 an hour (Standard_NC4as_T4_v3, eastus); on demand $0.500, saving 80 %"),
    ],
)
def test_a_dry_run_prints_price_saving_and_plan_and_starts_nothing(cloud, name, expected):
    done = cloud.run(name, "--dry-run", "--max-hours", "2", "--max-price", "0.5")
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    assert f"- infra: {name}" in done.stdout
    assert "down --yes lapack-" in done.stdout
    assert "timeout 7200" in done.stdout
    assert "limit: $1.00 for the machine" in done.stdout
    assert done.stderr == ""
    assert "max_hourly_cost: 0.5" in done.stdout
    assert "MAX_MINUTES: '120'" in done.stdout
    assert cloud.calls() == []


def test_options_reach_the_task(cloud, tmp_path):
    wheel = tmp_path / "lapack_py-0.1.0-cp310-abi3-manylinux_2_28_x86_64.whl"
    wheel.touch()
    options = ["--gpu", "L4", "--region", "us-east-1", "--shards", "host", "--wheel", str(wheel)]
    done = cloud.run("aws", "--dry-run", *options)
    assert done.returncode == 0, done.stderr
    assert "- infra: aws/us-east-1" in done.stdout
    assert "L4: $0.400" in done.stdout
    assert "T4" not in done.stdout
    assert "SHARDS: host" in done.stdout
    assert f"/tmp/lapack-ai/wheel/{wheel.name}: {wheel}" in done.stdout
    assert f"WHEEL: /tmp/lapack-ai/wheel/{wheel.name}" in done.stdout


def test_without_a_catalogue_no_price_is_made_up(tmp_path):
    cloud = make_cloud(tmp_path, catalogue=False)
    planned = cloud.run("aws", "--dry-run")
    assert planned.returncode == 0
    assert "no price is known" in planned.stderr
    assert "an hour (" not in planned.stdout
    done = cloud.run("aws")
    assert done.returncode == 2
    assert "nothing is started" in done.stderr
    assert cloud.calls() == []


@pytest.mark.parametrize("dry_run", [["--dry-run"], []])
def test_a_price_above_the_limit_starts_nothing(cloud, dry_run):
    done = cloud.run("aws", "--max-price", "0.15", *dry_run)
    assert done.returncode == 2
    assert "the cheapest is $0.200 an hour, above --max-price 0.15: nothing is started" in done.stderr
    assert cloud.calls() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--max-hours", "25"], "--max-hours is a number of hours above 0, at most 24, not 25"),
        (["--max-hours", "0"], "--max-hours"),
        (["--max-price", "21"], "--max-price is dollars an hour above 0, at most 20, not 21"),
        (["--max-price", "cheap"], "--max-price"),
        (["--attempts", "9"], "--attempts is a number from 1 to 5, not 9"),
        (["--wheel", "no.whl"], "there is no no.whl"),
        (["--gpu"], "--gpu needs a value"),
        (["--forever"], "unknown option --forever"),
    ],
)
def test_options_out_of_bounds_are_refused_in_a_line(cloud, options, text):
    done = cloud.run("aws", *options)
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert cloud.calls() == []


def test_a_complete_run_is_neither_overwritten_nor_paid_for_again(cloud):
    cloud.results.mkdir()
    (cloud.results / "summary.json").write_text("{}")
    done = cloud.run("aws")
    assert done.returncode == 2
    assert "has a complete run; move it away, or name another --results" in done.stderr
    assert cloud.calls() == []


def test_without_skypilot_the_script_says_how_to_get_it(cloud):
    done = cloud.run("azure", LAPACK_AI_SKY="/nowhere/sky")
    assert done.returncode == 2
    assert "SkyPilot is not installed; run testing/azure_gpu_setup.sh --install" in done.stderr


def test_refused_credentials_end_the_run_before_a_machine_is_asked_for(cloud):
    done = cloud.run("aws", FAKE_REFUSED="1")
    assert done.returncode == 2
    assert "no use of AWS with these credentials. Reason [compute]: the key was refused" in done.stderr
    assert "fix: aws configure" in done.stderr
    assert not cloud.calls(starting="launch")
    assert cloud.calls()[-1] == "api stop"


def test_a_run_that_passes_fetches_its_results_and_takes_its_machine_down(cloud):
    done = cloud.run("aws")
    assert done.returncode == 0, done.stderr
    assert (cloud.results / "summary.json").exists()
    assert "nothing is left running" in done.stdout
    assert not cloud.has_machine()
    (launched,) = cloud.calls(starting="launch")
    name = launched.split("--cluster ")[1].split()[0]
    assert cloud.calls(starting="down") == [f"down --yes {name}"]
    assert cloud.calls()[-1] == "api stop"


def test_tests_that_fail_are_told_and_their_machine_is_taken_down(cloud):
    done = cloud.run("aws", FAKE_LAUNCH="failing")
    assert done.returncode == 1
    assert "something failed or became slower" in done.stderr
    assert (cloud.results / "summary.json").exists()
    assert len(cloud.calls(starting="launch")) == 1
    assert not cloud.has_machine()


def test_a_machine_that_is_taken_away_is_replaced_and_keeps_what_was_done(cloud):
    done = cloud.run("aws", "--attempts", "2", FAKE_LAUNCH="preempted")
    assert done.returncode == 0, done.stderr
    assert len(cloud.calls(starting="launch")) == 2
    first, second = ((cloud.programs / f"task{number}").read_text() for number in (0, 1))
    assert "file_mounts" not in first
    assert f"/tmp/lapack-ai/results: {cloud.results}" in second
    assert not cloud.has_machine()


def test_no_more_machines_are_taken_than_attempts_allow(cloud):
    done = cloud.run("aws", "--attempts", "1", FAKE_LAUNCH="preempted")
    assert done.returncode == 1
    assert len(cloud.calls(starting="launch")) == 1
    assert "the same command goes on" in done.stderr
    assert not cloud.has_machine()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_leaves_nothing_running(cloud, number):
    environment = cloud.environment(FAKE_LAUNCH="hang")
    running = subprocess.Popen(
        cloud.command("aws"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    deadline = time.monotonic() + 60
    while not (cloud.programs / "hanging").exists():
        assert time.monotonic() < deadline, "it was never launched"
        time.sleep(0.05)
    assert cloud.has_machine()
    running.send_signal(number)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == (130 if number == signal.SIGINT else 143), said
    assert "nothing is left running" in said
    assert not cloud.has_machine()
    assert cloud.calls()[-1] == "api stop"


def test_the_time_limit_ends_a_run_and_takes_its_machine_down(cloud):
    begin = time.monotonic()
    done = cloud.run("aws", "--max-hours", "0.001", FAKE_LAUNCH="hang")
    assert time.monotonic() - begin < 300
    assert done.returncode == 1
    assert "0.001 h are over" in done.stderr
    assert cloud.calls(starting="launch")
    assert not cloud.has_machine()


def test_a_machine_that_cannot_be_taken_down_is_told_with_what_to_do(cloud):
    done = cloud.run("aws", FAKE_STUCK="1")
    assert done.returncode == 3
    assert "MAY STILL RUN AND COST" in done.stderr
    assert "https://console.aws.amazon.com/ec2" in done.stderr
    # It is needed for taking the machine down by hand.
    assert "api stop" not in cloud.calls()


def test_the_set_up_script_says_whether_tests_can_run_and_starts_nothing(cloud):
    done = subprocess.run(
        [ROOT / "testing/aws_gpu_setup.sh"], capture_output=True, text=True, env=cloud.environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert "AWS accepts the credentials" in done.stdout
    assert "saving 75 %" in done.stdout
    assert not cloud.calls(starting="launch")


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_skypilot_itself_refuses_without_credentials_and_nothing_is_left_running(cloud):
    # The port is the engine's, and cannot be chosen. With another server there it would be asked, and its credentials.
    port = 46580
    if not is_free(port):
        pytest.skip(f"port {port} is taken, maybe by another server of SkyPilot; end it: sky api stop")
    # This environment has no cloud's own packages, so it could not start a machine whatever went wrong.
    done = cloud.run("aws", LAPACK_AI_SKY=str(SKYPILOT / "bin/sky"), HTTPS_PROXY="")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no use of AWS with these credentials. Reason" in done.stderr
    assert "fix: aws configure" in done.stderr
    assert is_free(port)
