"""``make listen``: take HL7 v2 messages over MLLP for every source of sources.yml that says ``listen: <port>``.

python -m include.live            listen until stopped (SIGTERM or Ctrl-C)
python -m include.live check      0 where every port answers; for health checks
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from include.command import run_command
from include.errors import SettingsError
from include.live.inbox import Inbox
from include.live.listen_settings import ListenSettings
from include.live.server import Listener
from include.settings import Settings
from include.sources.hl7v2.files import options_of
from include.sources.registry import Source, load_sources

_log = logging.getLogger("plumbline.listen")
RECIPIENT = "landing_recipient"


def listening_sources(settings: Settings) -> list[Source]:
    """The sources that say ``listen``, of SOURCES or else of the last night. Raises SettingsError where none does."""
    from include.local_stack.home import last_sources

    sources = load_sources(settings.sources_file or last_sources(settings.home))
    found = [source for source in sources if source.kind == "hl7v2" and options_of(source).listen is not None]
    if not found:
        raise SettingsError(
            found="no source listens",
            expected="a source of kind hl7v2 with 'listen: <port>' in sources.yml (SOURCES=path/to/sources.yml)",
            action="add the word to the source's entry",
        )
    return found


def landing_recipient(settings: Settings) -> str:
    """For whom messages are sealed: the public half of the landing identity, from its own file where there is one."""
    if (settings.secrets_dir / RECIPIENT).is_file():
        return settings.secret(RECIPIENT)
    from include.privacy.keyring import load_keyring

    return load_keyring(settings.keyring_dir).landing_recipient


async def serve(sources: Sequence[Source], settings: Settings, listen: ListenSettings) -> None:
    """Listen until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    box = Inbox(settings, landing_recipient(settings))
    await box.start()
    listener = Listener(box, listen)
    ports = {source.name: await _open(listener, source) for source in sources}
    _write_ports(settings.home, ports)
    telling = asyncio.create_task(listener.tell())
    await stopping.wait()
    telling.cancel()
    await listener.stop()
    _log.info("stopped: %s", dict(listener.counts) or "no message")


async def _open(listener: Listener, source: Source) -> int:
    port = options_of(source).listen
    try:
        return await listener.listen(source, port)
    except OSError as problem:
        raise SettingsError(
            found=f"port {port} of source {source.name} cannot be opened ({os.strerror(problem.errno or 0)})",
            expected="a port on which no other program listens",
            action="stop the other program, or change 'listen' of the source in sources.yml",
        ) from problem


def _write_ports(home: Path, ports: dict[str, int]) -> None:
    """Which port each source got, for whoever asked for any (listen: 0)."""
    lines = "".join(f"{name}={port}\n" for name, port in ports.items())
    with contextlib.suppress(OSError):
        (home / "listen.ports").write_text(lines)


def check(settings: Settings, listen: ListenSettings) -> int:
    """0 where every declared port takes a connection."""
    host = "127.0.0.1" if listen.host in ("0.0.0.0", "::") else listen.host
    for source in listening_sources(settings):
        with socket.create_connection((host, options_of(source).listen), timeout=5):
            pass
    return 0


def main(arguments: Sequence[str]) -> int:
    """2 with a sentence on standard error where it cannot begin."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    return run_command("listen", lambda: _do(list(arguments)))


def _do(arguments: list[str]) -> int:
    settings, listen = Settings.from_environment(os.environ), ListenSettings.from_environment(os.environ)
    if arguments == ["check"]:
        return check(settings, listen)
    asyncio.run(serve(listening_sources(settings), settings, listen))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
