"""Tokens: keyed hashes that stand for ids and people, the same in every night and useless without the token key.

Each kind of token has its own prefix in the hashed message, so that one can never be taken for another.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from binascii import hexlify
from collections.abc import Callable, Iterable
from datetime import date
from struct import Struct

UUID_BYTES = RECORD_ID_BYTES = 16  # of a digest
_BLOCK_BYTES = 64  # of SHA-256
_UUID_PARTS = Struct("8s4s4s4s12s")
_write_uuid = b"%b-%b-%b-%b-%b".__mod__
_NOT_NAME = re.compile(r"[^\w]|_", re.UNICODE)
_ZIP5 = re.compile(r"\s*(\d{5})(?:-?\d{4})?\s*")


class Tokeniser:
    """Makes the tokens of one installation. ``token_key`` comes from the keyring and never leaves this object."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, token_key: bytes) -> None:
        # HMAC (RFC 2104) with both halves prepared: a token costs half of what hmac.digest takes from the key on.
        block = token_key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, message: bytes) -> bytes:
        """HMAC-SHA256 of a message, 32 bytes."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def digester(self, prefix: bytes) -> Callable[[bytes], bytes]:
        """HMAC-SHA256 of ``prefix`` followed by a message, with the prefix hashed once."""
        prepared = self._inner.copy()
        prepared.update(prefix)
        start, finish = prepared.copy, self._outer.copy

        def digest(message: bytes) -> bytes:
            inner = start()
            inner.update(message)
            outer = finish()
            outer.update(inner.digest())
            return outer.digest()

        return digest

    def id_digester(self, source: str, resource_type: str) -> Callable[[bytes], bytes]:
        """Digests of ids of one source and type (UTF-8 bytes); ``as_uuid`` of one is the id's token."""
        return self.digester(f"id|{source}|{resource_type}|".encode())

    def record_digester(self, source: str, kind: str) -> Callable[[bytes], bytes]:
        """Digests of records' contents as received; the first 16 bytes of one are the record_id.

        ``kind`` is the resource type or table. A document's content holds its id; a row's message must be made to.
        """
        return self.digester(f"record|{source}|{kind}|".encode())

    def id_token(self, source: str, resource_type: str, source_id: str) -> str:
        """The token of a source's id, a uuid as text. Of a Patient's id it is the person token."""
        return as_uuid(self.id_digester(source, resource_type)(source_id.encode("utf-8", "surrogatepass")))

    def identifier_token(self, system: str | None, value: str) -> str | None:
        """Match token of an identifier, the same whichever source says it: ``id:<uuid>``. None if it is empty.

        Values are compared without case and without the blanks and dashes people put into numbers.
        """
        plain = re.sub(r"[\s\-]", "", value).casefold()
        if not plain:
            return None
        return "id:" + as_uuid(self.digest(f"identifier|{(system or '').strip().casefold()}|{plain}".encode()))

    def demographic_token(
        self, *, family: str | None, given: str | None, birth_date: str | None, sex: str | None, postal_code: str | None
    ) -> str | None:
        """Match token of a person's demographics, ``demo:<uuid>``; None unless all five are there.

        Names are compared without case, accents, blanks and punctuation; of several given names the first; of a
        postal code five digits; of the sex its first letter.
        """
        zip5 = _ZIP5.fullmatch(postal_code or "")
        parts = (
            plain_name(family or ""),
            plain_name((given or "").split(" ")[0]),
            _day(birth_date),
            (sex or "")[:1].casefold(),
        )
        if zip5 is None or not all(parts):
            return None
        return "demo:" + as_uuid(self.digest("|".join(("demo", *parts, zip5[1])).encode()))


def as_uuid(digest: bytes) -> str:
    """The first 16 bytes of a digest as the text of a uuid."""
    return uuid_text(digest).decode()


def uuid_text(digest: bytes) -> bytes:
    """The same as ASCII bytes."""
    return _write_uuid(_UUID_PARTS.unpack(hexlify(digest[:UUID_BYTES])))


def uuid_texts(digests: Iterable[bytes]) -> list[bytes]:
    """The same of many digests."""
    together = hexlify(b"".join([digest[:UUID_BYTES] for digest in digests]))
    return list(map(_write_uuid, _UUID_PARTS.iter_unpack(together)))


def plain_name(name: str) -> str:
    """A name for comparing: no case, accents, blanks or punctuation. Digits stay: some systems' names have them."""
    decomposed = unicodedata.normalize("NFKD", name)
    return _NOT_NAME.sub("", "".join(c for c in decomposed if not unicodedata.combining(c))).casefold()


def distinct(tokens: Iterable[str | None]) -> list[str]:
    """Tokens in order, without repeats and without the empty ones."""
    return list(dict.fromkeys(token for token in tokens if token))


def _day(text: str | None) -> str:
    try:
        return date.fromisoformat((text or "")[:10]).isoformat()
    except ValueError:
        return ""
