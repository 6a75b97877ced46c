"""Landing objects are age files for one recipient: anyone may be given the public half to add, only the keyring opens.

Names of files are sealed the same way, since a hospital may name a file after its patient.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from include.errors import PlumblineError


class Writable(Protocol):
    """What takes bytes."""

    def write(self, block: bytes) -> int: ...

    def flush(self) -> None: ...


class LandingError(PlumblineError):
    """Landing cannot take in a source, or an object in landing is not what its name says."""


def encrypt(stream: BinaryIO, target: Writable, recipient: str) -> None:
    """Write ``stream``, encrypted for the recipient, to ``target``, 64 KiB at a time."""
    import pyrage

    source, sink = _Remembering(stream.read), _Remembering(target.write)
    try:
        pyrage.encrypt_io(_Reader(source), _Writer(sink), [pyrage.x25519.Recipient.from_str(recipient)])
    except pyrage.EncryptError as problem:
        raise (source.problem or sink.problem or problem) from None


class _Remembering:
    """A call whose exception is kept: pyrage passes on its text only."""

    def __init__(self, call: Callable) -> None:
        self.call, self.problem = call, None

    def __call__(self, *values):
        try:
            return self.call(*values)
        except BaseException as problem:
            self.problem = problem
            raise


class _Reader:
    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.read = read


class _Writer:
    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.write = write

    def flush(self) -> None:
        """Nothing waits here."""


def seal_name(name: str, recipient: str) -> bytes:
    """A file's name, to be read by the holder of the landing identity only."""
    import pyrage

    return pyrage.encrypt(name.encode("utf-8", "surrogateescape"), [pyrage.x25519.Recipient.from_str(recipient)])


def open_name(sealed: bytes, identity: str) -> str:
    """The name that ``seal_name`` sealed."""
    import pyrage

    opened = pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity)])
    return opened.decode("utf-8", "surrogateescape")


class Decrypted(io.RawIOBase):
    """An encrypted object as a readable stream of what it holds.

    Decryption runs in a thread of its own, a pipe's length ahead of the reader. At the end the content's SHA-256 must
    be ``sha256``. Every failure comes out of ``readinto`` (so of ``read``) as a LandingError; nothing that was not
    authenticated is ever given out.
    """

    def __init__(self, open_blocks: Callable[[], Iterator[bytes]], identity: str, sha256: str) -> None:
        self._sha256 = sha256
        self._problem: BaseException | None = None
        self._digest = hashlib.sha256()
        self._read_end, self._write_end = os.pipe()
        self._work = threading.Thread(target=self._decrypt, args=(open_blocks, identity), daemon=True)
        self._work.start()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer) -> int:
        """Read into the buffer; 0 at the end. Raises LandingError where the object is not what it should be."""
        count = os.readv(self._read_end, [buffer])
        if count == 0:
            self._work.join()
            self._check()
        return count

    def close(self) -> None:
        """Stop decrypting and let go of the object."""
        if not self.closed:
            os.close(self._read_end)  # the thread's next write fails, which ends it
            super().close()
            self._work.join()

    def _decrypt(self, open_blocks: Callable[[], Iterator[bytes]], identity: str) -> None:
        import pyrage

        read = None
        try:
            read = _Remembering(_Blocks(open_blocks()).read)
            pyrage.decrypt_io(_Reader(read), self, [pyrage.x25519.Identity.from_str(identity)])
        except BaseException as problem:  # the reader raises it: a thread's own traceback would reach nobody
            self._problem = read.problem if read and read.problem else problem
        finally:
            os.close(self._write_end)

    def write(self, block: bytes) -> int:
        """For the thread that decrypts: hand a block on."""
        view = memoryview(block)
        while view:
            view = view[os.write(self._write_end, view) :]
        self._digest.update(block)
        return len(block)

    def flush(self) -> None:
        """Nothing waits."""

    def _check(self) -> None:
        if isinstance(self._problem, PlumblineError):
            raise self._problem
        if self._problem is not None:
            raise LandingError(
                found=f"landing object {self._sha256[:12]} cannot be opened ({type(self._problem).__name__})",
                expected="an age file for this installation's landing identity, whole",
                action="see that the keyring is the one it was landed with, or restore the object from the bucket's versions",
            ) from self._problem
        if self._digest.hexdigest() != self._sha256:
            raise LandingError(
                found=f"landing object {self._sha256[:12]} holds other bytes than its name says",
                expected="content with the SHA-256 it is named by",
                action="restore the object from the bucket's versions, and find out who wrote it",
            )


class _Blocks:
    """Blocks as something to read from, as pyrage wants it."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._block:
            self._block = memoryview(next(self._blocks, b""))
        taken, self._block = self._block[:size], self._block[size:]
        return bytes(taken)
