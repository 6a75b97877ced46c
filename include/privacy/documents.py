"""Splitting many documents at once: column by column, remembering what equal elements became.

Only a resource's outer object is parsed. Documents with the same element names in the same order are put side by side, so
that an element of all of them is looked up in one go (``element_texts``), and the parts are joined in one go
(``resource_plan``). What is met first is split by ``splitting``; memory and grouping change the speed and never the outcome.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import compress
from operator import not_

import msgspec

from include.privacy.classification import Classification
from include.privacy.element_texts import Memory, decode_object, decode_value
from include.privacy.resource_plan import Columns, ResourcePlan, SplitGroup, columns_of, id_of
from include.privacy.splitting import Splitters
from include.privacy.tokens import Tokeniser
from include.privacy.unread_numbers import UnreadableTextError, is_readable
from include.sources.resource_checks import MAX_ID_CHARACTERS

_PLAIN_ID = re.compile(rb'"[A-Za-z0-9._-]{1,64}"').fullmatch


class DocumentSplitter:
    """Splits the documents of one source. Not for use by several threads at once."""

    def __init__(self, classification: Classification, tokeniser: Tokeniser, source: str) -> None:
        self._policy = classification
        self._tokeniser = tokeniser
        self._source = source
        self._splitters = Splitters(classification, tokeniser, source)
        self._memory = Memory()
        self._plans: dict[bytes, ResourcePlan] = {}

    def split(self, contents: Sequence[bytes]) -> tuple[list[SplitGroup], list[int]]:
        """Split resources' JSON texts. Returns groups, and the indexes of texts that are no resource with a type and an id
        or hold a number that no double can.

        Of those the reader can say what is wrong; nothing of them is in a group.
        """
        self._memory.forget_if_full()
        outers, unreadable = _decode(contents)
        shapes: dict[tuple, list[int]] = defaultdict(list)
        for index, outer in enumerate(outers):
            if outer is not None:
                shapes[tuple(outer)].append(index)
        groups: list[SplitGroup] = []
        for shape, indexes in shapes.items():
            if "resourceType" in shape and "id" in shape:
                columns = columns_of(shape, [outers[index] for index in indexes])
                for quoted_type in dict.fromkeys(columns["resourceType"]):
                    groups += self._split_type(quoted_type, indexes, columns, unreadable)
            else:
                unreadable += indexes
        return groups, sorted(unreadable)

    def _split_type(
        self, quoted_type: bytes, indexes: list[int], columns: Columns, unreadable: list[int]
    ) -> list[SplitGroup]:
        plan = self._plan(quoted_type)
        is_same = list(map(quoted_type.__eq__, columns["resourceType"]))
        if not all(is_same):
            indexes, columns = _only(is_same, indexes, columns)
        if plan is None or not all(map(_PLAIN_ID, columns["id"])):
            is_good = [plan is not None and _is_id(raw_id) for raw_id in columns["id"]]
            unreadable += compress(indexes, map(not_, is_good))
            indexes, columns = _only(is_good, indexes, columns)
        if not indexes:
            return []
        try:
            return [plan.split(indexes, columns)]
        except UnreadableTextError:
            is_good = [all(map(is_readable, texts)) for texts in zip(*columns.values(), strict=True)]
            unreadable += compress(indexes, map(not_, is_good))
            indexes, columns = _only(is_good, indexes, columns)
            return [plan.split(indexes, columns)] if indexes else []

    def _plan(self, quoted_type: bytes) -> ResourcePlan | None:
        if quoted_type not in self._plans:
            name = decode_value(quoted_type)
            rule = self._policy.resources.get(name) if isinstance(name, str) else None
            if rule is None:
                return None
            self._plans[quoted_type] = ResourcePlan(
                rule, self._policy, self._splitters, self._memory, self._tokeniser, self._source
            )
        return self._plans[quoted_type]


def _only(chosen: list[bool], indexes: list[int], columns: Columns) -> tuple[list[int], Columns]:
    return list(compress(indexes, chosen)), {name: list(compress(texts, chosen)) for name, texts in columns.items()}


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
    return text[:1] == b'"' and 0 < len(found := id_of(text)) <= MAX_ID_CHARACTERS and found.isprintable()
