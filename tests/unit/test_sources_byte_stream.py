"""Streams come in blocks, packed or not, broken or whole, and no line is ever held that is longer than allowed."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.sources.byte_stream import LongLine, read_blocks, read_line_blocks
from include.sources.items import BrokenContainerError


def unpacked(content: bytes, *, is_named_gzip: bool = True) -> bytes:
    return b"".join(read_blocks(io.BytesIO(content), is_named_gzip=is_named_gzip))


def lines_of(content: bytes, *, block: int = 7, max_bytes: int = 100) -> list[bytes | LongLine]:
    blocks = (content[start : start + block] for start in range(0, len(content), block))
    return [line for lines, _ in read_line_blocks(blocks, max_bytes=max_bytes) for line in lines]


def test_gzip_with_several_members_and_padding_is_read_whole():
    assert unpacked(gzip.compress(b"one\n") + gzip.compress(b"two\n") + b"\0" * 512) == b"one\ntwo\n"


def test_gzip_is_known_by_its_bytes_not_its_name():
    assert unpacked(gzip.compress(b"one\n"), is_named_gzip=False) == b"one\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(b"line\n" * 1000, mtime=0)[:-5], "truncated_gzip"),
        (b"", "truncated_gzip"),
        (b"plain text", "broken_gzip"),
        (gzip.compress(b"one\n", mtime=0) + b"garbage after the end", "gzip_trailing_garbage"),
        (gzip.compress(b"line\n" * 1000, mtime=0)[:-8] + b"\1" * 8, "broken_gzip"),
    ],
)
def test_broken_gzip_is_refused_with_its_reason(content, reason):
    with pytest.raises(BrokenContainerError) as problem:
        unpacked(content)
    assert problem.value.reason_code == reason


def test_a_gzip_bomb_comes_in_small_blocks():
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(bomb.compress(b"\0" * (1 << 20)) for _ in range(16)) + bomb.flush()
    sizes = [len(block) for block in read_blocks(io.BytesIO(packed), is_named_gzip=True)]
    assert sum(sizes) == 16 << 20
    assert max(sizes) <= 1 << 20


def test_the_last_line_needs_no_line_feed_and_a_byte_order_mark_is_dropped():
    assert lines_of(b"\xef\xbb\xbfone\ntwo", block=100) == [b"one", b"two"]
    assert lines_of(b"one\ntwo\n") == [b"one", b"two"]
    assert lines_of(b"") == []


def test_a_line_over_the_limit_is_known_by_hash_and_size_only():
    short, long_line, last = lines_of(b"short\n" + b"x" * 101 + b"\nlast\n")
    assert (short, last) == (b"short", b"last")
    assert (long_line.size, long_line.sha256) == (101, hashlib.sha256(b"x" * 101).hexdigest())
    assert lines_of(b"x" * 100 + b"\n") == [b"x" * 100]


def test_an_escaped_nul_is_told_of_wherever_blocks_end():
    content = b'{"a":"\\u0000"}\n'
    for block in range(1, len(content) + 1):
        blocks = (content[start : start + block] for start in range(0, len(content), block))
        assert any(may_hold_nul for _, may_hold_nul in read_line_blocks(blocks, max_bytes=100)), block


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50), st.integers(5, 60))
def test_lines_are_the_same_however_the_stream_is_cut(content, block, max_bytes):
    content = content.removeprefix(b"\xef\xbb\xbf")
    expected = content.split(b"\n")
    expected = expected[:-1] if expected[-1] == b"" else expected
    found = lines_of(content, block=max(block, 3), max_bytes=max_bytes)
    assert [line if isinstance(line, bytes) else line.size for line in found] == [
        line if len(line) <= max_bytes else len(line) for line in expected
    ]
