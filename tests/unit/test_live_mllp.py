"""Blocks may be split and joined anywhere, and every answer tells whom and what it answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.live.mllp import Block, BlockReader, answer, read_header
from tests.hl7v2_messages import admit
from tests.mllp_client import frame

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_blocks_are_the_same_wherever_the_pieces_end(size):
    stream = frame(b"MSH|one") + frame(b"MSH|two") + b"\r\n" + frame(b"MSH|three")
    reader = BlockReader(1000)
    blocks = [block for at in range(0, len(stream), size) for block in reader.feed(stream[at : at + size])]
    assert [block.content for block in blocks] == [b"MSH|one", b"MSH|two", b"MSH|three"]
    assert (reader.held, reader.stray_bytes, reader.is_inside) == (0, 0, False)


def test_a_block_over_the_limit_is_told_once_and_never_held():
    reader = BlockReader(100)
    blocks = reader.feed(b"\x0bMSH|" + b"x" * 200)
    assert [block.is_too_long for block in blocks] == [True]
    assert reader.feed(b"y" * 10_000) == []
    assert reader.held == 0
    assert reader.feed(b"\x1c\r" + frame(b"MSH|next")) == [Block(b"MSH|next")]


def test_bytes_outside_of_blocks_are_counted_and_dropped():
    reader = BlockReader(100)
    assert reader.feed(b"GET / HTTP/1.1\r\n" + frame(b"MSH|a")) == [Block(b"MSH|a")]
    assert reader.stray_bytes == 14


def test_a_sender_that_begins_again_is_heard_from_there():
    reader = BlockReader(100)
    assert reader.feed(b"\x0bMSH|half of" + frame(b"MSH|whole")) == [Block(b"MSH|whole")]


def test_an_answer_turns_sender_and_receiver_around():
    said = answer(read_header(admit(control="C7")), "AA", now=NOW).decode()
    head, acknowledged, rest = said.strip("\x0b\x1c\r").split("\r") + [""]
    assert head.startswith("MSH|^~\\&|EHR|GHH|ADTAPP|GHH|20261122083000+0000||ACK^A01^ACK|")
    assert head.endswith("|P|2.5.1")
    assert (acknowledged, rest) == ("MSA|AA|C7", "")


def test_a_refusal_says_why_in_both_places_and_in_the_sender_s_own_delimiters():
    own = admit(control="C7").decode().translate(str.maketrans("|^~\\&", "#@*!%")).encode()
    said = answer(read_header(own), "AR", "no segment # of any kind", now=NOW).decode()
    _, acknowledged, error = said.strip("\x0b\x1c\r").split("\r")
    assert acknowledged == "MSA#AR#C7#no segment  of any kind"
    assert error.startswith("ERR###200@Unsupported or unreadable message@HL70357#E####no segment")


@pytest.mark.parametrize("content", [b"", b"hello", b"MSH", b"MSH|", b"MSHAAAAAAAAA", b"\xff\xfe" * 10, b"MSH|^~\\&"])
def test_what_has_no_header_still_gets_an_answer(content):
    assert b"MSA|AR|" in answer(read_header(content), "AR", "no MSH segment")
