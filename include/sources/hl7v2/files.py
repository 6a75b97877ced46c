"""Kind hl7v2: a folder of HL7 v2 messages, one or many in a file, with or without envelopes, packed or not.

A message is one place of a file and becomes several Documents, or one Reject. Fields that no resource takes in are told
as Notices ``unmapped_field``, one for every message type and field.

Words in sources.yml besides those of every kind:

    encoding: cp1252              # of messages whose MSH-18 is empty; default UTF-8
    assigning_authorities:        # namespaces (or ids) of identifiers -> their systems, as other sources write them
      GHH: http://ghh.example/mrn
    listen: 2575                  # 'make listen' takes messages over MLLP at this port (include/live)
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from include.sources.byte_stream import read_blocks
from include.sources.declared import Complaints
from include.sources.hl7v2.framing import Cut, cut_messages
from include.sources.hl7v2.mapping import map_message
from include.sources.hl7v2.message import UnreadableMessageError, parse_message
from include.sources.hl7v2.people import Authorities
from include.sources.items import Document, Item, Notice, Reject, broken, refuse
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, file_type, number, walk_files

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = False
WORDS = frozenset({"encoding", "assigning_authorities", "listen"})
_MESSAGE_NAME = re.compile(r".*\.(?:hl7|er7|txt|dat|msg|bhs|fhs|mllp)(?:\.gz)?|[^.]+", re.IGNORECASE)
_MOST_LISTED = 5_000  # fields told apart in one file


@dataclass(frozen=True, slots=True)
class Options:
    """The words of sources.yml that only this kind knows, read."""

    encoding: str | None = None
    assigning_authorities: Mapping[str, str] = field(default_factory=dict)
    listen: int | None = None


def options_of(source: Source) -> Options:
    """The source's options; the usual ones where it was made without."""
    return source.options or Options()


def place_word(file: Landed) -> str:
    """What ``place`` counts in such a file."""
    return "message"


def read_options(entry: dict, where: str, folder: Path, complaints: Complaints) -> Options:
    """The words that only this kind knows."""
    encoding, authorities = entry.get("encoding"), entry.get("assigning_authorities", {})
    if encoding is not None and not _is_codec(encoding):
        complaints.add(f"{where}: 'encoding' is not the name of a character encoding, such as cp1252")
        encoding = None
    if not isinstance(authorities, dict) or not all(isinstance(each, str) and each for each in authorities.values()):
        complaints.add(f"{where}: 'assigning_authorities' is not a mapping of namespaces to systems")
        authorities = {}
    port = entry.get("listen")
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65_536):
        complaints.add(f"{where}: 'listen' is not the number of a port")
        port = None
    return Options(encoding, {str(name): each for name, each in authorities.items()}, port)


def _is_codec(name: object) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, TypeError):
        return False


def patient_id(known_as: str) -> str:
    """What records call a person whom messages know as ``number^^^authority^type``. Raises ValueError where that is no number."""
    from include.sources.hl7v2.patients import patient_id as of_number

    return of_number(known_as)


def list_files(source: Source) -> Listing:
    """Every file of the folder whose name may be one of messages (.hl7, .txt, .dat, … or without an ending), by path."""
    paths, passed_over = walk_files(source.path, source.files)
    taken = [path for path in paths if source.files or _MESSAGE_NAME.fullmatch(path.name)]
    files = [
        SourceFile(path, is_gzip=path.name.lower().endswith(".gz"), file_type=file_type(path.name)) for path in taken
    ]
    return Listing(files=number(files), ignored=passed_over + len(paths) - len(taken))


def read(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    """Yield the resources of every message, a Reject for each that cannot be read, and what was left out of them.

    Raises BrokenContainerError on a file that cannot be unpacked or holds no message at all.
    """
    reader = MessageReader(source)
    with open_stream() as stream:
        blocks = read_blocks(stream, is_named_gzip=file.is_gzip)
        for cut in cut_messages(blocks, max_bytes=source.max_record_bytes):
            yield from reader.read(cut)
    if not reader.place:
        raise broken(
            "not_hl7v2" if reader.strays else "truncated_file", found=None if reader.strays else "an empty file"
        )
    yield from reader.strays
    yield from reader.notices()


class MessageReader:
    """Turns cuts of one file into items, and remembers what was left out."""

    def __init__(self, source: Source) -> None:
        options = options_of(source)
        self._source, self._zone = source.name, source.zone
        self._encoding = options.encoding
        self._authorities = Authorities(source.name, options.assigning_authorities)
        self._unmapped: Counter[tuple[str, str]] = Counter()
        self._wrapped = 0
        self._in_batch = 0
        self.place = 0
        self.strays: list[Reject] = []

    def read(self, cut: Cut) -> Iterator[Item]:
        """The items of one cut. Text that belongs to no message waits in ``strays`` until there was a message."""
        if cut.kind == "message":
            self.place += 1
            self._in_batch += 1
            yield from self._read_message(cut)
        elif cut.kind == "over_long":
            self.place += 1
            self._in_batch += 1
            yield refuse(self.place, "over_long_message")._replace(content_sha256=cut.sha256)
        elif cut.kind == "envelope":
            yield from self._read_envelope(cut.content)
        elif len(self.strays) < 1000:
            self.strays.append(refuse(self.place, "stray_text", cut.content))

    def _read_message(self, cut: Cut) -> Iterator[Item]:
        try:
            if cut.is_cut_off:
                raise UnreadableMessageError("truncated_message")
            message = parse_message(cut.content, self._encoding)
            label = message.label
            mapped = map_message(message, self._source, self._zone, self._authorities)
            contents = [orjson.dumps(resource) for resource, _ in mapped.resources]
        except UnreadableMessageError as problem:
            yield refuse(self.place, problem.reason, cut.content, found=problem.found)
            return
        except Exception as problem:  # a night goes on without a message that shows a mistake of ours
            found = f"a message that the mapping cannot take in ({type(problem).__name__})"
            yield refuse(self.place, "mapping_failed", cut.content, found=found)
            return
        self._wrapped += message.wrapped_lines
        self._count_unmapped(label, mapped.unmapped)
        place = self.place
        for (resource, is_deleted), content in zip(mapped.resources, contents, strict=True):
            yield Document(place, b"deleted " + content if is_deleted else content, resource, is_deleted)

    def _count_unmapped(self, label: str, unmapped: Counter[str]) -> None:
        """Add up; a hostile file cannot make the list endless."""
        for place, count in unmapped.items():
            key = (label, place)
            is_listed = key in self._unmapped or len(self._unmapped) < _MOST_LISTED
            self._unmapped[key if is_listed else (label, "others")] += count

    def _read_envelope(self, line: bytes) -> Iterator[Item]:
        name = line[:3]
        if name == b"BHS":
            self._in_batch = 0
        if name != b"BTS":
            return
        announced = line[4:].split(line[3:4])[0].strip() if line[3:] else b""
        if announced.isdigit() and len(announced) < 12 and int(announced) != self._in_batch:
            yield refuse(self.place, "batch_count", line)
        self._in_batch = 0

    def notices(self) -> Iterator[Notice]:
        """What the file's messages held beside what was taken in."""
        for (label, place), count in sorted(self._unmapped.items()):
            yield Notice("unmapped_field", count, (place,), label)
        if self._wrapped:
            yield Notice("wrapped_line", self._wrapped)
