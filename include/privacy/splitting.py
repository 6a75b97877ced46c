"""Splitting a parsed resource into what stays in clear and what is sealed, by the classification.

A splitter is a function ``(value, misfits) -> (clear, sealed)``; either side is ``NOTHING`` where it gets nothing. The
two sides merge back into the value (see ``sealing.merge``). Objects that keep nothing are sealed whole; within an array
they leave ``{}`` behind, so that items keep their places. The path of every value that does not fit its type is added
to ``misfits``: a path of the policy, never a value; a code's with the public system whose code it is not, as ``….code=system``.

Values come from a parser that leaves numbers with a fraction as their own digits (``msgspec.Raw``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from include.privacy.classification import Classification, ResourceRule, Rule
from include.privacy.tokens import Tokeniser, as_uuid, uuid_text
from include.privacy.value_types import (
    Check,
    code_pattern,
    is_number,
    one_of,
    public_display,
    unknown_system_code,
)

NOTHING = object()
Splitter = Callable[[object, list[str]], tuple[object, object]]

_REFERENCE = re.compile(
    r"(?:https?://[^\s?#]*/|/)?([A-Z][A-Za-z]+)/([^/?#|\s]{1,255})(?:/_history/[^/?#\s]+)?(?:#\S*)?"
)
_ID = re.compile(rb"[A-Za-z0-9.-]{1,64}")
_UID = re.compile(r"[0-9][0-9.]{0,62}[0-9]", re.ASCII)
_QUERY = re.compile(r"([A-Z][A-Za-z]+)\?(\S.*)")
_COMPARATOR = one_of(["<", "<=", ">=", ">", "ad"])
_CODE_VERSION = re.compile(r"(?=.*\d)(?!.*\d{9})[0-9A-Za-z./:_-]{1,40}").fullmatch
_MOST_REMEMBERED = 250_000


class UnknownReferenceError(LookupError):
    """A reference of which it cannot be told what it refers to."""


class ReferenceTokens(dict):
    """A source's reference (bytes) -> what it becomes (bytes): ``Type/<token>`` and the like.

    Looking up an unknown form raises UnknownReferenceError.
    """

    def __init__(self, tokeniser: Tokeniser, source: str, types: frozenset[str]) -> None:
        super().__init__()
        self._make = tokeniser.id_token
        self._source = source
        self._digesters = {name.encode(): tokeniser.id_digester(source, name) for name in types}

    def __missing__(self, reference: bytes) -> bytes:
        kind, slash, source_id = reference.partition(b"/")
        digest = self._digesters.get(kind)
        if digest is not None and _ID.fullmatch(source_id):
            token = b"%b/%b" % (kind, uuid_text(digest(source_id)))
        else:
            token = self._other(reference.decode("utf-8", "surrogatepass")).encode()
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        self[reference] = token
        return token

    def _other(self, reference: str) -> str:
        found = _REFERENCE.fullmatch(reference)
        if found and found[1].encode() in self._digesters:
            return f"{found[1]}/{self._make(self._source, found[1], found[2])}"
        if reference.startswith("#") and len(reference) > 1:
            return "#" + self._make(self._source, "#", reference[1:])
        if reference.startswith(("urn:uuid:", "urn:oid:")):
            return "urn:uuid:" + self._make(self._source, "urn", reference)
        query = _QUERY.fullmatch(reference)
        if query and query[1].encode() in self._digesters:
            return f"{query[1]}?{self._make(self._source, query[1] + '?', query[2])}"
        raise UnknownReferenceError


class Splitters:
    """Makes the splitters of one source's resources."""

    def __init__(self, classification: Classification, tokeniser: Tokeniser, source: str) -> None:
        self._policy = classification
        self._tokeniser = tokeniser
        self._source = source
        self._types = frozenset(classification.resources)
        self.tokens = ReferenceTokens(tokeniser, source, self._types)
        self._systems: dict[object, tuple[Check, bool, bool]] = {}
        self._contained: dict[str, Splitter] = {}

    def element(self, path: str, rule: Rule) -> Splitter:
        """The splitter of one element. ``path`` is only for telling misfits apart."""
        if isinstance(rule, Mapping):
            return _split_list_or_object(
                {name: self.element(f"{path}.{name}", inner) for name, inner in rule.items()}, path
            )
        if isinstance(rule, tuple):
            return _split_leaf(one_of(rule), path)
        if rule in self._policy.datatypes:
            return self.element(path, self._policy.datatypes[rule])
        special = {
            "Coding": self._coding,
            "Quantity": self._quantity,
            "reference": self._reference,
            "contained": self._contained_resources,
            "extension": self._extensions,
            "uid": self._uid,
            "uid_identifier": self._uid_identifier,
        }
        if rule in special:
            return special[rule](path)
        if rule == "resource_type":
            return _split_leaf(one_of(self._types), path)
        return _split_leaf(self._policy.checks[rule], path)

    def token(self, reference: str) -> str | None:
        """What a reference becomes: ``Type/<token>``, or None where it cannot be told what it refers to."""
        try:
            return self.tokens[reference.encode("utf-8", "surrogatepass")].decode()
        except UnknownReferenceError:
            return None

    def _reference(self, path: str) -> Splitter:
        def split(value: object, misfits: list[str]) -> tuple[object, object]:
            token = self.token(value) if type(value) is str else None
            if token is None:
                misfits.append(path)
                return NOTHING, value
            return token, value

        return split

    def _uid(self, path: str) -> Splitter:
        """DICOM UIDs tell which machine made a picture and when: a token stays, the same whichever source says it."""

        def split(value: object, misfits: list[str]) -> tuple[object, object]:
            plain = value.removeprefix("urn:oid:") if type(value) is str else ""
            if _UID.fullmatch(plain) is None:
                misfits.append(path)
                return NOTHING, value
            return "urn:uuid:" + as_uuid(self._tokeniser.digest(b"uid|" + plain.encode())), value

        return split

    def _uid_identifier(self, path: str) -> Splitter:
        """Identifiers, of which only a DICOM UID leaves a token; all others are sealed whole."""
        split_uid = self._uid(f"{path}.value")

        def split_one(value: dict, misfits: list[str]) -> tuple[object, object]:
            if value.get("system") != "urn:dicom:uid" or "value" not in value:
                return NOTHING, value
            kept, hidden = split_uid(value["value"], misfits)
            if kept is NOTHING:
                return NOTHING, value
            rest = {name: part for name, part in value.items() if name not in ("system", "value")}
            return {"system": "urn:dicom:uid", "value": kept}, {"value": hidden, **rest}

        return _split_objects(split_one, path)

    def _system(self, system: object) -> tuple[Check, bool, bool]:
        """How codes of a system are checked, whether its displays stay, and whether its address does."""
        known = self._systems.get(system)
        if known is None:
            known = self._look_up(system)
            if len(self._systems) > 10_000:
                self._systems.clear()
            self._systems[system] = known
        return known

    def _look_up(self, system: object) -> tuple[Check, bool, bool]:
        codes = self._policy.codes
        if type(system) is not str:
            return unknown_system_code, False, False
        if system in codes["public_systems"]:
            return code_pattern(codes["public_systems"][system]), True, True
        if system == "http://unitsofmeasure.org":
            # People write their own spelling of a unit as its code too ("days", "mmHg").
            return self._policy.checks["unit"], False, True
        is_plain = re.fullmatch(r"[A-Za-z0-9/._:-]{1,160}", system) is not None and not re.search(r"\d{7}", system)
        for kind, is_public in (("public_prefixes", True), ("local_systems", False)):
            for prefix, pattern in codes[kind].items():
                if is_plain and system.startswith(prefix):
                    return code_pattern(pattern), is_public, True
        return unknown_system_code, False, False

    def _coded(self, value: dict, clear: dict, sealed: dict, misfits: list[str], path: str) -> None:
        """Settle ``system``, ``code`` and ``display``, which are only safe together."""
        system = value.get("system")
        fits, shows, keeps_address = self._system(system if type(system) is str else None)
        if system is not None:
            if keeps_address:
                clear["system"] = system
            else:
                if type(system) is str:
                    clear["system"] = "urn:uuid:" + self._tokeniser.id_token(self._source, "system", system)
                sealed["system"] = system
        has_code = False
        if "code" in value:
            has_code = fits(value["code"])
            if has_code:
                clear["code"] = value["code"]
            else:
                misfits.append(f"{path}.code={system}" if self._is_public(system) else f"{path}.code")
                sealed["code"] = value["code"]
        if "display" in value:
            is_shown = shows and has_code and public_display(value["display"])
            (clear if is_shown else sealed)["display"] = value["display"]

    def _is_public(self, system: object) -> bool:
        """Whether everybody knows the system by its address, so that a misfit may name it."""
        return type(system) is str and system in self._policy.codes["public_systems"]

    def _coding(self, path: str) -> Splitter:
        def split_one(value: dict, misfits: list[str]) -> tuple[object, object]:
            clear: dict = {}
            sealed: dict = {}
            self._coded(value, clear, sealed, misfits, path)
            for name, part in value.items():
                if (
                    name == "userSelected"
                    and isinstance(part, bool)
                    or name == "version"
                    and type(part) is str
                    and _CODE_VERSION(part)
                    and "code" in clear
                ):
                    clear[name] = part
                elif name not in ("system", "code", "display"):
                    sealed[name] = part
            return _sides(value, clear if "code" in clear else {}, sealed)

        return _split_objects(split_one, path)

    def _quantity(self, path: str) -> Splitter:
        fits_unit = self._policy.checks["unit"]
        parts = {"value": is_number, "comparator": _COMPARATOR, "unit": fits_unit}

        def split_one(value: dict, misfits: list[str]) -> tuple[object, object]:
            clear: dict = {}
            sealed: dict = {}
            self._coded(value, clear, sealed, misfits, path)
            for name, part in value.items():
                fits = parts.get(name)
                if fits is not None and fits(part):
                    clear[name] = part
                elif fits is not None:
                    misfits.append(f"{path}.{name}")
                    sealed[name] = part
                elif name not in ("system", "code"):
                    sealed[name] = part
            clear.pop("display", None)
            return _sides(value, clear, sealed)

        return _split_objects(split_one, path)

    def _contained_resources(self, path: str) -> Splitter:
        def split_one(value: dict, misfits: list[str]) -> tuple[object, object]:
            kind = value.get("resourceType")
            rule = self._policy.resources.get(kind) if type(kind) is str else None
            if rule is None:
                return NOTHING, value
            if kind not in self._contained:
                self._contained[kind] = self._contained_splitter(rule, path)
            return self._contained[kind](value, misfits)

        return _split_objects(split_one, path)

    def _contained_splitter(self, rule: ResourceRule, path: str) -> Splitter:
        elements = {
            name: self.element(f"{path}.{rule.resource_type}.{name}", inner)
            for name, inner in rule.keep.items()
            if name not in ("id", "contained")
        }
        elements["id"] = self._contained_id
        return _split_list_or_object(elements, path)

    def _contained_id(self, value: object, misfits: list[str]) -> tuple[object, object]:
        if type(value) is not str or not value:
            return NOTHING, value
        return self._tokeniser.id_token(self._source, "#", value.removeprefix("#")), value

    def _extensions(self, path: str) -> Splitter:
        by_url = {
            url: self._extension(f"{path}({url.rsplit('/', 1)[-1]})", url, rule)
            for url, rule in self._policy.extensions.items()
        }
        return _split_objects(_by_url(by_url), path)

    def _extension(self, path: str, url: str, rule: Rule) -> Splitter:
        elements = {"url": _split_leaf(one_of([url]), path)}
        for name, inner in rule.items():
            if name == "extension":
                nested = {part: self._extension(f"{path}.{part}", part, kept) for part, kept in inner.items()}
                elements[name] = _split_objects(_by_url(nested), path)
            else:
                elements[name] = self.element(f"{path}.{name}", inner)
        split = _split_list_or_object(elements, path)

        def split_known(value: object, misfits: list[str]) -> tuple[object, object]:
            clear, sealed = split(value, misfits)
            # An address alone says that there was such an extension and nothing more: not worth keeping.
            return (NOTHING, value) if isinstance(clear, dict) and clear.keys() <= {"url"} else (clear, sealed)

        return split_known


