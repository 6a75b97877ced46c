"""Splitting many documents at once: column by column, remembering what equal elements became.

Only a resource's outer object is parsed. Documents with the same element names in the same order are put side by side, so
that an element of all of them is looked up in one go (``element_texts``), and the parts are joined in one go. What is
met first is split by ``splitting``; memory and grouping change the speed and never the outcome.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple

import msgspec

from include.coding.text_diagnoses import diagnoses_in
from include.privacy.classification import Classification, ResourceRule
from include.privacy.element_texts import (
    Element,
    Memory,
    MomentElement,
    ReferenceElement,
    decode_object,
    decode_value,
    encode_value,
    make_element,
    moment_in,
    plain_reference,
    remember,
)
from include.privacy.match_tokens import patient_match_tokens
from include.privacy.sealing import FOUND_IN_WORDS
from include.privacy.splitting import Splitters, UnknownReferenceError
from include.privacy.tokens import Tokeniser, uuid_text
from include.privacy.value_types import microseconds
from include.sources.resource_checks import MAX_ID_CHARACTERS

_PLAIN_ID = re.compile(rb'"[A-Za-z0-9._-]{1,64}"').fullmatch
_PLAIN_META = re.compile(rb'\{"lastUpdated": ?("[0-9T:.Z+-]{20,35}")\}').fullmatch
_TRIED = 1_000
_PERSON, _EVENT, _META = "person", "event", "meta"


class SplitGroup(NamedTuple):
    """Documents of one type, split; every list has one item per document.

    ``indexes`` say which of the given documents they are. ``tokens`` are uuids as ASCII bytes, ``persons`` as text, times are
    microseconds since 2000-01-01 UTC. ``bodies`` are the clear JSON, ``sealed`` the JSON to be sealed, ``misfits`` the
    paths of elements that did not fit.
    """

    resource_type: str
    indexes: Sequence[int]
    tokens: Sequence[bytes]
    versions: Sequence[str | None]
    last_updated: Sequence[int | None]
    persons: Sequence[str | None]
    events: Sequence[int | None]
    matches: Sequence[Sequence[str]]
    misfits: Sequence[tuple[str, ...]]
    bodies: Sequence[bytes]
    sealed: Sequence[bytes]


class DocumentSplitter:
    """Splits the documents of one source. Not for use by several threads at once."""

    def __init__(self, classification: Classification, tokeniser: Tokeniser, source: str) -> None:
        self._policy = classification
        self._tokeniser = tokeniser
        self._source = source
        self._splitters = Splitters(classification, tokeniser, source)
        self._memory = Memory()
        self._plans: dict[bytes, _Plan | None] = {}

    def split(self, contents: Sequence[bytes]) -> tuple[list[SplitGroup], list[int]]:
        """Split resources' JSON texts. Returns groups, and the indexes of texts that are no resource with a type and an id.

        Of those the reader can say what is wrong; nothing of them is in a group.
        """
        self._memory.forget_if_full()
        outers, unreadable = _decode(contents)
        shapes: dict[tuple, list[int]] = defaultdict(list)
        for index, outer in enumerate(outers):
            if outer:
                shapes[tuple(outer)].append(index)
        groups: list[SplitGroup] = []
        for shape, indexes in shapes.items():
            groups += self._split_shape(shape, indexes, outers, unreadable)
        return groups, sorted(unreadable)

    def _split_shape(self, shape: tuple, indexes: list[int], outers: list, unreadable: list[int]) -> list[SplitGroup]:
        if "resourceType" not in shape or "id" not in shape:
            unreadable += indexes
            return []
        quoted_types = [bytes(outers[index]["resourceType"]) for index in indexes]
        groups = []
        for quoted_type in dict.fromkeys(quoted_types):
            same = [index for index, each in zip(indexes, quoted_types, strict=True) if each == quoted_type]
            plan = self._plan(quoted_type)
            raw_ids = [bytes(outers[index]["id"]) for index in same]
            if plan is None or not all(map(_PLAIN_ID, raw_ids)):
                good = [index for index, raw_id in zip(same, raw_ids, strict=True) if plan and _is_id(raw_id)]
                unreadable += sorted(set(same) - set(good))
                same, raw_ids = good, [bytes(outers[index]["id"]) for index in good]
            if same:
                groups.append(plan.split(shape, same, [outers[index] for index in same], raw_ids))
        return groups

    def _plan(self, quoted_type: bytes) -> _Plan | None:
        if quoted_type not in self._plans:
            name = decode_value(quoted_type)
            rule = self._policy.resources.get(name) if isinstance(name, str) else None
            if rule is None:
                return None
            self._plans[quoted_type] = _Plan(
                rule, self._policy, self._splitters, self._memory, self._tokeniser, self._source
            )
        return self._plans[quoted_type]


def _decode(contents: Sequence[bytes]) -> tuple[list[dict | None], list[int]]:
    try:
        if all(map(bytes.isascii, contents)):
            return list(map(decode_object, contents)), []
    except (msgspec.DecodeError, RecursionError):
        pass
    outers: list[dict | None] = []
    unreadable: list[int] = []
    for index, content in enumerate(contents):
        try:
            content.decode()  # the decoder does not look at text it cuts out whole
            outers.append(decode_object(content))
        except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
            outers.append(None)
            unreadable.append(index)
    return outers, unreadable


def _is_id(text: bytes) -> bool:
    """What the readers take for an id (include/sources/resource_checks.py), no more and no less."""
    if _PLAIN_ID(text) is not None:
        return True
    return text[:1] == b'"' and 0 < len(found := _id_of(text)) <= MAX_ID_CHARACTERS and found.isprintable()


def _id_of(text: bytes) -> str:
    return decode_value(text) if b"\\" in text else text[1:-1].decode()


class _Plan:
    """How the resources of one type are split: a field for every element that is kept."""

    def __init__(
        self,
        rule: ResourceRule,
        policy: Classification,
        splitters: Splitters,
        memory: Memory,
        tokeniser: Tokeniser,
        source: str,
    ) -> None:
        self._rule = rule
        self._source = source
        self._tokeniser = tokeniser
        self._digest_id = tokeniser.id_digester(source, rule.resource_type)
        self._known = splitters.tokens
        self._head = b'{"resourceType":"%b","id":"' % rule.resource_type.encode()
        self._fields = {
            name: _field(rule, name, make_element(f"{rule.resource_type}.{name}", inner, policy, splitters, memory))
            for name, inner in rule.keep.items()
            if name not in ("resourceType", "id")
        }

    def split(self, shape: tuple, indexes: list[int], outers: list[dict], raw_ids: list[bytes]) -> SplitGroup:
        """Split documents whose element names are ``shape``."""
        number = len(outers)
        columns = dict(zip(shape, zip(*[outer.values() for outer in outers], strict=True), strict=True))
        columns.pop("resourceType")
        columns.pop("id")
        tokens = self._tokens(raw_ids)
        clear: list = [repeat(self._head, number), tokens, repeat(b'"', number)]
        sealed: list = [repeat(b'{"id":', number), raw_ids]
        told: dict[str, list] = {}
        misfits: list[tuple[str, ...]] = [()] * number
        for name, column in columns.items():
            field = self._fields.get(name)
            if field is None:
                sealed += (repeat(b",%b:" % encode_value(name), number), column)
                continue
            texts = list(map(bytes, column))
            kept, hidden, tells, unfit = field.split(texts)
            clear.append(kept)
            if hidden:
                sealed.append(hidden)
            if unfit:
                misfits = list(map(tuple.__add__, misfits, unfit))
            if field.kind:
                told.setdefault(field.kind, []).append((field.order, tells))
        close = repeat(b"}", number)
        versions, updated = zip(*_first(told.get(_META), number, (None, None)), strict=True)
        return SplitGroup(
            resource_type=self._rule.resource_type,
            indexes=indexes,
            tokens=tokens,
            versions=versions,
            last_updated=updated,
            persons=list(map(bytes.decode, tokens)) if self._rule.is_the_person else _first(told.get(_PERSON), number),
            events=_first(told.get(_EVENT), number),
            matches=[patient_match_tokens(self._tokeniser, outer, self._source) for outer in outers]
            if self._rule.is_the_person
            else [()] * number,
            misfits=misfits,
            bodies=list(map(b"".join, zip(*clear, close, strict=True))),
            sealed=list(map(b"".join, zip(*sealed, repeat(b"}", number), strict=True))),
        )

    def _tokens(self, raw_ids: list[bytes]) -> list[bytes]:
        """The tokens of the documents' own ids; references to many of them have been met before."""
        known, digest = self._known.get, self._digest_id
        prefix, start = self._rule.resource_type.encode() + b"/", len(self._rule.resource_type) + 1
        tokens = []
        for raw_id in raw_ids:
            source_id = _id_of(raw_id).encode() if b"\\" in raw_id else raw_id[1:-1]
            token = known(prefix + source_id)
            tokens.append(token[start:] if token else uuid_text(digest(source_id)))
        return tokens


