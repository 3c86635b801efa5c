"""The tests of the CPU engine, which are to say the same on a machine with a GPU as on one without."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# A device that no machine has: `gpu="auto"` finds none, and reports and errors give the same reason everywhere, in the
# processes that tests start as well. It must be set before the library is imported, which reads its settings then.
os.environ["LAPACK_GPU_DEVICE"] = "none, for the tests of the CPU"
# Nothing is read from the user's cache, or left in it.
os.environ["LAPACK_AI_CACHE_DIR"] = tempfile.mkdtemp(prefix="lapack-ai-tests-")
os.environ["LAPACK_AI_HISTORY"] = os.path.join(os.environ["LAPACK_AI_CACHE_DIR"], "history.db")
_owner = os.getpid()


@atexit.register
def _remove_the_cache() -> None:
    # Forked children come here too.
    if os.getpid() == _owner:
        shutil.rmtree(os.environ["LAPACK_AI_CACHE_DIR"], ignore_errors=True)
