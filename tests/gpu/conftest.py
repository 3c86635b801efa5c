"""The tests of the OpenCL engine: `pytest tests/gpu`.

They run on the device that LAPACK_AI_TEST_DEVICE names, else on the first GPU, else on PoCL. Without any OpenCL device
one test is left, which is skipped and says what is missing.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def _devices() -> list[dict[str, object]]:
    """What is there, asked in another process: the library reads its settings when it is imported."""
    code = """
import json, lapack_py
print(json.dumps([{"number": d.number, "name": d.name, "is_cpu": d.is_cpu} for d in lapack_py.devices()]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


# Only what a test sets itself is set.
for name in [name for name in os.environ if name.startswith("LAPACK_GPU_") or name == "LAPACK_BATCH_SIZE_LIMIT"]:
    del os.environ[name]
os.environ["LAPACK_AI_CACHE_DIR"] = tempfile.mkdtemp(prefix="lapack-ai-gpu-tests-")
_owner = os.getpid()
_found = _devices()
_gpus = [device for device in _found if not device["is_cpu"]]
_wanted = os.environ.get("LAPACK_AI_TEST_DEVICE") or (str(_gpus[0]["number"]) if _gpus else "pocl")

if _found:
    os.environ["LAPACK_GPU_DEVICE"] = _wanted
else:
    collect_ignore = [path.name for path in HERE.glob("test_*.py") if path.name != "test_there_is_a_device.py"]


@atexit.register
def _remove_the_cache() -> None:
    # Forked children come here too.
    if os.getpid() == _owner:
        shutil.rmtree(os.environ["LAPACK_AI_CACHE_DIR"], ignore_errors=True)
