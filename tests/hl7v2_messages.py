"""Small HL7 v2 messages for tests. Nobody in them exists."""

from __future__ import annotations

import json

from include.sources.items import Document, Item, Reject

MSH = "MSH|^~\\&|ADTAPP|GHH|EHR|GHH|20261120083000-0500||{kind}|{control}|P|2.5.1"
PID = (
    "PID|1||P{number}^^^GHH^MR||Quackenbush^Zeb{number}^A||19800229|F||2106-3^White^HL70005|12 Oak St^^Salem^MA^01970^USA^H||(978)555-0101|||M|||078-05-1120"
    + "|" * 11
    + "N"
)


def message(kind: str, *segments: str, control: str = "M1", number: int = 1, end: str = "\r") -> bytes:
    """One message: MSH, PID of a person, then the segments."""
    lines = [MSH.format(kind=kind, control=control), PID.format(number=number), *segments]
    return (end.join(lines) + end).encode()


def admit(number: int = 1, control: str = "A1", event: str = "A01", **more: str) -> bytes:
    """An admission (or another ADT event) of a person's visit."""
    leave = more.get("left", "")
    visit = (
        f"PV1|1|I|WARD^12^1||||1234^Smith^Bob|||MED|||||||||V{number}^^^GHH^VN" + "|" * 25 + f"20261119101500|{leave}"
    )
    return message(f"ADT^{event}^ADT_{event}", f"EVN|{event}|20261120083000", visit, control=control, number=number)


def results(number: int = 1, control: str = "R1", status: str = "F", value: str = "7.1") -> bytes:
    """A laboratory report of two results, the second after the specimen."""
    return message(
        "ORU^R01^ORU_R01",
        f"PV1|1|I|WARD||||||||||||||||V{number}^^^GHH^VN",
        f"ORC|RE|O{number}^GHH|F{number}^LAB",
        f"OBR|1|O{number}^GHH|F{number}^LAB|24323-8^CMP^LN|||20261119073000|||||||||1234^Smith^Bob||||||20261119093000|||{status}",
        f"OBX|1|NM|4548-4^HbA1c^LN||{value}|%^^UCUM|4.0-5.6|H|||{status}|||20261119073000",
        f"SPM|1|S{number}^GHH||BLD^Blood^HL70487",
        f"OBX|2|NM|2345-7^Glucose^LN||101|mg/dL^^UCUM|70 to 99|H|||{status}|||20261119073000",
        control=control,
        number=number,
    )


def resources(items: list[Item], resource_type: str) -> list[dict]:
    """The resources of a type among what a reader yields, as they will be stored."""
    return [
        json.loads(item.content.removeprefix(b"deleted "))
        for item in items
        if isinstance(item, Document) and item.resource["resourceType"] == resource_type
    ]


def one(items: list[Item], resource_type: str) -> dict:
    """The only resource of a type; a refusal shows itself."""
    assert not [item for item in items if isinstance(item, Reject)]
    (found,) = resources(items, resource_type)
    return found
