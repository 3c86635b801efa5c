"""The live dashboard of this process, and publishing to that of many."""

from __future__ import annotations

import atexit
import errno
import json
import os
import time
from collections.abc import Sequence
from html import escape
from types import TracebackType
from typing import Any

import numpy as np

from . import _native

_current: Monitor | None = None


class Monitor:
    """A running dashboard; made by :func:`monitor`. In a notebook it shows itself."""

    def __init__(self, native: _native.NativeMonitor, prefix: str) -> None:
        self._native = native
        self._prefix = prefix

    @property
    def url(self) -> str | None:
        """Where the page is, with its token; None where this process only publishes."""
        return self._native.url

    @property
    def port(self) -> int | None:
        """The page's port; None where this process only publishes."""
        return self._native.port

    @property
    def token(self) -> str | None:
        """What readers of the page must know; None where this process only publishes."""
        return self._native.token

    @property
    def connected(self) -> bool:
        """Whether ``lapack-ai monitor`` listens to what this process publishes."""
        return self._native.connected

    @property
    def running(self) -> bool:
        """Whether it was not closed."""
        return self._native.running_now

    def snapshot(self) -> dict[str, Any]:
        """Everything the page shows of this process, as plain data, in seconds and bytes. Empty after ``close()``."""
        told = json.loads(self._native.snapshot_json())
        return told if isinstance(told, dict) else {}

    def close(self) -> None:
        """End it: the page is gone, and calls are not watched any more."""
        self._native.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not self.running:
            return "<lapack_py.Monitor closed>"
        if self.url is None:
            return f"<lapack_py.Monitor publishing, {'a' if self.connected else 'no'} lapack-ai monitor listens>"
        return f"<lapack_py.Monitor {self.url}>"

    def _repr_html_(self) -> str:
        if self.url is None:
            return f"<code>{escape(repr(self))}</code>"
        # A hub's user reaches this machine through the notebook server only.
        hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
        address = f"{hub.rstrip('/')}/proxy/{self.port}{self._prefix}/?token={self.token}" if hub else self.url
        address = escape(address, quote=True)
        return (
            f'<iframe src="{address}" style="width:100%;height:720px;border:0" title="LAPACK AI dashboard"></iframe>'
            f'<p><a href="{address}" target="_blank" rel="noopener">Open the dashboard in a tab of its own</a></p>'
        )


def _call_overhead() -> float:
    """What a call costs Python beside the library, in seconds: the best of some, on the smallest system."""
    a, b = np.eye(2), np.ones(2)
    inside = min(_native.solve(a, b, return_report=True)[1].times["total"] for _ in range(20))
    least = float("inf")
    for _ in range(20):
        started = time.perf_counter()
        for _ in range(10):
            _native.solve(a, b)
        least = min(least, (time.perf_counter() - started) / 10)
    return max(0.0, least - inside)


def monitor(
    port: int | None = None,
    *,
    address: str = "127.0.0.1",
    token: str | None = None,
    hosts: Sequence[str] = (),
    prefix: str = "",
    history: bool = True,
    publish: bool = False,
) -> Monitor:
    """Watch this process, and show on a page what ran where, how fast, and what would have been faster.

    The page is reachable from this machine only, and only with the token in its address. It cannot change anything.
    If a monitor runs already, that one is returned.

    Parameters
    ----------
    port : int, optional
        The page's port; 0 for any that is free. By default ``LAPACK_DASHBOARD_PORT`` or 8080, and any that is free
        where that one is taken.
    address : str
        The IP address to listen on. One that other machines reach needs a ``token``.
    token : str, optional
        At least 16 letters, digits, '-', '_' or '.'; by default a random one.
    hosts : sequence of str
        Names under which a proxy makes the page reachable, for example "hub.example.org".
    prefix : str
        A path that a proxy puts before the page's and does not take off.
    history : bool
        Record this run, to compare later ones with it.
    publish : bool
        No page of its own: tell ``lapack-ai monitor``, which shows all processes of this user that publish.

    Returns
    -------
    Monitor
        To be closed by ``close()`` or a ``with`` block; at the end of the process it closes itself.

    Notes
    -----
    Calls shorter than 0.1 ms are counted, and some of them timed; all others, and every failure and warning, are
    recorded.
    A forked child is not watched; it may start its own monitor.
    """
    global _current
    if _current is not None and _current.running:
        return _current
    chosen = int(_native.config()["dashboard_port"]) if port is None else port
    if not 0 <= chosen <= 65535:
        raise ValueError(f"monitor: port={port} must be from 0 to 65535.")

    overhead = _call_overhead()

    def start(port: int) -> _native.NativeMonitor:
        return _native.start_monitor(
            port=port,
            address=address,
            token=token,
            hosts=list(hosts),
            prefix=prefix,
            history=history,
            publish=publish,
            call_overhead=overhead,
        )

    try:
        native = start(chosen)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            raise
        native = start(0)
    path = prefix.strip("/")
    _current = Monitor(native, f"/{path}" if path else "")
    return _current


def _close_at_exit() -> None:
    if _current is not None:
        _current.close()


def _forget_in_child() -> None:
    """A forked child has none of the monitor's threads, so it lets go of its copy without ending it."""
    global _current
    if _current is not None:
        _kept.append(_current)
        _current = None


_kept: list[Monitor] = []
atexit.register(_close_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
