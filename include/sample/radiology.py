"""The radiology practice: DICOM files without pictures, of people whom the north knows, with names where headers have them."""

import hashlib
import warnings
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from include.sample import names
from include.sample.answer_key import QUARANTINED, AnswerKey, Defect, PlantedIdentifier
from include.sample.block import Block
from include.sample.codes import NORTH_MRN
from include.sample.contradictions import BIRTH_DATE, SEX
from include.sample.delivery import hash_file
from include.sample.fhir_defects import PLAUSIBILITY, STRUCTURAL
from include.sample.people import SAME_AS_SEX
from include.sample.telling import Telling, known_to_north, tell
from include.sample.ward_messages import birth_of

SOURCE, DATASET = "radiology", "resource"
FEWEST, ONE_IN, MOST = 8, 100, 100
FEWEST_FOR_GATE = 20  # studies, below which a refused one would be too large a share
KINDS = (  # modality, SOP class, body part, burned-in annotation
    ("CR", "1.2.840.10008.5.1.4.1.1.1", "CHEST", "NO"),
    ("CT", "1.2.840.10008.5.1.4.1.1.2", "HEAD", ""),
    ("US", "1.2.840.10008.5.1.4.1.1.6.1", "ABDOMEN", ""),
    ("MR", "1.2.840.10008.5.1.4.1.1.4", "KNEE", ""),
    ("OT", "1.2.840.10008.5.1.4.1.1.7", "", "YES"),
)
EXPLICIT, IMPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"
SYNTAXES = (EXPLICIT, IMPLICIT, EXPLICIT, DEFLATED)


@dataclass
class Archive:
    """The practice's files; each is two records, its patient (told once a study) and its instance."""

    folder: Path
    key: AnswerKey
    people: int = 0
    files: int = 0
    told: set[tuple[str, str]] = field(default_factory=set)

    def write(self, content: bytes) -> str:
        """Write a file and return its name, which says nothing."""
        self.files += 1
        name = f"disc{1 + self.files // 40}/IM{self.files:05d}" + (".dcm" if self.files % 3 else "")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.key.hashes[SOURCE, name] = hash_file(path)
        return name

    def add(self, content: bytes, number: str, study: str) -> str:
        """Write a good file and count its records. Who a study shows is told by each of its files alike: once is enough."""
        name = self.write(content)
        counts = self.key.counts[SOURCE, DATASET]
        counts.received += 2
        counts.duplicate += (number, study) in self.told
        self.told.add((number, study))
        return name

    def note(self, kind: str, family: str, name: str, place: int, reasons: tuple[str, ...] = ()) -> None:
        """Write down a record that should be refused."""
        self.key.add_defect(Defect(kind, family, SOURCE, DATASET, name, place, QUARANTINED, reasons or (kind,)))

    def refuse(self, kind: str, content: bytes, place: int = 0) -> None:
        """Write a file that is one record, in quarantine."""
        self.key.counts[SOURCE, DATASET].received += 1
        self.note(kind, STRUCTURAL, self.write(content), place)


