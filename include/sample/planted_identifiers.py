"""Writing down every direct identifier of every person, in the form in which it was delivered."""

from collections.abc import Iterable, Mapping
from itertools import combinations

from include.sample import names, ward
from include.sample.answer_key import AnswerKey, PlantedIdentifier
from include.sample.block import Block
from include.sample.contradictions import note_person
from include.sample.further_sources import Known
from include.sample.people import LINKED_BY_NAME, LINKED_BY_NUMBER, NEWCOMERS, NORTH, OTHER_GENDER, SOUTH
from include.sample.small_sources import registry_id
from include.sample.telling import NONE

_WORDS = {
    word.lower()
    for word in (*names.AMBIGUOUS_GIVEN_F, *names.AMBIGUOUS_GIVEN_M, *names.AMBIGUOUS_FAMILY, *names.ALSO_PLACES)
}


def write_identifiers(key: AnswerKey, block: Block, further: Mapping[int, Known] | None = None) -> None:
    """Write the identifiers of a block's people, and under which ids each source knows them."""
    ids = block.patient_ids
    for at, who in enumerate(block.identities):
        person, hospitals = int(block.people.number[at]), int(block.people.hospitals[at])
        known: list[tuple[str, str]] = [
            ("full_name", who.full_name),
            ("given_name", who.given),
            ("family_name", who.family),
            ("ssn", who.ssn),
            ("email", who.email),
            ("street", who.street),
            ("subscriber", who.subscriber),
        ]
        if hospitals & NORTH:
            known += [
                ("north_mrn", who.north_mrn),
                ("source_id", ids[at]),
                ("phone", who.phone),
                ("contact_phone", who.contact_phone),
                ("contact_name", f"{who.contact_given} {who.family}"),
            ]
        if hospitals & SOUTH:
            known += [("source_id", who.south_mrn), ("phone", who.phone.replace("(", "").replace(") ", "-"))]
            if (who.south_family, who.south_given) != (who.family, who.given):
                known += [("family_name", who.south_family), ("full_name", f"{who.south_given} {who.south_family}")]
        for kind, value in known:
            key.add_identifier(PlantedIdentifier(person, kind, value, is_word=value.lower() in _WORDS))
        row = _person_row(block, at, ids[at], (further or {}).get(at, Known({}, {})))
        key.add_person(row)
        note_person(key, row)


def _person_row(block: Block, at: int, north_id: str, further: Known) -> dict:
    """Under which ids a person is known, how the hospitals' records can meet, and which sources' records can at all."""
    who, hospitals = block.identities[at], int(block.people.hospitals[at])
    number = int(block.people.number[at])
    ids = {
        "north": north_id if hospitals & NORTH else None,
        "south": who.south_mrn if hospitals & SOUTH else None,
        "registry": registry_id(number, int(block.people.age[at])) if number < NEWCOMERS else None,
    }
    link = _link(block, at) if hospitals == NORTH + SOUTH else ""
    meetings = [*_meetings(block, at, [name for name in ids if ids[name]], link), *_further_meetings(further)]
    return {
        "person": number,
        **ids,
        **further.numbers,
        "link": link,
        "further_links": further.links,
        "groups": groups_of(meetings),
    }


def _further_meetings(further: Known) -> list[tuple[str, str]]:
    """A further source's record meets the north's; one that was merged away meets the record that it became."""
    merged = f"{ward.SOURCE}_merged"
    return [
        (ward.SOURCE if source == merged else "north", source) for source, link in further.links.items() if link != NONE
    ]


def groups_of(meetings: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Records that meet, directly or through others: the connected parts of the pairs."""
    parts: list[set[str]] = []
    for pair in meetings:
        touched = [part for part in parts if part & set(pair)]
        parts = [part for part in parts if part not in touched] + [set(pair).union(*touched)]
    return sorted(sorted(part) for part in parts)


def _link(block: Block, at: int) -> str:
    """By what the hospitals' records of a person can meet; names count with birth date, sex and postal code, and names
    written otherwise (likeness) with birth date and telephone besides."""
    kind = int(block.people.link[at])
    by_number = bool(block.identities[at].ssn) and kind != LINKED_BY_NAME
    by_name = _has_whole_name(block, at) and kind != LINKED_BY_NUMBER
    if block.identities[at].south_writes:
        return "likeness"
    words = {(True, True): "number_and_name", (True, False): "number", (False, True): "name"}
    return words.get((by_number, by_name), "none")


def _meetings(block: Block, at: int, sources: list[str], link: str) -> list[tuple[str, str]]:
    """Pairs of the hospitals and the registry whose records of the person can be joined; the registry knows no number."""
    who = block.identities[at]
    by_name = [
        source
        for source in sources
        if _has_whole_name(block, at)
        and (source != "south" or (who.south_family, who.south_given) == (who.family, who.given))
    ]
    by_number = [("north", "south")] if link.startswith("number") or link == "likeness" else []
    return [*combinations(by_name, 2), *by_number]


def _has_whole_name(block: Block, at: int) -> bool:
    return bool(block.identities[at].postal_code) and int(block.people.gender[at]) != OTHER_GENDER
