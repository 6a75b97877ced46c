"""The match tokens of a FHIR Patient: by them the same person is met in other sources, and nobody is seen."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from include.privacy.element_texts import decode_value
from include.privacy.tokens import Tokeniser, distinct
from include.privacy.trait_tokens import Traits, trait_tokens


def patient_match_tokens(tokeniser: Tokeniser, elements: Mapping[str, msgspec.Raw], source: str) -> list[str]:
    """One token an identifier, one for each name together with each address, birth date and sex, and those of single traits.

    A number without a system is the source's own: it joins records of that source and of no other, where the same number is
    somebody else's.
    """
    identifiers, names, addresses = (_objects(elements.get(name)) for name in ("identifier", "name", "address"))
    tokens = [
        tokeniser.identifier_token(
            _text(identifier.get("system")) or f"urn:plumbline:source:{source}", identifier["value"]
        )
        for identifier in identifiers
        if isinstance(identifier.get("value"), str)
    ]
    birth_date, sex = (_text(_value(elements.get(name))) for name in ("birthDate", "gender"))
    for name in names:
        given = name.get("given")
        for address in addresses:
            tokens.append(
                tokeniser.demographic_token(
                    family=_text(name.get("family")),
                    given=_text(given[0]) if isinstance(given, list) and given else None,
                    birth_date=birth_date,
                    sex=sex,
                    postal_code=_text(address.get("postalCode")),
                )
            )
    traits = _traits(identifiers, names, addresses, _objects(elements.get("telecom")))
    return distinct([*tokens, *trait_tokens(tokeniser, traits)])


def _traits(identifiers: list[dict], names: list[dict], addresses: list[dict], contacts: list[dict]) -> Traits:
    from include.identity.policy import load_policy

    strong = load_policy().strong_identifiers
    givens = [name["given"] for name in names if isinstance(name.get("given"), list)]
    lines = [
        (address["line"][0], _text(address.get("postalCode")) or "")
        for address in addresses
        if isinstance(address.get("line"), list) and address["line"]
    ]
    return Traits(
        families=tuple(name["family"] for name in names if _text(name.get("family"))),
        givens=tuple(given[0] for given in givens if given and _text(given[0])),
        postal_codes=tuple(address["postalCode"] for address in addresses if _text(address.get("postalCode"))),
        streets=tuple((line, code) for line, code in lines if _text(line)),
        phones=_contacts(contacts, "phone"),
        emails=_contacts(contacts, "email"),
        numbers=tuple(
            (identifier["system"], identifier["value"])
            for identifier in identifiers
            if _text(identifier.get("value")) and _text(identifier.get("system")) in strong
        ),
    )


def _contacts(contacts: list[dict], system: str) -> tuple[str, ...]:
    return tuple(each["value"] for each in contacts if each.get("system") == system and _text(each.get("value")))


def _value(raw: msgspec.Raw | None) -> object:
    return None if raw is None else decode_value(raw)


def _objects(raw: msgspec.Raw | None) -> list[dict]:
    value = _value(raw)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