Columns = tuple[Sequence[bytes], Sequence[bytes] | None, Sequence | None, Sequence[tuple[str, ...]] | None]


class _Field(dict):
    """Text of an element of the resource itself -> its clear and sealed parts with its name, what it tells, misfits."""

    __slots__ = ("asked", "element", "extract", "kind", "missed", "name", "order")

    def __init__(self, name: str, element: Element, kind: str | None, order: int, extract: Callable | None) -> None:
        super().__init__()
        self.name = b",%b:" % encode_value(name)
        self.element, self.kind, self.order, self.extract = element, kind, order, extract
        self.asked = self.missed = 0
        element.memory.elements.append(self)

    def __missing__(self, text: bytes) -> tuple[bytes, bytes, object, tuple[str, ...]]:
        parts = self.part(text)
        self.missed += 1
        remember(self, self.element.memory, text, parts)
        return parts

    def part(self, text: bytes) -> tuple[bytes, bytes, object, tuple[str, ...]]:
        """What one text becomes."""
        clear, sealed, misfits = self.element.split(text)
        told = self.extract(clear) if self.extract and clear is not None else None
        if clear is None and text[:1] == b"{":
            clear = b"{}"  # it was given, though nothing of it may be shown: the gate must not call it missing
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
        kept, hidden, tells, unfit = zip(*map(find, texts), strict=True)
        return kept, hidden if any(hidden) else None, tells, unfit if any(unfit) else None


