"""How the resources of one type are split, column by column: what stays, what is sealed, and what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import NamedTuple

import msgspec

from include.privacy.classification import Classification, ResourceRule
from include.privacy.element_texts import Memory, decode_value, encode_value, make_element, texts_of
from include.privacy.fields import EVENT, META, PERSON, make_field
from include.privacy.match_tokens import patient_match_tokens
from include.privacy.splitting import Splitters
from include.privacy.tokens import Tokeniser, uuid_texts
from include.privacy.unread_numbers import may_hold_large_number, require_readable

Columns = dict[str, list[bytes]]  # element name -> its text in each document


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


class ResourcePlan:
    """A field for every element that is kept of a type's resources; what has none is sealed as it came."""

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
        self._prefix = rule.resource_type.encode() + b"/"
        self._head = b'{"resourceType":"%b","id":"' % rule.resource_type.encode()
        self._fields = {
            name: make_field(rule, name, make_element(f"{rule.resource_type}.{name}", inner, policy, splitters, memory))
            for name, inner in rule.keep.items()
            if name not in ("resourceType", "id")
        }

    def split(self, indexes: Sequence[int], columns: Columns) -> SplitGroup:
        """Split documents that have the same elements; ``indexes`` say which they are.

        Raises UnreadableTextError where one holds what no parser can read; nothing of that is remembered.
        """
        number, raw_ids = len(indexes), columns["id"]
        tokens = self._tokens(raw_ids)
        clear: list = [repeat(self._head, number), tokens, repeat(b'"', number)]
        sealed: list = [repeat(b'{"id":', number), raw_ids]
        told: dict[str, list] = {}
        misfits: list[tuple[str, ...]] = [()] * number
        for name, texts in columns.items():
            if name in ("resourceType", "id"):
                continue
            field = self._fields.get(name)
            if field is None:
                sealed.append(_sealed_whole(name, texts))
                continue
            kept, hidden, tells, unfit = field.split(texts)
            clear.append(kept)
            if hidden:
                sealed.append(hidden)
            if unfit:
                misfits = list(map(tuple.__add__, misfits, unfit))
            if field.kind:
                told.setdefault(field.kind, []).append((field.order, tells))
        clear.append(repeat(b"}", number))
        sealed.append(repeat(b"}", number))
        versions, updated = zip(*_first(told.get(META), number, (None, None)), strict=True)
        return SplitGroup(
            resource_type=self._rule.resource_type,
            indexes=indexes,
            tokens=tokens,
            versions=versions,
            last_updated=updated,
            persons=list(map(bytes.decode, tokens)) if self._rule.is_the_person else _first(told.get(PERSON), number),
            events=_first(told.get(EVENT), number),
            matches=self._matches(columns) if self._rule.is_the_person else [()] * number,
            misfits=misfits,
            bodies=list(map(b"".join, zip(*clear, strict=True))),
            sealed=list(map(b"".join, zip(*sealed, strict=True))),
        )

    def _matches(self, columns: Columns) -> list[list[str]]:
        persons = (dict(zip(columns, texts, strict=True)) for texts in zip(*columns.values(), strict=True))
        return [patient_match_tokens(self._tokeniser, person, self._source) for person in persons]

    def _tokens(self, raw_ids: list[bytes]) -> list[bytes]:
        """The tokens of the documents' own ids; references to many of them have been met before."""
        source_ids = [id_of(raw_id).encode() if b"\\" in raw_id else raw_id[1:-1] for raw_id in raw_ids]
        found = list(map(self._known.get, map(self._prefix.__add__, source_ids)))
        new = iter(
            uuid_texts(
                map(self._digest_id, (each for each, token in zip(source_ids, found, strict=True) if token is None))
            )
        )
        start = len(self._prefix)
        return [next(new) if token is None else token[start:] for token in found]


def columns_of(shape: Sequence[str], outers: Sequence[dict[str, msgspec.Raw]]) -> Columns:
    """The texts of documents whose element names are ``shape``, element by element."""
    texts = texts_of(list(chain.from_iterable(map(dict.values, outers))))
    return {name: texts[at :: len(shape)] for at, name in enumerate(shape)}


def id_of(text: bytes) -> str:
    """What the JSON text of an id says."""
    return decode_value(text) if b"\\" in text else text[1:-1].decode()


def _sealed_whole(name: str, texts: list[bytes]) -> list[bytes]:
    """The texts of an element that nobody parses, each with its name before it."""
    if may_hold_large_number(b" ".join(texts)):
        require_readable(texts)
    return list(map((b",%b:" % encode_value(name)).__add__, texts))


def _first(columns: list[tuple[int, Sequence]] | None, number: int, nothing: object = None) -> Sequence:
    """Row by row the first value that is there, in the policy's order."""
    if not columns:
        return [nothing] * number
    columns.sort(key=lambda column: column[0])
    found = columns[0][1]
    for _, other in columns[1:]:
        found = [one if one is not None else another for one, another in zip(found, other, strict=True)]
    return found if nothing is None else [nothing if one is None else one for one in found]
