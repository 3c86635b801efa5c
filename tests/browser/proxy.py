"""A proxy that serves another server's paths below a prefix, and takes the prefix off, as notebook servers do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Proxy:
    """Listens until it is closed. One request a connection, except for WebSockets, which are passed on as they come."""

    def __init__(self, target: int, prefix: str) -> None:
        self._target, self._prefix = target, prefix
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.refused = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Ends all connections and waits for their threads."""
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for one in [self._listener, *self._sockets]:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            part = client.recv(65536)
            if not part:
                return
            head += part
        line, rest = head.split(b"\r\n", 1)
        method, path, version = line.decode().split(" ")
        if not path.startswith(self._prefix):
            self.refused += 1
            client.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            return
        path = path[len(self._prefix) :] or "/"
        if b"upgrade: websocket" not in rest.lower():
            rest = b"Connection: close\r\n" + b"\r\n".join(
                line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:")
            )
        server = socket.create_connection(("127.0.0.1", self._target))
        self._sockets.append(server)
        server.sendall(f"{method} {path} {version}\r\n".encode() + rest)
        self._start(_pass_on, client, server)
        _pass_on(server, client)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
