"""What sources tell otherwise of one and the same person: let in, and counted by the checks of agreement (decisions/0682).

Which of two that differ is right is known to nobody, so each source that tells the trait is counted, whoever slipped.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from include.sample.answer_key import LOADED, AnswerKey, Defect
from include.sample.block import Block
from include.sample.fhir_defects import COUNTED
from include.sample.places import PLACES
from include.sample.score import RECORDS
from include.sample.telling import Telling

SEX, BIRTH_DATE, STATE, VALUE = "sex", "birth_date", "state", "value"
# Which sources tell a trait at all: the registry no state, the transcription service none of the three, pictures no address.
_WHO = ("north", "south", "registry", "ward", "pharmacy", "radiology")
TELLS = {SEX: _WHO, BIRTH_DATE: _WHO, STATE: ("north", "south", "ward", "pharmacy")}
AGREEMENT = "agreesWithOtherSources"


def check_of(trait: str) -> str:
    """The check that counts a trait told otherwise."""
    return f"{'Observation' if trait == VALUE else 'Patient'}.{AGREEMENT}.{trait}"


def kind_of(trait: str) -> str:
    """What the key calls a trait told otherwise."""
    return f"{trait}_told_otherwise"


def note_move(key: AnswerKey, source: str, block: Block, told: Telling) -> None:
    """Write down that a source has somebody in another state than the north, where it has."""
    if told.state != PLACES[block.people.place[told.at]].state:
        key.told_otherwise[int(block.people.number[told.at])].add((source, STATE))


def note_values(key: AnswerKey, sources: Iterable[str]) -> None:
    """Write down one result that these sources tell with different values."""
    for source in sources:
        key.add_defect(_defect(source, VALUE))


def note_person(key: AnswerKey, row: Mapping[str, Any]) -> None:
    """Write down what the sources of one person (a row of the key's persons) tell otherwise of it."""
    for source, trait in sorted(_told_otherwise(row, key.told_otherwise.get(row["person"], ()))):
        key.add_defect(_defect(source, trait))


def _told_otherwise(row: Mapping[str, Any], slips: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Source and trait of everyone whose record can be recognised as that of a source that slipped, once each."""
    found = set()
    for slipped, trait in slips:
        for group in row["groups"]:
            if slipped in group:
                found |= {(source, trait) for source in {RECORDS[record] for record in group} & set(TELLS[trait])}
    return iter(found)


def _defect(source: str, trait: str) -> Defect:
    return Defect(kind_of(trait), COUNTED, source, "", "", 0, LOADED, (check_of(trait),), records=0)
