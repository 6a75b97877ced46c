"""Kind fhir_bundles: a folder of FHIR Bundles (transaction, batch, collection, searchset, history, …), .json or .json.gz.

Every entry's resource becomes a Document with its references resolved (bundle_references). Entries that delete become
tombstones. A file that holds one resource instead of a Bundle counts as a bundle of that resource.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import orjson

from include.sources.bundle_references import References, conditional_id, identify, split_condition, types_in_conditions
from include.sources.byte_stream import LongLine, read_blocks
from include.sources.deletions import bury, deletion_time, is_deletion, read_target
from include.sources.items import Document, Item, Notice, Reject, broken, refuse
from include.sources.json_entries import Entries
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, file_type, number, walk_files
from include.sources.resource_checks import json_reason, judge_resource, refuse_long

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = False
WHOLE_BYTES = 24 << 20  # parsed in one go up to here: about 200 MB as Python objects
MAX_ENTRIES = 4_000_000  # whose URLs are remembered: about 800 MB
_BUNDLE_NAME = re.compile(r".*\.json(?:\.gz)?", re.IGNORECASE)
_UTF8_MARK = b"\xef\xbb\xbf"

Entry = dict | LongLine | Reject
OpenEntries = Callable[[], Iterator[tuple[int, Entry]]]


def place_word(file: Landed) -> str:
    """What ``place`` counts in such a file."""
    return "entry"


def list_files(source: Source) -> Listing:
    """Every .json and .json.gz file of the folder, by path."""
    paths, passed_over = walk_files(source.path, source.files)
    bundles = [path for path in paths if _BUNDLE_NAME.fullmatch(path.name) and path.name != "manifest.json"]
    files = [
        SourceFile(path, is_gzip=path.name.lower().endswith(".gz"), file_type=file_type(path.name)) for path in bundles
    ]
    return Listing(files=number(files), ignored=passed_over + len(paths) - len(bundles))


def read(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    """Yield every entry of a bundle as a Document or a Reject.

    A large bundle is read twice, first for where its references may point. Raises BrokenContainerError on a file that
    is no Bundle, ends early or cannot be unpacked.
    """
    wanted_types: set[str] = set()
    open_entries = _parse_whole(open_stream, file, wanted_types)
    if open_entries is None:
        open_entries = _parse_streaming(source, open_stream, file, wanted_types)
    references = _learn(open_entries, wanted_types)
    idle, limit = 0, source.max_record_bytes
    for place, entry in open_entries():
        item = _read_entry(place, entry, references, limit)
        if item is None:
            idle += 1
        else:
            yield item
    if idle:
        yield Notice("idle_entry", idle)


def _parse_whole(open_stream: OpenStream, file: Landed, wanted_types: set[str]) -> OpenEntries | None:
    """The entries of a bundle that fits in memory; None where it does not, or is not JSON as a whole.

    Adds the types that its conditional references name to ``wanted_types``.
    """
    parts, size = [], 0
    with open_stream() as stream:
        for block in read_blocks(stream, is_named_gzip=file.is_gzip):
            parts.append(block)
            size += len(block)
            if size > WHOLE_BYTES:
                return None
    text = b"".join(parts).removeprefix(_UTF8_MARK)
    if not text.strip():
        raise broken("truncated_file", found="an empty file")
    try:
        bundle = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(bundle, dict) or not isinstance(bundle.get("resourceType"), str):
        raise broken("not_a_bundle")
    if bundle["resourceType"] != "Bundle":
        return lambda: iter([(1, {"resource": bundle})])
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise broken("not_a_bundle", found="a Bundle whose entry is not a list")
    wanted_types |= types_in_conditions(text)
    return lambda: enumerate((_as_entry(place, entry) for place, entry in enumerate(entries, 1)), 1)


def _as_entry(place: int, entry: object) -> Entry:
    return entry if isinstance(entry, dict) else refuse(place, "bad_entry", orjson.dumps(entry))


def _parse_streaming(source: Source, open_stream: OpenStream, file: Landed, wanted_types: set[str]) -> OpenEntries:
    """The same for any size; ``wanted_types`` is complete once the entries were read to their end."""

    def open_entries() -> Iterator[tuple[int, Entry]]:
        with open_stream() as stream:
            blocks = read_blocks(stream, is_named_gzip=file.is_gzip)
            entries = Entries(_without_mark(blocks), source.max_record_bytes)
            for place, text in enumerate(entries, 1):
                if isinstance(text, bytes):
                    wanted_types.update(types_in_conditions(text))
                yield place, _parse_entry(place, text)
            _refuse_other_files(entries)

    return open_entries


def _without_mark(blocks: Iterator[bytes]) -> Iterator[bytes]:
    first = next(blocks, b"")
    return chain([first.removeprefix(_UTF8_MARK)], blocks)


def _parse_entry(place: int, text: bytes | LongLine) -> Entry:
    if isinstance(text, LongLine):
        return refuse_long(place, text)
    try:
        return _as_entry(place, orjson.loads(text))
    except orjson.JSONDecodeError as problem:
        return refuse(place, json_reason(text, problem.msg), text)


def _refuse_other_files(entries: Entries) -> None:
    if entries.head.get("resourceType") != b'"Bundle"':
        raise broken("not_a_bundle")


def _learn(open_entries: OpenEntries, wanted_types: set[str]) -> References:
    """Where the bundle's references may point. Identifiers are only learnt where conditions ask for them."""
    references = References()
    for _, entry in open_entries():
        if isinstance(entry, dict):
            references.learn(entry)
            if len(references) > MAX_ENTRIES:
                raise broken("over_large_bundle", found=f"a bundle of more than {MAX_ENTRIES:,} entries")
    if wanted_types:
        for _, entry in open_entries():
            if isinstance(entry, dict):
                references.learn_identifiers(entry, wanted_types)
    return references


def _read_entry(place: int, entry: Entry, references: References, limit: int) -> Item | None:
    if isinstance(entry, Reject):
        return entry
    if is_deletion(entry):
        return _read_deletion(place, entry)
    resource = entry.get("resource")
    if resource is None or _is_outcome_of_search(entry):
        return None
    if not isinstance(resource, dict):
        return refuse(place, "not_an_object", orjson.dumps(resource))
    resource_id = identify(entry, resource)
    if isinstance(resource_id, str):
        resource["id"] = resource_id
    try:
        written = orjson.dumps(resource)
    except TypeError:  # orjson writes fewer levels than it reads
        return refuse(place, "nested_too_deep", resource_type=_type_of(resource))
    content = references.rewrite(written)
    if content != written:
        resource = orjson.loads(content)
    if len(content) > limit:
        return refuse(place, "over_long", content, resource_type=_type_of(resource))
    return judge_resource(place, content, resource, None)


def _type_of(resource: dict) -> str | None:
    found = resource.get("resourceType")
    return found if isinstance(found, str) else None


def _is_outcome_of_search(entry: dict) -> bool:
    """A searchset tells about itself in an entry of its own."""
    search = entry.get("search")
    return isinstance(search, dict) and search.get("mode") == "outcome"


def _read_deletion(place: int, entry: dict) -> Document | Reject:
    url = entry["request"].get("url")
    target = read_target(url)
    condition = split_condition(url) if isinstance(url, str) and target is None else None
    if condition:
        target = condition[0], conditional_id(*condition)
    if target is None:
        return refuse(place, "bad_delete", orjson.dumps(url))
    return bury(place, *target, deletion_time(entry))