class _MomentField(_Field):
    """A date or time. Most are met once a field but often in several, so the moments are remembered and not the parts."""

    __slots__ = ()

    def split(self, texts: list[bytes]) -> Columns:
        moments = list(map(moment_in, texts))
        if None in moments:
            return super().split(texts)
        return list(map(self.name.__add__, texts)), None, moments, None


class _MetaField(_Field):
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


class _ReferenceField(_Field):
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
        person = token[8:].decode() if self.kind and token.startswith(b"Patient/") else None
        return b'%b{"reference":"%b"}' % (self.name, token), self.name + text, person, ()


class _DiagnosisField(_Field):
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


def _field(rule: ResourceRule, name: str, element: Element) -> _Field:
    """What an element tells beside its parts: the person, when it happened, or which version it is."""
    if (rule.resource_type, name) == ("Condition", "code"):
        return _DiagnosisField(name, element, None, 0, None)
    if name == "meta":
        return _MetaField(name, element, _META, 0, _read_meta)
    kind, order, rest = _told_by(rule, name)
    if isinstance(element, MomentElement):
        return _MomentField(name, element, kind, order, moment_in)
    if isinstance(element, ReferenceElement) and kind in (None, _PERSON):
        return _ReferenceField(name, element, kind, order, _reader(rest, _patient_token) if kind else None)
    if kind is None:
        return _Field(name, element, None, 0, None)
    return _Field(name, element, kind, order, _reader(rest, _patient_token if kind == _PERSON else _moment))


def _told_by(rule: ResourceRule, name: str) -> tuple[str | None, int, list[str]]:
    for kind, paths in ((_PERSON, rule.person), (_EVENT, rule.event)):
        for order, path in enumerate(paths):
            first, *rest = path.split(".")
            if first == name:
                return kind, order, rest
    return None, 0, []


def _first(columns: list[tuple[int, Sequence]] | None, number: int, nothing: object = None) -> Sequence:
    """Row by row the first value that is there, in the policy's order."""
    if not columns:
        return [nothing] * number
    columns.sort(key=lambda column: column[0])
    found = columns[0][1]
    for _, other in columns[1:]:
        found = [one if one is not None else another for one, another in zip(found, other, strict=True)]
    return found if nothing is None else [nothing if one is None else one for one in found]


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
