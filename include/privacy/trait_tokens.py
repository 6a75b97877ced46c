"""Tokens of single traits of a person, for matching that survives typing errors, marriages, moves and swapped names.

Each is a keyed hash with a short kind before it; what they stand for cannot be told without the token key. Kinds:
``fn``/``gn`` family and given name (one space of hashes, so that swapped names meet), ``fd``/``gd`` each name with one letter
left out, by which names one typing error apart meet, and the given name in full where it is a short form,
``fs``/``gs`` how it sounds, ``gi`` the given name's first letter, ``zp`` ZIP code, ``ad`` first address line with ZIP code, ``ph``
telephone, ``em`` e-mail, ``on`` an identifier of a system in which a person has one number for life.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from include.privacy.tokens import Tokeniser, distinct, plain_name

NICKNAMES_FILE = Path(__file__).resolve().parents[1] / "policies" / "nicknames.yml"
_ZIP5 = re.compile(r"\s*(\d{5})(?:-?\d{4})?\s*")
_PARTS = re.compile(r"[\s\-]+")
_LONGEST = 24  # letters of a name that are looked at
_SHORTEST_NEAR = 4  # shorter names have too many neighbours
_SOUNDS = {
    letter: code for code, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters
}


@dataclass(frozen=True, slots=True)
class Traits:
    """What one patient record says, as it was written. Empty where it says nothing."""

    families: tuple[str, ...] = ()
    givens: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    streets: tuple[tuple[str, str], ...] = ()  # first line, postal code
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    numbers: tuple[tuple[str, str], ...] = ()  # system, value of identifiers that a person has one of


def trait_tokens(tokeniser: Tokeniser, traits: Traits) -> list[str]:
    """Every trait's tokens, ``kind:<16 hexadecimal digits>``, each once."""
    tokens: list[str | None] = []
    for role, names in (("f", traits.families), ("g", traits.givens)):
        for name in names:
            tokens += _of_name(tokeniser, role, name)
    zips = [found[1] for code in traits.postal_codes if (found := _ZIP5.fullmatch(code))]
    tokens += [_token(tokeniser, "zp", code) for code in zips]
    for line, code in traits.streets:
        plain, found = plain_name(line), _ZIP5.fullmatch(code)
        if len(plain) > 4 and found:
            tokens.append(_token(tokeniser, "ad", f"{plain}|{found[1]}"))
    tokens += [_token(tokeniser, "ph", digits) for phone in traits.phones if (digits := _digits(phone))]
    tokens += [_token(tokeniser, "em", mail.strip().casefold()) for mail in traits.emails if "@" in mail]
    for system, value in traits.numbers:
        plain = re.sub(r"[\s\-]", "", value).casefold()
        if plain:
            tokens.append(
                f"{_token(tokeniser, 'on', system.strip().casefold())}{_hash(tokeniser, 'on', system + '|' + plain)}"
            )
    return distinct(tokens)


def _of_name(tokeniser: Tokeniser, role: str, name: str) -> Iterable[str]:
    plain = plain_name(name)[:_LONGEST]
    if not plain:
        return []
    parts = {part for each in _PARTS.split(name) if len(part := plain_name(each)[:_LONGEST]) > 2}
    tokens = [f"{role}n:{_hash(tokeniser, 'name', one)}" for one in sorted({plain, *(parts if role == "f" else ())})]
    whole = {plain, formal_name(plain)} if role == "g" else {plain}
    near = {shorter for one in whole if len(one) >= _SHORTEST_NEAR for shorter in _one_letter_less(one)} | whole
    tokens += [f"{role}d:{_hash(tokeniser, 'near', one)}" for one in sorted(near)]
    sounds = {sound for one in whole if (sound := sounds_like(one))}
    tokens += [f"{role}s:{_hash(tokeniser, 'sound', one)}" for one in sorted(sounds)]
    if role == "g":
        tokens.append(f"gi:{_hash(tokeniser, 'initial', plain[0])}")
    return tokens


def _one_letter_less(name: str) -> set[str]:
    return {name[:at] + name[at + 1 :] for at in range(len(name))}


def sounds_like(name: str) -> str:
    """American Soundex (U.S. National Archives): first letter and three digits; '' for names without Latin letters."""
    letters = [c for c in unicodedata.normalize("NFKD", name).casefold() if "a" <= c <= "z"]
    if not letters:
        return ""
    code, last = letters[0], _SOUNDS.get(letters[0])
    for letter in letters[1:]:
        sound = _SOUNDS.get(letter)
        if sound and sound != last:
            code += str(sound)
        if letter not in "hw":
            last = sound
    return code[:4].ljust(4, "0")


@lru_cache(maxsize=1)
def _nicknames() -> dict[str, str]:
    said = yaml.safe_load(NICKNAMES_FILE.read_text(encoding="utf-8"))["formal_names"]
    return {plain_name(short): plain_name(formal) for formal, forms in said.items() for short in forms}


def formal_name(plain: str) -> str:
    """The name that a short form most often stands for (include/policies/nicknames.yml), or the name itself."""
    return _nicknames().get(plain, plain)


def _digits(phone: str) -> str:
    """A telephone number's last ten digits; '' for what is too short or one digit over and over."""
    digits = re.sub(r"\D", "", phone)[-10:]
    return digits if len(digits) >= 7 and len(set(digits)) > 2 else ""


def _hash(tokeniser: Tokeniser, kind: str, value: str) -> str:
    return tokeniser.digest(f"trait|{kind}|{value}".encode())[:8].hex()


def _token(tokeniser: Tokeniser, kind: str, value: str) -> str:
    return f"{kind}:{_hash(tokeniser, kind, value)}"
