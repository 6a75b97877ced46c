"""The entries of a JSON bundle one at a time, as bytes, from a stream of any size.

Only brackets and quotes are looked at here; what stands between them is for the parser that gets the entry. So an entry
that is not JSON costs itself and not the bundle, as long as its brackets and quotes pair up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from include.sources.byte_stream import LongLine
from include.sources.items import broken

_BLANK = re.compile(rb"[ \t\r\n]*+")
_TEXT = rb'(?:[^{}\[\]"]++|"(?:[^"\\]++|\\.)*+")*+'
_LEAF = rb"\{" + _TEXT + rb"\}|\[" + _TEXT + rb"\]"  # read past whole, since most brackets hold no other
_TO_BRACKET = re.compile(rb'(?:[^{}\[\]"]++|"(?:[^"\\]++|\\.)*+"|' + _LEAF + rb")*+", re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STRING_END = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\r\n,:\[\]{}\"]++")
_OPENING = b"{["


class Entries:
    """Iterate over a bundle's entries; ``head`` fills with its other top-level texts on the way."""

    def __init__(self, blocks: Iterator[bytes], max_bytes: int) -> None:
        self._blocks = blocks
        self._max_bytes = max_bytes
        self._text = b""
        self._at = 0
        self.head: dict[str, bytes] = {}
        self.has_entries = False

    def __iter__(self) -> Iterator[bytes | LongLine]:
        """Raises BrokenContainerError where the file ends early or is not one object."""
        if self._peek().removeprefix(b"\xef") != b"{":
            raise broken("malformed_bundle")
        self._at += 1
        while (mark := self._peek()) != b"}":
            if mark == b",":
                self._at += 1
                continue
            name = self._value()
            if not isinstance(name, bytes) or not name.startswith(b'"') or self._peek() != b":":
                raise broken("malformed_bundle")
            self._at += 1
            if name == b'"entry"' and self._peek() == b"[":
                self.has_entries = True
                yield from self._elements()
            else:
                value = self._value()
                if isinstance(value, bytes) and len(value) < 1000:
                    self.head[name.decode(errors="replace").strip('"')] = value
        self._at += 1
        self._refuse_more()

    def _elements(self) -> Iterator[bytes | LongLine]:
        self._at += 1
        while (mark := self._peek()) != b"]":
            if mark == b",":
                self._at += 1
            else:
                yield self._value()
        self._at += 1

    def _refuse_more(self) -> None:
        while True:
            self._at = _BLANK.match(self._text, self._at).end()
            if self._at < len(self._text):
                raise broken("malformed_bundle", found="more text after the end of the bundle")
            if not self._more():
                return

    def _more(self) -> bool:
        block = next(self._blocks, b"")
        if block:
            self._text = self._text[self._at :] + block
            self._at = 0
        return bool(block)

    def _peek(self) -> bytes:
        """The next character that is not blank, without taking it."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()
            if self._at < len(self._text):
                return self._text[self._at : self._at + 1]
            if not self._more():
                raise broken("truncated_file")

    def _value(self) -> bytes | LongLine:
        """Take one value of any kind, from its first to its last byte."""
        mark = self._peek()
        if mark in (b"{", b"["):
            return self._nested()
        pattern = _STRING if mark == b'"' else _SCALAR
        while True:
            found = pattern.match(self._text, self._at)
            if found and (found.end() < len(self._text) or mark == b'"'):
                self._at = found.end()
                return found.group()
            if mark != b'"' and not found:
                raise broken("malformed_bundle")
            if len(self._text) - self._at > self._max_bytes:
                return self._skip_string() if mark == b'"' else self._skip_scalar()
            if not self._more():
                raise broken("truncated_file")

    def _nested(self) -> bytes | LongLine:
        """Take an object or list. One over the limit is read past, with its hash and size kept."""
        start, depth = self._at, 1
        position = start + 1
        while True:
            position = _TO_BRACKET.match(self._text, position).end()
            mark = self._text[position : position + 1]
            if mark in (b"", b'"'):  # the text ends here, perhaps inside a string
                if position - start > self._max_bytes or len(self._text) - start > self._max_bytes:
                    return self._skip_nested(start, position, depth)
                position -= start
                self._at = start
                if not self._more():
                    raise broken("truncated_file")
                start = 0
                continue
            position += 1
            depth += 1 if mark in _OPENING else -1
            if depth == 0:
                self._at = position
                taken = self._text[start:position]
                return (
                    taken if len(taken) <= self._max_bytes else LongLine(hashlib.sha256(taken).hexdigest(), len(taken))
                )

    def _skip_nested(self, start: int, position: int, depth: int) -> LongLine:
        skipped = _Skipped(self._text[start:position])
        self._at = position
        while depth:
            if self._at == len(self._text) and not self._more():
                raise broken("truncated_file")
            if self._text[self._at : self._at + 1] == b'"':
                skipped.add_string(self)
                continue
            end = _TO_BRACKET.match(self._text, self._at).end()
            mark = self._text[end : end + 1]
            if mark and mark != b'"':
                depth += 1 if mark in _OPENING else -1
                end += 1
            skipped.add(self._text[self._at : end])
            self._at = end
        return skipped.as_line()

    def _skip_string(self) -> LongLine:
        skipped = _Skipped(b"")
        skipped.add_string(self)
        return skipped.as_line()

    def _skip_scalar(self) -> LongLine:
        """Read past a number or word that has no end in sight; the entry costs itself and not the bundle."""
        skipped = _Skipped(b"")
        while True:
            found = _SCALAR.match(self._text, self._at)
            if found:
                skipped.add(found.group())
                self._at = found.end()
            if self._at < len(self._text):
                return skipped.as_line()
            if not self._more():
                raise broken("truncated_file")


class _Skipped:
    """Hash and size of what is read past."""

    def __init__(self, begun: bytes) -> None:
        self.digest, self.size = hashlib.sha256(begun), len(begun)

    def add(self, part: bytes) -> None:
        self.digest.update(part)
        self.size += len(part)

    def add_string(self, entries: Entries) -> None:
        """Read past a string from its opening quote on, holding one block of it at a time."""
        self.add(b'"')
        entries._at += 1
        while True:
            end = _STRING_END.match(entries._text, entries._at).end()
            self.add(entries._text[entries._at : end])
            entries._at = end
            if entries._text[end : end + 1] == b'"':
                self.add(b'"')
                entries._at += 1
                return
            if not entries._more():
                raise broken("truncated_file")

    def as_line(self) -> LongLine:
        return LongLine(self.digest.hexdigest(), self.size)
