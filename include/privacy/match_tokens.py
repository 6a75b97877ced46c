"""The match tokens of a FHIR Patient: by them the same person is met in other sources, and nobody is seen."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from include.privacy.element_texts import decode_value
from include.privacy.tokens import Tokeniser, distinct


def patient_match_tokens(tokeniser: Tokeniser, elements: Mapping[str, msgspec.Raw]) -> list[str]:
    """One token an identifier, and one for each name together with each address, birth date and sex."""
    identifiers, names, addresses = (_objects(elements.get(name)) for name in ("identifier", "name", "address"))
    tokens = [
        tokeniser.identifier_token(_text(identifier.get("system")), identifier["value"])
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
    return distinct(tokens)


def _value(raw: msgspec.Raw | None) -> object:
    return None if raw is None else decode_value(raw)


def _objects(raw: msgspec.Raw | None) -> list[dict]:
    value = _value(raw)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