def write_block(archive: Archive, block: Block) -> dict[int, tuple[str, str]]:
    """Write studies of some people of a block; return under which number the practice knows whom, and how they are recognised."""
    known: dict[int, tuple[str, str]] = {}
    chosen = known_to_north(block, min(max(FEWEST, len(block.people) // ONE_IN), MOST - archive.people), turn=2)
    for at in chosen:
        turn = archive.people
        told = tell(block, at, turn // 2, has_number=turn % 2 == 0)
        who = block.identities[at]
        number = who.north_mrn if told.has_number else f"X{number_of(block, at):08d}"
        _write_study(archive, block, told, number, turn)
        if turn == 0:
            _write_broken(archive, block, told, number)
        if turn == FEWEST_FOR_GATE - 1:
            _write_unborn(archive, block, told)
        known[at] = (number, told.link)
        archive.people += 1
    return known


def number_of(block: Block, at: int) -> int:
    """The practice's own number of a person."""
    return 10_000_000 + (int(block.people.number[at]) * 6_841 + 977) % 89_999_999


def _write_study(archive: Archive, block: Block, told: Telling, number: str, turn: int) -> None:
    """One or two instances of one study, and for some the first one again with another header."""
    study, otherwise = _uid(block, told.at, "study"), _told_otherwise(archive.key, block, told)
    for instance in range(1 + turn % 2):
        archive.add(_file(block, told, number, turn, instance, **otherwise), number, study)
    _plant(archive.key, block, told, number, turn)
    if turn == 3:
        again = _file(block, told, number, turn, 0, StationName="REPLACED9")
        name = archive.add(again, number, study)
        archive.note("duplicate_id", STRUCTURAL, name, 2)


def _told_otherwise(key: AnswerKey, block: Block, told: Telling) -> dict[str, str]:
    """A slip of the practice's clerk, about some whom a number tells in spite of it: the other sex, or the next day for the birth.

    The header is older than the north's record, so that the marts follow the north.
    """
    person = int(block.people.number[told.at])
    if not told.has_number or int(block.people.gender[told.at]) != SAME_AS_SEX:
        return {}
    if told.change == "family":
        key.told_otherwise[person].add((SOURCE, SEX))
        return {"PatientSex": "M" if block.people.female[told.at] else "F"}
    if told.change == "given":
        key.told_otherwise[person].add((SOURCE, BIRTH_DATE))
        return {"PatientBirthDate": str(block.people.birth[told.at] + 1).replace("-", "")}
    return {}


def _uid(block: Block, at: int, what: str) -> str:
    """A UID made from a number of 128 bits (DICOM PS3.5 B.2)."""
    digest = hashlib.sha256(f"{block.seed}|{block.people.number[at]}|{what}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _file(block: Block, told: Telling, number: str, turn: int, instance: int, **changed: object) -> bytes:
    modality, sop_class, part, burned_in = KINDS[turn % len(KINDS)]
    who, day = block.identities[told.at], _day(block, told.at)
    clinician = names.CLINICIANS[turn % len(names.CLINICIANS)]
    said = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": sop_class, "SOPInstanceUID": _uid(block, told.at, f"instance {instance}"),
        "StudyInstanceUID": _uid(block, told.at, "study"), "SeriesInstanceUID": _uid(block, told.at, "series"),
        "StudyDate": day, "StudyTime": f"{8 + turn % 9:02d}1500", "AccessionNumber": f"A{number[1:]}", "Modality": modality,
        "BodyPartExamined": part, "BurnedInAnnotation": burned_in, "SeriesNumber": 1, "InstanceNumber": instance + 1,
        "PatientName": f"{told.family}^{told.given}", "PatientID": number, "PatientBirthDate": birth_of(block, told.at).replace("-", ""),
        "PatientSex": "F" if block.people.female[told.at] else "M", "PatientTelephoneNumbers": told.phone,
        "PatientAddress": f"{told.street}, {told.city} {told.state} {told.postal_code}".strip(),
        "IssuerOfPatientID": NORTH_MRN if told.has_number else "",
        "ReferringPhysicianName": "^".join(reversed(clinician.split(" ", 1))), "OperatorsName": "Ruiz^Imelda",
        "InstitutionName": "Lakeside Imaging", "StudyDescription": f"{modality} for {told.given} {told.family}",
        "PatientComments": f"call {who.contact_given} {who.family} at {who.contact_phone}", **changed,
    }  # fmt: skip
    return _encode(said, f"{told.given} {told.family} {number}", SYNTAXES[turn % len(SYNTAXES)])


def _day(block: Block, at: int) -> str:
    """A day some weeks before the night, on which the person was alive."""
    return str(block.people.night - 20 - int(block.people.number[at]) % 150).replace("-", "")


def _encode(said: dict[str, object], private: str, syntax: str) -> bytes:
    """The elements as a file of that transfer syntax, with a vendor's own elements that repeat who it is."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.filewriter import dcmwrite

    data = Dataset()
    for keyword, value in said.items():
        if value != "":
            setattr(data, keyword, value)
    vendor = data.private_block(0x0011, "LAKESIDE PACS", create=True)
    vendor.add_new(0x01, "LO", private[:64])
    vendor.add_new(0x02, "UT", f"printed for {private}")
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = said["SOPClassUID"]
    data.file_meta.MediaStorageSOPInstanceUID = said["SOPInstanceUID"] or "2.25.1"
    into = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = FileDataset(into, data, file_meta=data.file_meta, preamble=bytes(128))
        dcmwrite(into, made, enforce_file_format=True)
    return into.getvalue()


def _plant(key: AnswerKey, block: Block, told: Telling, number: str, turn: int) -> None:
    person, who = int(block.people.number[told.at]), block.identities[told.at]
    for kind, value, where in (
        ("full_name", f"{told.given} {told.family}", "DICOM private tag (0011,1001)"),
        ("radiology_number", number, "DICOM private tag (0011,1002)"),
        ("full_name", f"{told.given} {told.family}", "DICOM StudyDescription"),
        ("contact_name", f"{who.contact_given} {who.family}", "DICOM PatientComments"),
        ("contact_phone", who.contact_phone, "DICOM PatientComments"),
        ("street", told.street, "DICOM PatientAddress"),
        ("accession_number", f"A{number[1:]}", "DICOM AccessionNumber"),
    ):
        key.add_identifier(PlantedIdentifier(person, kind, value, where=where))


def _write_broken(archive: Archive, block: Block, told: Telling, number: str) -> None:
    """Files that are none, end early, or cannot be told apart from others."""
    good = _file(block, told, number, 0, 0, SOPInstanceUID=_uid(block, told.at, "lost instance"))
    archive.refuse("not_dicom", b"%!PS worklist of the day, no picture\n" * 9)
    archive.refuse("truncated_file", good[: len(good) * 2 // 3])
    archive.refuse("missing_uid", _file(block, told, number, 0, 0, SeriesInstanceUID=""), place=2)


def _write_unborn(archive: Archive, block: Block, told: Telling) -> None:
    """Somebody born on a day that does not exist: refused; the study stays, since its patient was delivered (decisions/0183)."""
    number, study = f"X99{told.at:06d}", _uid(block, told.at, "unborn study")
    content = _file(
        block, told, number, 0, 0, StudyInstanceUID=study, SOPInstanceUID=_uid(block, told.at, "unborn instance"),
        PatientBirthDate="19990230", IssuerOfPatientID="", PatientName="Nemo^Nobody", PatientTelephoneNumbers="", PatientAddress="",
    )  # fmt: skip
    name = archive.add(content, number, study)
    archive.note("birth_date_unreadable", PLAUSIBILITY, name, 1)
