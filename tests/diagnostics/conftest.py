"""The failing calls are made on the CPU unless they name a device, with nothing in the user's cache."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

for name in [name for name in os.environ if name.startswith("LAPACK_GPU_") or name == "LAPACK_BATCH_SIZE_LIMIT"]:
    del os.environ[name]
# Read when the library is imported; the processes that cases start have their own.
os.environ["LAPACK_AI_CACHE_DIR"] = tempfile.mkdtemp(prefix="lapack-ai-diagnostics-tests-")
_owner = os.getpid()


@atexit.register
def _remove_the_cache() -> None:
    # Forked children come here too.
    if os.getpid() == _owner:
        shutil.rmtree(os.environ["LAPACK_AI_CACHE_DIR"], ignore_errors=True)
