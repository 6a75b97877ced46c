"""Ports of a stack: found free once, written down, and kept, so that an analyst's saved connection stays right."""

from __future__ import annotations

import random
import socket

from include.local_stack.home import Home, StackError, write_private
from include.local_stack.processes import wait_until
from include.settings import STACK_FILE, read_env_file

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes ports for outgoing connections, so that no client sits on one of ours.
# The S3 server's inner admin listens on a second port 10,000 higher as well, hence the narrow range.
RANGE = range(20_000, 22_700)
_SECONDS_TO_DIE = 5
NAMES = (
    "POSTGRES",
    "S3",
    "S3_GRPC",
    "FILER",
    "FILER_GRPC",
    "MASTER",
    "MASTER_GRPC",
    "VOLUME",
    "VOLUME_GRPC",
    "ADMIN",
    "AIRFLOW_UI",
    "AIRFLOW_LOGS",
    "AIRFLOW_TRIGGERER_LOGS",
)


def keep_ports(home: Home) -> dict[str, int]:
    """The stack's ports by name. Those not yet chosen are found free and written to ``stack.env``."""
    file = home.path / STACK_FILE
    known = read_env_file(file)
    ports = {name: int(known[_variable(name)]) for name in NAMES if _variable(name) in known}
    missing = [name for name in NAMES if name not in ports]
    ports |= dict(zip(missing, find_free_ports(len(missing), taken=set(ports.values())), strict=True))
    ports["ADMIN_GRPC"] = ports["ADMIN"] + 10_000
    lines = {
        **known,
        **_addresses(ports),
        **{_variable(name): str(port) for name, port in ports.items() if name in NAMES},
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    if lines != known:
        write_private(file, "# Where this stack listens. Delete a line to have a port chosen anew.\n" + text)
    return ports


def find_free_ports(count: int, *, taken: set[int]) -> list[int]:
    """``count`` ports of the range on which nothing listens, drawn at random so that two stacks rarely meet."""
    draw = random.SystemRandom()
    candidates = draw.sample(RANGE, len(RANGE))
    free = (port for port in candidates if port not in taken and is_free(port) and is_free(port + 10_000))
    try:
        return [next(free) for _ in range(count)]
    except StopIteration:
        raise StackError(
            found=f"fewer than {count} free ports between {RANGE.start} and {RANGE.stop}",
            expected="that many on the loopback address",
            action="stop some of the servers on this machine",
        ) from None


def is_free(port: int) -> bool:
    """True where nothing listens on the loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def refuse_taken(home: Home, ports: dict[str, int], names: tuple[str, ...]) -> None:
    """Raise StackError where another program sits on one of the stack's kept ports.

    A server of ours that was killed a moment ago can hold its ports for as long as its memory takes to go: that is waited for.
    """
    wait_until(lambda: all(is_free(ports[name]) for name in names), seconds=_SECONDS_TO_DIE)
    taken = [name for name in names if not is_free(ports[name])]
    if taken:
        raise StackError(
            found=f"another program listens on {', '.join(f'{ports[n]} ({n.lower()})' for n in taken)}",
            expected="the ports that this stack has used so far to be free",
            action=f"stop that program, or delete the line {_variable(taken[0])} from {home.path / STACK_FILE}",
        )


def _variable(name: str) -> str:
    return f"PLUMBLINE_PORT_{name}"


def _addresses(ports: dict[str, int]) -> dict[str, str]:
    return {
        "PLUMBLINE_PG_HOST": LOOPBACK,
        "PLUMBLINE_PG_PORT": str(ports["POSTGRES"]),
        "PLUMBLINE_PG_SSLMODE": "disable",
        "PLUMBLINE_S3_ENDPOINT": f"http://{LOOPBACK}:{ports['S3']}",
        "PLUMBLINE_S3_REGION": "us-east-1",
    }
