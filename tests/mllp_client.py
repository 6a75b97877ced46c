"""A small MLLP sender for tests: pipelines, waits for answers, begins again where a connection broke."""

from __future__ import annotations

import socket
import ssl


def frame(message: bytes) -> bytes:
    """A message as an MLLP block."""
    return b"\x0b" + message + b"\x1c\r"


class Sender:
    """One connection. ``ask`` sends and reads one answer."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, timeout: float = 30) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[str, str, str]:
        """The next answer: its code, the control id it answers, and the reason in ERR or ''."""
        while b"\x1c" not in self._buffer:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("closed")
            self._buffer += more
        block, _, self._buffer = self._buffer.partition(b"\x1c")
        segments = [line.split(b"|") for line in block.strip(b"\r\n\x0b").split(b"\r")]
        acknowledged = next(segment for segment in segments if segment[0] == b"MSA")
        error = next((segment for segment in segments if segment[0] == b"ERR"), None)
        return acknowledged[1].decode(), acknowledged[2].decode(), error[8].decode() if error else ""

    def ask(self, message: bytes) -> tuple[str, str, str]:
        self.send(frame(message))
        return self.answer()

    def is_closed(self) -> bool:
        """Wait for the other side to close."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.socket.close()