def _by_url(by_url: Mapping[str, Splitter]) -> Splitter:
    def split_one(value: dict, misfits: list[str]) -> tuple[object, object]:
        url = value.get("url")
        split = by_url.get(url) if type(url) is str else None
        return split(value, misfits) if split else (NOTHING, value)

    return split_one


def _split_leaf(fits: Check, path: str) -> Splitter:
    """An array of leaves stays only if every item fits: half an array would say something else."""
    known: set[str] = set()

    def split(value: object, misfits: list[str]) -> tuple[object, object]:
        if type(value) is list:
            if value and all(map(fits, value)):
                return value, NOTHING
        elif type(value) is str and value in known:
            return value, NOTHING
        elif fits(value):
            if type(value) is str and len(known) < 5_000:
                known.add(value)
            return value, NOTHING
        misfits.append(path)
        return NOTHING, value

    return split


def _split_list_or_object(elements: Mapping[str, Splitter], path: str) -> Splitter:
    def split_one(value: dict, misfits: list[str]) -> tuple[object, object]:
        clear: dict = {}
        sealed: dict = {}
        for name, part in value.items():
            split = elements.get(name)
            if split is None:
                sealed[name] = part
                continue
            kept, hidden = split(part, misfits)
            if kept is not NOTHING:
                clear[name] = kept
            if hidden is not NOTHING:
                sealed[name] = hidden
        return _sides(value, clear, sealed)

    return _split_objects(split_one, path)


def _split_objects(split_one: Callable[[dict, list[str]], tuple[object, object]], path: str) -> Splitter:
    """Apply ``split_one`` to an object, or to every item of an array of objects; anything else is sealed whole."""

    def split(value: object, misfits: list[str]) -> tuple[object, object]:
        if type(value) is dict:
            return split_one(value, misfits)
        if type(value) is list and all(type(item) is dict for item in value):
            return _split_items(value, split_one, misfits)
        misfits.append(path)
        return NOTHING, value

    return split


def _split_items(items: list[dict], split_one: Splitter, misfits: list[str]) -> tuple[object, object]:
    pairs = [split_one(item, misfits) for item in items]
    if pairs and all(clear is NOTHING for clear, _ in pairs):
        return NOTHING, items
    clear = [{} if kept is NOTHING else kept for kept, _ in pairs]
    if all(hidden is NOTHING for _, hidden in pairs):
        return clear, NOTHING
    return clear, [None if hidden is NOTHING else hidden for _, hidden in pairs]


def _sides(value: dict, clear: dict, sealed: dict) -> tuple[object, object]:
    if not clear and value:
        return NOTHING, value
    return clear, sealed or NOTHING
