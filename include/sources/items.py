"""What a reader yields: one item for every record it met, whole or refused, and what it noticed on the way.

A reader promises that every record of a file comes out exactly once: as a Document, a Row or a Reject. A file whose
container is broken raises BrokenContainerError instead, whatever came out before; then the file counts as a whole.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from include.errors import PlumblineError


class Document(NamedTuple):
    """One FHIR R4 resource as received, or (``is_deleted``) the news that it was deleted.

    ``place`` counts lines or entries from 1. ``content`` is what the record's identity is hashed over: the line as
    received, or for a bundle's entry the resource as JSON with its references resolved. ``resource`` always has a text
    ``resourceType`` and ``id``; its depth is the parser's limit of 1,024, so a walk of it must mind RecursionError.
    """

    place: int
    content: bytes
    resource: dict
    is_deleted: bool = False


class Row(NamedTuple):
    """One row of a declared table.

    ``values`` stand in the contract's column order, None for null, each a text that Postgres reads as the declared type
    without error (booleans true/false, dates ISO, timestamps ISO with an offset). ``content`` is the declared columns'
    cells as received, so undeclared columns and their order do not make a row new. ``key`` is the source's id of the
    row: its key columns, or the hash of its content where the contract names none. Where ``is_deleted``, the row is the news
    that it is gone, and says no more than its key and what else was kept of it.
    """

    place: int
    table: str
    content: bytes
    values: tuple[str | None, ...]
    key: str
    is_deleted: bool = False


class Reject(NamedTuple):
    """A record that cannot be loaded: where it stands and why, without its values."""

    place: int
    reason_code: str
    found: str
    expected: str
    action: str
    content_sha256: str
    resource_type: str | None = None


class Notice(NamedTuple):
    """Something about a file that loses no record: an undeclared column, an absent optional one, blank lines.

    ``code`` is one of NOTICES; ``names`` are column names that look like names; ``count`` counts all of them.
    """

    code: str
    count: int
    names: tuple[str, ...] = ()
    table: str | None = None


Item = Document | Row | Reject | Notice

NOTICES = {
    "undeclared_column": "columns that the contract does not name; not loaded",
    "missing_optional_column": "columns that the contract calls optional and the file lacks; loaded as null",
    "blank_line": "empty lines, which hold no record",
    "dicom_directory": "DICOMDIR files, which list a medium's files and hold no instance",
    "idle_entry": "entries of the bundle that carry no resource and delete nothing",
    "unmapped_field": "fields of HL7 v2 messages that no resource takes in, by segment and field; kept in landing",
    "wrapped_line": "lines of text that an interface broke in two; put back together",
}


class BrokenContainerError(PlumblineError):
    """A file that cannot be read to its end as what it claims to be; it is refused as a whole.

    ``reason_code`` is one of REASONS, ``place`` is the last place reached (0: nothing was read).
    """

    def __init__(self, *, found: str, expected: str, action: str, reason_code: str = "broken", place: int = 0) -> None:
        super().__init__(found=found, expected=expected, action=action)
        self.reason_code, self.place = reason_code, place

    def __reduce__(self):
        return _rebuild_broken, (self.found, self.expected, self.action, self.reason_code, self.place)


def _rebuild_broken(found: str, expected: str, action: str, reason_code: str, place: int) -> BrokenContainerError:
    return BrokenContainerError(found=found, expected=expected, action=action, reason_code=reason_code, place=place)


_SEND_AGAIN = "ask the source to send the record again as valid UTF-8 JSON"
_FIX_EXPORT = "correct the export at the source and deliver the record again"
_SEND_FILE = "ask the source to deliver the file again"
_SEND_MESSAGE = "have the sending interface corrected and the message sent again"
_FIX_CELL = "correct the cell at the source, or the column's type in the contract, and replay"

# Reason code -> (found, expected, action). Records first, whole files after.
REASONS: dict[str, tuple[str, str, str]] = {
    "invalid_utf8": ("bytes that are not UTF-8", "text in UTF-8", _SEND_AGAIN),
    "invalid_encoding": (
        "bytes that the declared encoding does not have",
        "text in the encoding that the contract declares",
        "correct the contract's encoding, or ask the source to deliver the row again",
    ),
    "nul": ("a NUL character", "text that Postgres can store, which has none", _FIX_EXPORT),
    "malformed_json": ("text that is not JSON", "one JSON object", _SEND_AGAIN),
    "lone_surrogate": ("half of a surrogate pair", "whole Unicode characters", _SEND_AGAIN),
    "number_out_of_range": ("a number that no double can hold", "numbers below 1.8e308", _FIX_EXPORT),
    "nested_too_deep": ("more levels of nesting than are read", "at most 1,024 levels", _FIX_EXPORT),
    "not_an_object": ("JSON that is not an object", "a FHIR resource, which is an object", _FIX_EXPORT),
    "missing_resource_type": ("no resourceType", "a resourceType on every resource", _FIX_EXPORT),
    "bad_resource_type": ("a resourceType that is no type's name", "the name of a FHIR R4 resource type", _FIX_EXPORT),
    "wrong_resource_type": (
        "a resourceType other than the file's",
        "resources of the type that the manifest or the file's name says",
        "have the source put the record in the file of its type, then deliver again",
    ),
    "missing_id": ("no id", "an id on every resource", _FIX_EXPORT),
    "bad_id": ("an id that is not a text of 1 to 255 printable characters", "an id as FHIR defines it", _FIX_EXPORT),
    "over_long": ("a record longer than the limit", "at most max_record_bytes of the source", _FIX_EXPORT),
    "bad_delete": ("a deletion that names no resource", "request.url as Type/id", _FIX_EXPORT),
    "bad_entry": ("a bundle entry that is not an object", "an object with a resource or a deletion", _FIX_EXPORT),
    "wrong_column_count": ("a row with another number of cells", "as many cells as the header has", _FIX_EXPORT),
    "unterminated_quote": ("a quote that opens and does not close properly", "quotes in pairs", _FIX_EXPORT),
    "bad_value_type": ("a cell that is not of its column's type", "cells of the declared types", _FIX_CELL),
    "over_long_field": (
        "a cell longer than its column's max_length",
        "cells within max_length",
        "correct the cell at the source, or max_length in the contract, and replay",
    ),
    "duplicate_key": (
        "a row with the key of another row of the same table",
        "one row a key",
        "declare as key what is unique at the source, or have the source correct the row",
    ),
    "missing_key": ("no value in a key column", "a value in every key column", _FIX_EXPORT),
    "missing_required_value": ("no value in a required column", "a value in every required column", _FIX_EXPORT),
    # HL7 v2 messages
    "over_long_message": ("a message longer than the limit", "at most max_record_bytes of the source", _FIX_EXPORT),
    "stray_text": (
        "text that belongs to no message",
        "messages that begin with MSH, in envelopes or not",
        _SEND_MESSAGE,
    ),
    "truncated_message": ("a message that ends in the middle", "a whole message", _SEND_MESSAGE),
    "bad_delimiters": (
        "a header whose delimiters cannot be used",
        "MSH-1 and MSH-2 as HL7 defines them",
        _SEND_MESSAGE,
    ),
    "bad_segment": ("a line that is no segment", "segments: three characters, then the separator", _SEND_MESSAGE),
    "too_many_segments": ("a message of too many segments", "at most 100,000 segments", _SEND_MESSAGE),
    "missing_message_type": ("no message type", "a type in MSH-9", _SEND_MESSAGE),
    "unsupported_version": ("a version other than 2.x", "HL7 versions 2.1 to 2.9 in MSH-12", _SEND_MESSAGE),
    "unknown_charset": ("a character set that is not known", "one of HL7 table 0211 in MSH-18", _SEND_MESSAGE),
    "invalid_charset": (
        "bytes that the message's character set does not have",
        "text in the character set of MSH-18, or of 'encoding' in sources.yml where MSH-18 is empty (UTF-8 without both)",
        "declare the source's encoding and replay, or have the source fill MSH-18",
    ),
    "missing_patient": ("a message about no patient", "a message with a PID segment", _SEND_MESSAGE),
    "missing_patient_id": ("a patient without any identifier", "an identifier in PID-3, PID-2 or PID-4", _SEND_MESSAGE),
    "mapping_failed": (
        "a message that the mapping cannot take in",
        "a message that can be mapped",
        "report it with its place: the mapping has to learn it; then replay",
    ),
    "batch_count": (
        "a batch whose trailer announces another number of messages than came",
        "as many messages as BTS-1 says",
        "ask the source to send the batch again; what came of it is loaded",
    ),
    # whole files
    "not_hl7v2": ("a file without any message", "HL7 v2 messages, each beginning with MSH", _SEND_FILE),
    "truncated_gzip": ("a gzip file that ends in the middle", "a whole gzip file", _SEND_FILE),
    "broken_gzip": ("a gzip file that cannot be unpacked", "a valid gzip file", _SEND_FILE),
    "gzip_trailing_garbage": ("bytes after the end of the gzip data", "nothing after the gzip data", _SEND_FILE),
    "truncated_file": ("a file that ends in the middle", "a whole file", _SEND_FILE),
    "malformed_bundle": ("a file that is not one JSON object", "one FHIR Bundle", _SEND_FILE),
    "not_a_bundle": (
        "a JSON file that is not a Bundle with a list of entries",
        "a FHIR Bundle",
        "take the file out of the delivery, or deliver it under a source of its kind",
    ),
    "not_dicom": (
        "a file that is no DICOM file",
        "DICOM files (PS3.10), with or without a preamble",
        "take the file out of the delivery, or deliver it under a source of its kind",
    ),
    "over_long_header": (
        "a header longer than the limit",
        "a header within max_record_bytes of the source",
        _SEND_FILE,
    ),
    "broken_deflate": ("a deflated data set that cannot be unpacked", "a valid deflate stream", _SEND_FILE),
    "unpacks_without_end": ("a packed file that unpacks to more than is read", "at most 4 GiB unpacked", _SEND_FILE),
    "nested_deep_file": ("sequences nested deeper than is read", "at most 64 levels of sequences", _SEND_FILE),
    "unreadable_header": ("a header that cannot be decoded", "elements as DICOM PS3.5 encodes them", _SEND_FILE),
    "missing_uid": (
        "no UID of the study, the series or the instance",
        "StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID, which PS3.3 requires of every instance",
        _FIX_EXPORT,
    ),
    "over_long_note": ("a note longer than the limit", "a note within three quarters of max_record_bytes", _SEND_FILE),
    "no_patient_id": (
        "a note that does not say whose it is, in the place that the source declares",
        "a patient id by patient_id of the source: in the file's name, in a header line, or in the manifest",
        "correct patient_id in sources.yml or the manifest, then replay",
    ),
    "over_large_bundle": ("a bundle of too many entries", "at most 4,000,000 entries", "deliver it in parts"),
    "no_header": ("a table without a header line", "a first line with the column names", _SEND_FILE),
    "bad_header": ("a header that cannot be read", "column names, each once", _SEND_FILE),
    "missing_column": (
        "declared columns are not in the file",
        "every column that the contract names and does not call optional",
        "have the source deliver the columns again, or change the contract, then replay",
    ),
}


def refuse(
    place: int, reason_code: str, content: bytes = b"", *, found: str | None = None, resource_type: str | None = None
) -> Reject:
    """A Reject in the words of REASONS; ``found`` makes it more precise and must not quote a value."""
    usual, expected, action = REASONS[reason_code]
    digest = hashlib.sha256(content).hexdigest()
    return Reject(place, reason_code, found or usual, expected, action, digest, resource_type)


def broken(reason_code: str, *, place: int = 0, found: str | None = None) -> BrokenContainerError:
    """A BrokenContainerError in the words of REASONS."""
    usual, expected, action = REASONS[reason_code]
    return BrokenContainerError(
        found=found or usual, expected=expected, action=action, reason_code=reason_code, place=place
    )
