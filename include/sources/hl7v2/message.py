"""One message as segments and fields. Nothing below a field is split before somebody asks.

Whatever delimiters a message declares, its text is brought to the usual ``|^~\\&`` first, so that the mapping knows one
kind of message only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.sources.hl7v2.charsets import codec_of

USUAL = "|^~\\&"
_SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}", re.ASCII)
_VERSION = re.compile(r"2(?:\.\d{1,2}){0,2}", re.ASCII)
_AS_ESCAPE = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"}
_MAX_SEGMENTS = 100_000
_LARGE = 200_000  # characters from which a message's parts are counted before they are taken apart
_MOST = {"|": 3_000_000, "^": 1_000_000, "~": 50_000, "&": 500_000}


class UnreadableMessageError(Exception):
    """A message that cannot be taken in; ``reason`` is one of items.REASONS, ``found`` says more without a value."""

    def __init__(self, reason: str, found: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.found = reason, found


@dataclass(slots=True)
class Message:
    """A parsed message.

    ``segments`` are lists whose index is the field's number (0 is the segment's name); of MSH too, so that field 1 is
    the separator. ``kind`` is MSH-9.1 and ``event`` MSH-9.2 (or EVN-1 where a version 2.1 message has none).
    """

    segments: list[list[str]]
    kind: str
    event: str
    wrapped_lines: int = 0

    @property
    def header(self) -> list[str]:
        """MSH."""
        return self.segments[0]

    @property
    def label(self) -> str:
        """For example ADT^A01; what is no code is left out, because it is shown to people."""
        parts = [part if re.fullmatch(r"[A-Z0-9]{3}", part) else "?" for part in (self.kind, self.event) if part]
        return "^".join(parts)


def field_of(segment: list[str], number: int) -> str:
    """A field by its number; '' where the segment ends before it."""
    return segment[number] if number < len(segment) else ""


def parse_message(content: bytes, default_codec: str | None = None) -> Message:
    """Parse one message, from MSH to its last segment. Raises UnreadableMessageError.

    ``default_codec`` is the source's declared encoding, for messages without MSH-18.
    """
    text = decode(content, default_codec)
    if len(text) > _LARGE and any(text.count(mark) > most for mark, most in _MOST.items()):
        raise UnreadableMessageError("too_many_segments", "a message of too many parts")
    lines, wrapped = _lines(text)
    segments = [line.split("|") for line in lines]
    header = segments[0]
    header.insert(1, "|")
    if '""' in text:
        segments = [["" if field == '""' else field for field in segment] for segment in segments]
        header = segments[0]
    kind, event = _kind_of(header, segments)
    version = field_of(header, 12).split("^")[0].strip()
    if version and not _VERSION.fullmatch(version):
        raise UnreadableMessageError("unsupported_version")
    return Message(segments, kind, event, wrapped)


def decode(content: bytes, default_codec: str | None) -> str:
    """The message's text with the usual delimiters."""
    separator, encoding = _delimiters(content)
    codec = codec_of(_charsets(content, separator, encoding), default_codec)
    if codec is None:
        raise UnreadableMessageError("unknown_charset")
    try:
        text = content.decode(codec)
    except (UnicodeDecodeError, LookupError):
        raise UnreadableMessageError("invalid_charset") from None
    if "\0" in text:
        raise UnreadableMessageError("nul")
    declared = separator + encoding
    return text if declared == USUAL else _with_usual_delimiters(text, declared)


def _delimiters(content: bytes) -> tuple[str, str]:
    """Field separator and the four encoding characters; those a message does not declare are the usual ones."""
    separator = content[3:4].decode("latin-1")
    if not separator:
        raise UnreadableMessageError("bad_delimiters")
    encoding = re.split(rb"[\r\n]", content[4:12].split(content[3:4])[0])[0].decode("latin-1")
    if len(encoding) > 5:
        raise UnreadableMessageError("bad_delimiters")
    encoding = encoding[:4] + USUAL[1:][len(encoding[:4]) :]
    characters = separator + encoding
    if len(set(characters)) < 5 or any(c.isalnum() or c.isspace() or not c.isprintable() for c in characters):
        raise UnreadableMessageError("bad_delimiters")
    return separator, encoding


def _charsets(content: bytes, separator: str, encoding: str) -> list[str]:
    """MSH-18's repetitions; a header is read as Latin-1 because character sets differ above it only."""
    line = re.split(rb"[\r\n]", content, maxsplit=1)[0].decode("latin-1")
    fields = line.split(separator, 19)
    return fields[17].split(encoding[1]) if len(fields) > 17 else [""]


def _with_usual_delimiters(text: str, declared: str) -> str:
    body_at = len("MSH") + 1
    body = text[body_at:]
    encoding_ends = body.find(declared[0])
    rest = body[encoding_ends:] if encoding_ends >= 0 else ""
    order = (0, 1, 2, 3, 4)
    usual = {declared[at]: USUAL[at] for at in order}
    foreign = {character: _AS_ESCAPE[character] for character in USUAL if character not in declared}
    return "MSH" + USUAL + rest.translate(str.maketrans({**foreign, **usual}))


def _lines(text: str) -> tuple[list[str], int]:
    """Segments as text, and how many wrapped lines were put back to the segment they belong to."""
    if "\n" in text:
        text = text.replace("\r\n", "\r").replace("\n", "\r")
    lines = [line for line in text.split("\r") if line.strip()]
    if len(lines) > _MAX_SEGMENTS:
        raise UnreadableMessageError("too_many_segments")
    is_name = _SEGMENT_NAME.fullmatch
    if all(line[3:4] in ("|", "") and is_name(line[:3]) for line in lines):
        return lines, 0
    return _unwrapped(lines)


def _unwrapped(lines: list[str]) -> tuple[list[str], int]:
    """Lines without a separator are text that went on after a line end; anything else is no segment."""
    whole: list[str] = []
    wrapped = 0
    for number, line in enumerate(lines, 1):
        if line[3:4] in ("|", "") and _SEGMENT_NAME.fullmatch(line[:3]):
            whole.append(line)
        elif "|" in line or not whole:
            raise UnreadableMessageError("bad_segment", f"line {number} of the message is not a segment")
        else:
            whole[-1] += "\n" + line
            wrapped += 1
    return whole, wrapped


def _kind_of(header: list[str], segments: list[list[str]]) -> tuple[str, str]:
    kind, _, event = field_of(header, 9).partition("^")
    event = event.partition("^")[0].strip()
    if not kind.strip():
        raise UnreadableMessageError("missing_message_type")
    if not event:
        event = next((field_of(segment, 1) for segment in segments if segment[0] == "EVN"), "").strip()
    return kind.strip(), event
