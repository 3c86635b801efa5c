"""`threadpoolctl` sees and sets the threads of this module: ``threadpool_info()``, ``threadpool_limits(1)``.

threadpoolctl knows the OpenBLAS that computes by its file name and would limit that alone; batches, which run on
threads of this module, would go on with all cores, and would give OpenBLAS its threads back when they end. So the
compiled half of this module is registered as one more library of the user API "blas": whoever limits BLAS limits
batches too. The private images of OpenBLAS need no limit: they always have one thread.
"""

from __future__ import annotations

import contextlib
import os
import threading

from . import _native
from ._errors import LapackError

_FILE = os.path.realpath(str(_native.__file__))


class _Owner:
    """The thread whose limits count, while it lives: threads that raise and lower one setting by turns would leave it
    wherever the last one found it. threadpoolctl has the same rule for OpenBLAS.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def is_this_thread(self) -> bool:
        """Whether the calling thread may set limits; it owns them from then on."""
        this = threading.current_thread()
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = this
            return self._thread is this


_owner = _Owner()


class _Controller:
    """What threadpoolctl asks of a ``LibController``, which it becomes where threadpoolctl is installed."""

    user_api = "blas"
    internal_api = "lapack_py"
    # The whole name: it is compared in lower case, and with its beginning only.
    filename_prefixes = (os.path.basename(_FILE).lower(),)
    filepath: str

    def _is_ours(self) -> bool:
        # Other packages may have a compiled module of the same name.
        return os.path.realpath(self.filepath) == _FILE

    def get_num_threads(self) -> int | None:
        """Threads in use; None without a LAPACK: there is nothing to limit, and the next call says so."""
        with contextlib.suppress(LapackError):
            return _native.get_num_threads() if self._is_ours() else None
        return None

    def set_num_threads(self, num_threads: int | None) -> None:
        """Sets them, if the calling thread is the one that may."""
        if num_threads is not None and self._is_ours() and _owner.is_this_thread():
            with contextlib.suppress(LapackError):
                _native.set_num_threads(num_threads)

    def get_version(self) -> str | None:
        """The version of this package."""
        from . import __version__

        return __version__ if self._is_ours() else None


_registered = threading.Event()


def register() -> None:
    """Makes this module known to threadpoolctl, where that is installed."""
    # Importing it takes about 2 ms, a fiftieth of what NumPy takes; a hook that waits for somebody else to import it
    # would save that and be one more thing that can go wrong.
    with contextlib.suppress(ImportError):
        import threadpoolctl

        # Versions before 3.3 know their own libraries only.
        if hasattr(threadpoolctl, "register") and not _registered.is_set():
            threadpoolctl.register(type("LapackController", (_Controller, threadpoolctl.LibController), {}))
            _registered.set()
