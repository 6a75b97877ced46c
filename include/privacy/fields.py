"""The elements of a resource itself: what their texts become, column by column, and what they tell beside.

Some tell the person, when it happened, or which version it is. The forms in which moments, references and ``meta`` most
often come are cut by a pattern; everything else is split by its ``Element``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import repeat

from include.coding.text_diagnoses import diagnoses_in
from include.privacy.classification import ResourceRule
from include.privacy.element_texts import (
    Element,
    MomentElement,
    ReferenceElement,
    decode_value,
    encode_value,
    moment_in,
    plain_reference,
    remember,
)
from include.privacy.sealing import FOUND_IN_WORDS
from include.privacy.splitting import UnknownReferenceError
from include.privacy.unread_numbers import may_hold_large_number, require_readable
from include.privacy.value_types import microseconds

PERSON, EVENT, META = "person", "event", "meta"
_PLAIN_META = re.compile(rb'\{"lastUpdated": ?("[0-9T:.Z+-]{20,35}")\}').fullmatch
_TRIED = 1_000

Columns = tuple[Sequence[bytes], Sequence[bytes] | None, Sequence | None, Sequence[tuple[str, ...]] | None]


class Field(dict):
    """Text of an element of the resource itself -> its clear and sealed parts with its name, what it tells, misfits."""

    __slots__ = ("asked", "element", "extract", "hides", "kind", "missed", "misfits", "name", "order")

    def __init__(self, name: str, element: Element, kind: str | None, order: int, extract: Callable | None) -> None:
        super().__init__()
        self.name = b",%b:" % encode_value(name)
        self.element, self.kind, self.order, self.extract = element, kind, order, extract
        self.asked = self.missed = 0
        self.hides = self.misfits = False  # whether any text so far had a sealed part, or one that did not fit
        element.memory.elements.append(self)

    def __missing__(self, text: bytes) -> tuple[bytes, bytes, object, tuple[str, ...]]:
        parts = self.part(text)
        self.missed += 1
        remember(self, self.element.memory, text, parts)
        return parts

    def part(self, text: bytes) -> tuple[bytes, bytes, object, tuple[str, ...]]:
        """What one text becomes. Raises UnreadableTextError."""
        if text[:1] != b'"' and may_hold_large_number(text):
            require_readable([text])
        clear, sealed, misfits = self.element.split(text)
        told = self.extract(clear) if self.extract and clear is not None else None
        if clear is None and text[:1] == b"{":
            clear = b"{}"  # it was given, though nothing of it may be shown: the gate must not call it missing
        self.hides = self.hides or sealed is not None
        self.misfits = self.misfits or bool(misfits)
        return (
            b"" if clear is None else self.name + clear,
            b"" if sealed is None else self.name + sealed,
            told,
            misfits,
        )

    def split(self, texts: list[bytes]) -> Columns:
        """Clear and sealed parts, what they tell, and misfits of a column; None for a column without any."""
        self.asked += len(texts)
        # Where most texts come once, remembering them costs more than it saves.
        find = self.part if self.missed > _TRIED and self.missed > self.asked // 2 else self.__getitem__
        parts = list(map(find, texts))
        hidden = [part[1] for part in parts] if self.hides else None
        unfit = [part[3] for part in parts] if self.misfits else None
        return (
            [part[0] for part in parts],
            hidden if hidden and any(hidden) else None,
            [part[2] for part in parts] if self.kind else None,
            unfit if unfit and any(unfit) else None,
        )


class _MomentField(Field):
    """A date or time. Most are met once a field but often in several, so the moments are remembered and not the parts."""

    __slots__ = ()

    def split(self, texts: list[bytes]) -> Columns:
        moments = list(map(moment_in, texts))
        if None in moments:
            return super().split(texts)
        return list(map(self.name.__add__, texts)), None, moments, None


class _MetaField(Field):
    """``meta``, which most often says when the resource was changed and nothing else."""

    __slots__ = ()

    def split(self, texts: list[bytes]) -> Columns:
        found = list(map(_PLAIN_META, texts))
        if None in found:
            return super().split(texts)
        moments = [moment_in(each[1]) for each in found]
        if None in moments:
            return super().split(texts)
        return list(map(self.name.__add__, texts)), None, list(zip(repeat(None), moments, strict=False)), None


class _ReferenceField(Field):
    """A reference, most often in its plain form."""

    __slots__ = ()

    def part(self, text: bytes) -> tuple[bytes, bytes, object, tuple[str, ...]]:
        found = plain_reference(text)
        if found is None:
            return super().part(text)
        try:
            token = self.element.tokens[found[1]]
        except UnknownReferenceError:
            return super().part(text)
        self.hides = True
        person = token[8:].decode() if self.kind and token.startswith(b"Patient/") else None
        return b'%b{"reference":"%b"}' % (self.name, token), self.name + text, person, ()


class _DiagnosisField(Field):
    """What a condition is. Where it is told in words only, what the dictionary finds in them is noted before they are sealed."""

    __slots__ = ()

    def part(self, text: bytes) -> tuple[bytes, bytes, object, tuple[str, ...]]:
        kept, hidden, told, misfits = super().part(text)
        found = _found_in_words(decode_value(text)) if b'"text"' in text else None
        if found:
            kept = b"%b,%b:%b" % (kept, encode_value(FOUND_IN_WORDS), encode_value(found))
        return kept, hidden, told, misfits


def _found_in_words(concept: object) -> dict[str, str] | None:
    """The first diagnosis that the words affirm, else the first they name at all; None where there is a code or nothing is found."""
    if not isinstance(concept, dict) or not isinstance(concept.get("text"), str):
        return None
    codings = concept.get("coding")
    if isinstance(codings, list) and any(isinstance(each, dict) and each.get("code") for each in codings):
        return None
    found = diagnoses_in(concept["text"])
    first = next((each for each in found if each.context == "affirmed"), found[0] if found else None)
    return first._asdict() if first else None


def make_field(rule: ResourceRule, name: str, element: Element) -> Field:
    """What an element tells beside its parts: the person, when it happened, or which version it is."""
    if (rule.resource_type, name) == ("Condition", "code"):
        return _DiagnosisField(name, element, None, 0, None)
    if name == "meta":
        return _MetaField(name, element, META, 0, _read_meta)
    kind, order, rest = _told_by(rule, name)
    if isinstance(element, MomentElement):
        return _MomentField(name, element, kind, order, moment_in)
    if isinstance(element, ReferenceElement) and kind in (None, PERSON):
        return _ReferenceField(name, element, kind, order, _reader(rest, _patient_token) if kind else None)
    if kind is None:
        return Field(name, element, None, 0, None)
    return Field(name, element, kind, order, _reader(rest, _patient_token if kind == PERSON else _moment))


def _told_by(rule: ResourceRule, name: str) -> tuple[str | None, int, list[str]]:
    for kind, paths in ((PERSON, rule.person), (EVENT, rule.event)):
        for order, path in enumerate(paths):
            first, *rest = path.split(".")
            if first == name:
                return kind, order, rest
    return None, 0, []


def _reader(rest: list[str], read: Callable) -> Callable[[bytes], object]:
    def extract(clear: bytes) -> object:
        told = (read(value) for value in _walk(decode_value(clear), rest))
        return next((one for one in told if one is not None), None)

    return extract


def _walk(value: object, rest: list[str]):
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, rest)
    elif not rest:
        yield value
    elif isinstance(value, dict) and rest[0] in value:
        yield from _walk(value[rest[0]], rest[1:])


def _patient_token(reference: object) -> str | None:
    text = reference.get("reference") if isinstance(reference, dict) else None
    return text[8:] if isinstance(text, str) and text.startswith("Patient/") else None


def _moment(value: object) -> int | None:
    return microseconds(value) if isinstance(value, str) else None


def _read_meta(clear: bytes) -> tuple | None:
    plain = _PLAIN_META(clear)
    if plain:
        return None, moment_in(plain[1])
    meta = decode_value(clear)
    if not isinstance(meta, dict):
        return None
    return meta.get("versionId"), _moment(meta.get("lastUpdated"))
