"""Splitting the JSON text of elements, and remembering what equal texts became.

An ``Element`` is a dictionary from an element's text to its parts: clear text, sealed text (None for neither) and the
paths that did not fit. A text that is met first is split: objects and arrays part by part, so that their parts are
remembered too; the rest is parsed and handed to ``splitting``, whose outcome is the same by definition (a test compares
them). Texts are valid JSON: the decoder that cut them out of the resource has checked them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import msgspec

from include.privacy.classification import Classification, Rule
from include.privacy.splitting import NOTHING, ReferenceTokens, Splitter, Splitters, UnknownReferenceError
from include.privacy.value_types import microseconds

Parts = tuple[bytes | None, bytes | None, tuple[str, ...]]

LONGEST_REMEMBERED = 2_048  # bytes; longer texts seldom come twice
_MOST_REMEMBERED = 32_768  # texts of one element
_MEMORY_BYTES = 96 << 20
_NO_MISFITS: tuple[str, ...] = ()
_BETWEEN = b"\0"  # stands in no JSON text

# The form in which most references come. Its text is known to be JSON, so nothing can hide between the quotes.
_BEFORE, _AFTER = rb'\{"reference": ?"', rb'"(?:, ?"display": ?"[^"\\]*")?\}'
_TARGET = rb"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}"
plain_reference = re.compile(_BEFORE + b"(" + _TARGET + b")" + _AFTER).fullmatch
_AROUND_TARGETS = re.compile(_BEFORE + b"(" + _TARGET + b")" + _AFTER + rb"(?:, ?)?")
_LONGEST_MOMENT = 37

decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
decode_value = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode())).decode
encode_value = msgspec.json.Encoder().encode


def texts_of(column: Collection[msgspec.Raw]) -> list[bytes]:
    """Texts that the decoder cut out, joined and cut again: half the time of asking each for its bytes."""
    texts = _BETWEEN.join(column).split(_BETWEEN) if column else []
    return texts if len(texts) == len(column) else list(map(bytes, column))


class Memory:
    """How much all elements of a splitter remember; past the limit they forget and begin again."""

    def __init__(self, limit: int = _MEMORY_BYTES) -> None:
        self.limit, self.used = limit, 0
        self.elements: list[dict] = []

    def forget_if_full(self) -> None:
        """To be called now and then, not in the middle of a lookup."""
        if self.used > self.limit:
            self.used = 0
            for element in self.elements:
                element.clear()


def remember(texts: dict, memory: Memory, text: bytes, parts: tuple) -> None:
    """Keep what a text became, within the limits of its element and of the whole memory."""
    if len(text) <= LONGEST_REMEMBERED:
        if len(texts) >= _MOST_REMEMBERED:
            texts.clear()
        texts[text] = parts
        memory.used += 300 + 2 * len(text)


class Element(dict):
    """Text of one element -> its parts. This one parses; its subclasses know a shorter way."""

    __slots__ = ("memory", "whole")

    def __init__(self, whole: Splitter, memory: Memory) -> None:
        super().__init__()
        self.whole, self.memory = whole, memory
        memory.elements.append(self)

    def __missing__(self, text: bytes) -> Parts:
        parts = self.split(text)
        remember(self, self.memory, text, parts)
        return parts

    def split(self, text: bytes) -> Parts:
        """What ``splitting`` makes of it."""
        value = decode_value(text)
        misfits: list[str] = []
        clear, sealed = self.whole(value, misfits)
        return (
            None if clear is NOTHING else text if sealed is NOTHING else encode_value(clear),
            None if sealed is NOTHING else text if clear is NOTHING else encode_value(sealed),
            tuple(misfits) if misfits else _NO_MISFITS,
        )


class ObjectElement(Element):
    """An object with listed elements, or an array of such objects."""

    __slots__ = ("children", "names")

    def __init__(self, whole: Splitter, memory: Memory, children: Mapping[str, Element]) -> None:
        super().__init__(whole, memory)
        self.children = dict(children)
        self.names = {name: encode_value(name) + b":" for name in children}

    def split(self, text: bytes) -> Parts:
        try:
            if text[:1] == b"{":
                return self._split_object(decode_object(text))
            items = texts_of(_decode_items(text))
            if [item[:1] for item in items].count(b"{") == len(items):
                # Item by item, because arrays seldom come twice and their items do.
                return _join_items(list(map(self.__getitem__, items)))
            return super().split(text)
        except msgspec.ValidationError:
            return super().split(text)  # neither an object nor an array of them

    def _split_object(self, parts: dict[str, msgspec.Raw]) -> Parts:
        clear: list[bytes] = []
        sealed: list[bytes] = []
        misfits = _NO_MISFITS
        get = self.children.get
        names = self.names
        for name, text in zip(parts, texts_of(parts.values()), strict=True):
            child = get(name)
            if child is None:
                sealed.append(b"%b:%b" % (encode_value(name), text))
                continue
            kept, hidden, unfit = child[text]
            if kept is not None:
                clear.append(names[name] + kept)
            if hidden is not None:
                sealed.append(names[name] + hidden)
            if unfit:
                misfits += unfit
        return (
            b"{%b}" % b",".join(clear) if clear or not parts else None,
            b"{%b}" % b",".join(sealed) if sealed else None,
            misfits,
        )


class ReferenceElement(ObjectElement):
    """A Reference or an array of them; in their usual form they are cut by a pattern."""

    __slots__ = ("tokens",)

    def __init__(
        self, whole: Splitter, memory: Memory, children: Mapping[str, Element], tokens: ReferenceTokens
    ) -> None:
        super().__init__(whole, memory, children)
        self.tokens = tokens

    def split(self, text: bytes) -> Parts:
        try:
            if text[:1] == b"[":
                pieces = _AROUND_TARGETS.split(text[1:-1])
                if len(pieces) > 1 and not any(pieces[::2]):  # nothing before, between or after the references
                    clear = b'"},{"reference":"'.join(map(self.tokens.__getitem__, pieces[1::2]))
                    return b'[{"reference":"%b"}]' % clear, text, _NO_MISFITS
            else:
                found = plain_reference(text)
                if found:
                    return b'{"reference":"%b"}' % self.tokens[found[1]], text, _NO_MISFITS
        except UnknownReferenceError:
            pass
        return super().split(text)


class MomentElement(Element):
    """A date with or without a time: nothing to take apart."""

    __slots__ = ()

    def split(self, text: bytes) -> Parts:
        return (text, None, _NO_MISFITS) if moment_in(text) is not None else super().split(text)


class _Moments(dict):
    """JSON text of a moment -> microseconds since 2000-01-01 UTC, or None. Resources repeat their times several times."""

    def __missing__(self, text: bytes) -> int | None:
        is_plain = text[:1] == b'"' and len(text) <= _LONGEST_MOMENT and text.isascii()
        moment = microseconds(text[1:-1].decode()) if is_plain else None
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        self[text] = moment
        return moment


_moments = _Moments()
moment_in = _moments.__getitem__


def make_element(path: str, rule: Rule, policy: Classification, splitters: Splitters, memory: Memory) -> Element:
    """The element for a rule of the classification."""
    whole = splitters.element(path, rule)
    if rule == "Reference":
        children = _children(path, policy.datatypes["Reference"], policy, splitters, memory)
        return ReferenceElement(whole, memory, children, splitters.tokens)
    if isinstance(rule, str) and rule in policy.datatypes:
        rule = policy.datatypes[rule]
    if isinstance(rule, Mapping):
        return ObjectElement(whole, memory, _children(path, rule, policy, splitters, memory))
    return MomentElement(whole, memory) if rule in ("dateTime", "instant") else Element(whole, memory)


def _children(path: str, rule: Mapping[str, Rule], policy, splitters: Splitters, memory: Memory) -> dict[str, Element]:
    return {name: make_element(f"{path}.{name}", inner, policy, splitters, memory) for name, inner in rule.items()}


def _join_items(items: list[Parts]) -> Parts:
    if len(items) == 1:
        kept, hidden, unfit = items[0]
        return None if kept is None else b"[%b]" % kept, None if hidden is None else b"[%b]" % hidden, unfit
    misfits = sum((unfit for _, _, unfit in items if unfit), _NO_MISFITS)
    clear = [kept for kept, _, _ in items]
    sealed = [hidden for _, hidden, _ in items]
    has_clear = not items or any(kept is not None for kept in clear)
    has_sealed = any(hidden is not None for hidden in sealed)
    return (
        b"[%b]" % b",".join([b"{}" if kept is None else kept for kept in clear]) if has_clear else None,
        # An array that keeps nothing is sealed whole, so no item of it is empty here.
        b"[%b]" % b",".join([b"null" if hidden is None else hidden for hidden in sealed]) if has_sealed else None,
        misfits,
    )
