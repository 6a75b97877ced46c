"""A stack's kept ports: a server that is still dying is waited for, another program is not."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from include.local_stack import ports
from include.local_stack.home import Account, Home, StackError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, "test", Account("nobody", 65534, 65534, is_lent=False))


@pytest.fixture
def listener():
    with socket.socket() as listening:
        listening.bind((ports.LOOPBACK, 0))
        listening.listen()
        yield listening


def test_ports_of_a_server_that_is_still_dying_are_waited_for(home: Home, listener: socket.socket):
    taken = {"S3": listener.getsockname()[1]}
    threading.Timer(0.3, listener.close).start()
    assert not ports.is_free(taken["S3"])
    ports.refuse_taken(home, taken, ("S3",))
    assert ports.is_free(taken["S3"])


def test_a_port_that_another_program_keeps_is_refused(home: Home, listener: socket.socket, monkeypatch):
    monkeypatch.setattr(ports, "_SECONDS_TO_DIE", 0.2)
    with pytest.raises(StackError, match=r"another program listens on \d+ \(s3\)"):
        ports.refuse_taken(home, {"S3": listener.getsockname()[1]}, ("S3",))
