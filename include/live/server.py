"""The MLLP server: every message is answered once and in its order, AA only when it is durable.

Limits hold against any peer: connections in all and from one address, the size of a message and the time it may take, what
all peers together may keep unfinished, how many answers may wait to be taken. The log counts and names no value.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import Counter
from dataclasses import dataclass, field

from include.live import inbox, mllp
from include.live.inbox import Inbox, Incoming
from include.live.listen_settings import ListenSettings
from include.sources.hl7v2.files import options_of
from include.sources.hl7v2.message import UnreadableMessageError, parse_message
from include.sources.items import REASONS
from include.sources.registry import Source

_log = logging.getLogger("plumbline.listen")
_READ_BYTES = 1 << 16
_MOST_STRAY = 1 << 16
_ANSWERS = {
    inbox.STORED: ("AA", ""),
    inbox.REPEATED: ("AA", ""),
    inbox.REUSED: ("AE", "this control id was used before for another message"),
    inbox.FAILED: ("AE", "the message could not be stored, send it again"),
}


class _Leave(Exception):
    """Why a connection is ended by us."""


@dataclass(slots=True)
class _Peer:
    """A connection: its number, its address, and what came of it."""

    number: int
    address: str
    counts: Counter[str] = field(default_factory=Counter)
    answers: asyncio.Queue = field(default_factory=asyncio.Queue)
    held: int = 0


class Listener:
    """Takes messages of one or more sources, each at a port of its own."""

    def __init__(self, box: Inbox, settings: ListenSettings) -> None:
        self._inbox, self._settings = box, settings
        self._servers: list[asyncio.Server] = []
        self._peers: dict[int, _Peer] = {}
        self._tasks: set[asyncio.Task] = set()
        self._held, self._met = 0, 0
        self.counts: Counter[str] = Counter()

    async def listen(self, source: Source, port: int) -> int:
        """Open a source's port and return its number (0 asks for any). Raises OSError where it is taken."""

        context = self._settings.tls()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            self._tasks.add(task)
            try:
                await self._serve(source, reader, writer, context)
            finally:
                self._tasks.discard(task)

        server = await asyncio.start_server(
            serve,
            self._settings.host,
            port,
            limit=_READ_BYTES,
            backlog=128,
        )
        self._servers.append(server)
        opened = server.sockets[0].getsockname()[1]
        tls = ", TLS" if context else ""
        _log.info("source %s: listening at %s port %d%s", source.name, self._settings.host, opened, tls)
        return opened

    async def stop(self) -> None:
        """Take no more connections, answer what was taken in, end."""
        for server in self._servers:
            server.close()
        await self._inbox.stop()
        await asyncio.sleep(0.05)  # answers that became due go out
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def tell(self, every_seconds: float = 60.0) -> None:
        """Log totals whenever something came."""
        told: Counter[str] = Counter()
        while True:
            await asyncio.sleep(every_seconds)
            if self.counts != told:
                told = self.counts.copy()
                _log.info("so far: %s; %d connections", _counted(told), len(self._peers))

    async def _serve(
        self,
        source: Source,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        context: ssl.SSLContext | None,
    ) -> None:
        address = str((writer.get_extra_info("peername") or ("?",))[0])
        refused = self._refuses(address)
        if refused:
            self.counts["connections refused"] += 1
            _log.warning("source %s: a connection from %s is refused: %s", source.name, address, refused)
            await _close(writer)
            return
        self._met += 1
        peer = _Peer(self._met, address)
        self._peers[peer.number] = peer
        answering = asyncio.create_task(self._answer(peer, writer))
        why = "closed by the peer"
        try:
            if context:
                await self._shake_hands(writer, context)
            await self._read(source, peer, reader, answering)
            await self._settle(peer, answering)
        except _Leave as left:
            why = str(left)
            self.counts["connections ended by us"] += 1
        except (ConnectionError, OSError):
            why = "the connection broke"
        except asyncio.CancelledError:
            why = "the listener stops"
        finally:
            answering.cancel()
            self._held -= peer.held
            self._peers.pop(peer.number, None)
            await _close(writer)
            if peer.counts or why != "closed by the peer":
                _log.info("source %s: connection %d from %s: %s; %s", source.name, peer.number, address, why,
                          _counted(peer.counts) or "no message")  # fmt: skip

    async def _shake_hands(self, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        """Begin TLS. The connection is counted already, so that hands held out and never shaken are limited like others.

        Nothing may be awaited between the connection and this: what the peer sent first belongs to TLS.
        """
        try:
            await writer.start_tls(context, ssl_handshake_timeout=self._settings.message_seconds)
        except (ssl.SSLError, TimeoutError, ConnectionError) as problem:
            raise _Leave(f"it did not come to terms on TLS ({type(problem).__name__})") from None

    def _refuses(self, address: str) -> str | None:
        if len(self._peers) >= self._settings.max_connections:
            return f"there are {self._settings.max_connections} already"
        if sum(peer.address == address for peer in self._peers.values()) >= self._settings.max_per_peer:
            return f"there are {self._settings.max_per_peer} from this address already"
        return None

    async def _read(self, source: Source, peer: _Peer, reader: asyncio.StreamReader, answering: asyncio.Task) -> None:
        """Read until the peer closes. Raises _Leave where it breaks a limit."""
        blocks = mllp.BlockReader(min(self._settings.max_message_bytes, source.max_record_bytes))
        loop = asyncio.get_running_loop()
        begun_at: float | None = None
        while True:
            data = await self._some(peer, reader, loop, begun_at)
            if not data or answering.done():
                return
            before = blocks.held
            found = blocks.feed(data)
            for block in found:
                await self._take(source, peer, block, answering)
            self._hold(peer, blocks.held - before)
            if blocks.stray_bytes > _MOST_STRAY:
                raise _Leave("it sent too much that is no MLLP block")
            if not blocks.is_inside:
                begun_at = None
            elif begun_at is None or found:
                begun_at = loop.time()

    async def _some(
        self, peer: _Peer, reader: asyncio.StreamReader, loop: asyncio.AbstractEventLoop, begun_at: float | None
    ) -> bytes:
        settings = self._settings
        if begun_at is not None:
            patience, said = begun_at + settings.message_seconds - loop.time(), "a message took too long to arrive"
        else:
            patience = settings.idle_seconds if peer.counts["taken"] else settings.message_seconds
            said = "it was silent too long"
        try:
            return await asyncio.wait_for(reader.read(_READ_BYTES), max(patience, 0.001))
        except TimeoutError:
            raise _Leave(said) from None

    def _hold(self, peer: _Peer, more: int) -> None:
        peer.held += more
        self._held += more
        if self._held > self._settings.max_held_bytes:
            raise _Leave("all unfinished messages together are over the limit")

    async def _take(self, source: Source, peer: _Peer, block: mllp.Block, answering: asyncio.Task) -> None:
        """Put a message in, or say why not; either way its answer waits in its turn."""
        while peer.answers.qsize() >= self._settings.most_unanswered:  # the peer has to take its answers first
            if answering.done():
                raise _Leave("it did not take its answers")
            await asyncio.sleep(0.01)
        header = mllp.read_header(block.content)
        refusal = self._refusal(source, block, header)
        if isinstance(refusal, tuple):
            reason, text = refusal
            peer.counts[f"refused ({reason})"] += 1
            self.counts["refused"] += 1
            peer.answers.put_nowait((header, "AR", text, 0))
            return
        peer.counts["taken"] += 1
        keys = inbox.keys_of(self._inbox.salt, source.name, header, block.content)
        incoming = Incoming(source.name, refusal, block.content, keys)
        self._hold(peer, len(block.content))
        self._inbox.put(incoming)
        peer.answers.put_nowait((header, incoming.outcome, "", len(block.content)))

    def _refusal(self, source: Source, block: mllp.Block, header: mllp.Header) -> tuple[str, str] | str:
        """Why a message cannot be taken in (a code and words without values), or else its type."""
        if block.is_too_long:
            return "too_long", "the message is longer than the limit"
        if not header.fields:
            return "no_header", "no MSH segment"
        if not header.control_id:
            return "no_control_id", "no control id in MSH-10"
        try:
            return parse_message(block.content.strip(b"\r\n"), options_of(source).encoding).label
        except UnreadableMessageError as problem:
            return problem.reason, problem.found or REASONS[problem.reason][0]
        except Exception as problem:  # a mistake of ours must not cost the sender its connection
            _log.error("source %s: a message could not be looked at (%s)", source.name, type(problem).__name__)
            return "unreadable", "a message that cannot be read"

    async def _answer(self, peer: _Peer, writer: asyncio.StreamWriter) -> None:
        """Send answers in the order of the messages, each when its message is durable or refused."""
        while True:
            header, told, reason, size = await peer.answers.get()
            code = told
            if isinstance(told, asyncio.Future):
                outcome = await told
                code, reason = _ANSWERS[outcome]
                peer.counts[outcome] += 1
                self.counts[outcome] += 1
                peer.held -= size
                self._held -= size
            writer.write(mllp.answer(header, code, reason))
            await asyncio.wait_for(writer.drain(), self._settings.message_seconds)
            peer.answers.task_done()

    async def _settle(self, peer: _Peer, answering: asyncio.Task) -> None:
        """A peer that closed its sending half still gets its answers."""
        waiting = asyncio.create_task(peer.answers.join())
        await asyncio.wait(
            {waiting, answering}, timeout=self._settings.message_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        if answering.done() and not answering.cancelled() and answering.exception():
            raise _Leave("it did not take its answers")


async def _close(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, OSError, TimeoutError):
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), 2)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
