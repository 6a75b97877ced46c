"""What a DICOM header says, as FHIR: its Patient, and the ImagingStudy of its one instance.

Only tags that ``include/policies/dicom.yml`` names are decoded. The whole header goes along as bytes in an extension that no
classification lists, so that it is sealed with the record. Attributes are those of PS3.3, the mapping to ImagingStudy is
FHIR R4's own (http://hl7.org/fhir/R4/imagingstudy-mappings.html).
"""

from __future__ import annotations

import base64
import io
import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from urllib.parse import quote
from zoneinfo import ZoneInfo

from include.sources.dicom_elements import Header
from include.sources.dicom_policy import BurnedInPolicy, load_dicom_policy
from include.sources.items import broken

DIRECTORY = "1.2.840.10008.1.3.10"
UID_SYSTEM = "urn:dicom:uid"
RISK_URL = "urn:plumbline:dicom:burned-in-annotation"
HEADER_URL = "urn:plumbline:dicom:header"
RISKS = ("declared", "suspected", "not suspected", "denied")  # from the strongest to the weakest
_DICOM_CODES = "http://dicom.nema.org/resources/ontology/DCM"
_SNOMED = "http://snomed.info/sct"
_SYSTEMS = {
    "SCT": _SNOMED, "SRT": None, "SNM3": None, "DCM": _DICOM_CODES, "LN": "http://loinc.org", "C4": "http://www.ama-assn.org/go/cpt",
    "I10": "http://hl7.org/fhir/sid/icd-10", "RADLEX": "http://radlex.org",
}  # fmt: skip
_UID = re.compile(r"[0-9][0-9.]{0,62}[0-9]")
_MEDIA_CLASS = re.compile(rb"\x02\x00\x02\x00UI..([0-9.]+)", re.DOTALL)
_DATE = re.compile(r"(\d{4})[.]?(\d\d)[.]?(\d\d)")
_TIME = re.compile(r"(\d\d):?(?:(\d\d):?(?:(\d\d)(?:\.(\d{1,6}))?)?)?")
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)")
_NUMBER = re.compile(r"[+-]?\d{1,12}")
_SEX = {"M": "male", "F": "female", "O": "other"}
# PS3.16 Annex L: body parts whose term is not the name of the concept; all others are found by it.
_BODY_PARTS = {
    "CSPINE": "CervicalSpine", "TSPINE": "ThoracicSpine", "LSPINE": "LumbarSpine", "LSSPINE": "LumboSacralSpine",
    "TLSPINE": "ThoracoLumbarSpine", "CTSPINE": "CervicoThoracicSpine", "SSPINE": "Sacrum", "ANKLE": "AnkleJoint",
    "ELBOW": "ElbowJoint", "WRIST": "WristJoint", "ARM": "UpperArm", "LEG": "LowerLeg", "WHOLEBODY": "EntireBody",
    "KIDNEY": "EndoRenal", "HEADNECK": "HeadAndNeck", "CHESTABDOMEN": "ChestAndAbdomen", "ABDOMENPELVIS": "AbdomenAndPelvis",
    "CHESTABDPELVIS": "ChestAbdomenAndPelvis", "IAC": "InternalAuditoryCanal", "TMJ": "TemporomandibularJoint",
}  # fmt: skip

# pydicom quotes values in its log and its warnings; neither may reach ours.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Facts:
    """The allowed tags of a header by keyword: texts (several values as a tuple), and items of sequences as mappings."""

    said: Mapping[str, object]
    header: Header
    zone: ZoneInfo
    default_system: str = ""

    def text(self, keyword: str) -> str:
        """The value, the first of several, or '' where there is none."""
        value = self.said.get(keyword, "")
        value = value[0] if isinstance(value, tuple) else value
        return value if isinstance(value, str) else ""

    def texts(self, keyword: str) -> tuple[str, ...]:
        """All values."""
        value = self.said.get(keyword, ())
        return value if isinstance(value, tuple) else (value,)

    @property
    def sop_class(self) -> str:
        """UID of the kind of object; a directory of media says it in group 2 only."""
        found = self.text("SOPClassUID") or _MEDIA_CLASS.search(self.header.meta)
        return found if isinstance(found, str) else found[1].decode() if found else ""

    @property
    def has_uids(self) -> bool:
        """Whether study, series and instance can be told apart from others."""
        names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        return all(_UID.fullmatch(self.text(name)) for name in names)

    @property
    def patient_id(self) -> str | None:
        """What the source's person is called in references: its number with who issued it; the study where it has none."""
        number = self.text("PatientID")
        if number:
            return id_of_number(f"{self._issuer}^{number}" if self._issuer else number)
        has_identity = any(self.text(name).strip("^ ") for name in ("PatientName", "PatientBirthDate"))
        return f"study-{self.text('StudyInstanceUID')}" if has_identity else None

    @property
    def _issuer(self) -> str:
        return self.issuer_oid or self.text("IssuerOfPatientID")

    @property
    def issuer_oid(self) -> str:
        """The OID or other universal id of who issued the patient's number; '' where not told."""
        items = self.said.get("IssuerOfPatientIDQualifiersSequence") or ({},)
        return items[0].get("UniversalEntityID", "") if isinstance(items[0], dict) else ""


def id_of_number(number: str) -> str:
    """A patient's number, ``issuer^number`` where it names an issuer, as an id."""
    return quote(number, safe="")[:255]


def read_facts(header: Header, zone: ZoneInfo, default_system: str = "") -> Facts:
    """Decode the allowed tags. ``default_system`` is that of patients' numbers without an issuer. Raises BrokenContainerError where the elements cannot be decoded."""
    from pydicom.datadict import keyword_for_tag
    from pydicom.filereader import read_dataset

    _be_lenient()
    uses = load_dicom_policy().uses
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = read_dataset(
                io.BytesIO(header.elements), header.is_implicit, header.is_little, specific_tags=list(uses)
            )
            said = {keyword_for_tag(tag): _value_of(data, tag) for tag in uses if tag in data}
    except Exception:  # pydicom raises whatever its decoding meets; its words would quote the value
        raise broken("unreadable_header") from None
    return Facts({keyword: value for keyword, value in said.items() if value}, header, zone, default_system)


@lru_cache(maxsize=1)
def _be_lenient() -> None:
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE


def _value_of(data, tag: int) -> object:
    element = data[tag]
    if element.VR == "SQ":
        return tuple(_item_of(item) for item in element.value or ())
    value = element.value
    if element.VM > 1 and not isinstance(value, (str, bytes)):
        return tuple(_plain(each) for each in value)
    return _plain(value)


def _item_of(item) -> dict[str, str]:
    return {each.keyword: _plain(each.value) for each in item if each.keyword and each.VR != "SQ" and each.VM <= 1}


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str(value).replace("\0", "").encode("utf-8", "replace").decode().strip()


def describe_patient(facts: Facts) -> dict | None:
    """The Patient of an instance; None where the header says nothing of whom it shows."""
    patient_id = facts.patient_id
    if patient_id is None:
        return None
    started = _moment(facts, "Study")
    patient = {
        "resourceType": "Patient",
        "id": patient_id,
        # A later study tells better who somebody is now.
        "meta": {"lastUpdated": started if "T" in started else f"{started}T00:00:00Z"} if started else None,
        "identifier": _identifiers(facts),
        "name": _names(facts.text("PatientName")),
        "gender": _SEX.get(facts.text("PatientSex").upper()),
        "birthDate": _date(facts.text("PatientBirthDate")) or facts.text("PatientBirthDate"),
        "telecom": [{"system": "phone", "value": value} for value in facts.texts("PatientTelephoneNumbers") if value],
        "address": _address(facts.text("PatientAddress")),
    }
    return {name: value for name, value in patient.items() if value}


def _identifiers(facts: Facts) -> list[dict]:
    system = (
        facts.issuer_oid and f"urn:oid:{facts.issuer_oid}" or facts.text("IssuerOfPatientID") or facts.default_system
    )
    found = [{"system": system, "value": facts.text("PatientID")}] if facts.text("PatientID") else []
    for item in facts.said.get("OtherPatientIDsSequence", ()):
        if isinstance(item, dict) and item.get("PatientID"):
            found.append({"system": item.get("IssuerOfPatientID", ""), "value": item["PatientID"]})
    return [{name: part for name, part in each.items() if part} for each in found]


def _names(said: str) -> list[dict]:
    """The groups of a person's name (PS3.5 6.2.1): alphabetic, ideographic, phonetic; each family^given^middle^prefix^suffix."""
    names = []
    for group in said.split("=")[:3]:
        family, given, middle, prefix, suffix = (part.strip() for part in (group.split("^") + [""] * 5)[:5])
        name = {"family": family, "given": [*given.split(), *middle.split()], "prefix": [prefix], "suffix": [suffix]}
        name = {
            word: [each for each in part if each] if isinstance(part, list) else part for word, part in name.items()
        }
        if name["family"] or name["given"]:
            names.append({word: part for word, part in name.items() if part})
    return names


def _address(said: str) -> list[dict]:
    if not said:
        return []
    found = re.search(r"\b(\d{5})(?:-\d{4})?\s*(?:USA?)?\s*$", said)
    return [{"text": said, **({"postalCode": found[1]} if found else {})}]


def describe_instance(facts: Facts) -> dict:
    """The ImagingStudy of one instance: its id is the instance's, its identifier the study's."""
    patient_id, modality = facts.patient_id, _modality(facts)
    procedure = [{"coding": [coding]} for coding in _codings(facts, "ProcedureCodeSequence")]
    study = {
        "resourceType": "ImagingStudy",
        "id": facts.text("SOPInstanceUID"),
        "identifier": _study_identifiers(facts),
        "status": "available",
        "modality": [modality] if modality else None,
        "subject": {"reference": f"Patient/{patient_id}"} if patient_id else None,
        "started": _moment(facts, "Study") or _moment(facts, "Series") or facts.text("StudyDate"),
        "procedureCode": procedure,
        "numberOfSeries": 1,
        "numberOfInstances": 1,
        "series": [_series(facts, modality)],
        "extension": [
            {"url": RISK_URL, "valueCode": burned_in_risk(facts, load_dicom_policy().burned_in)},
            {
                "url": HEADER_URL,
                "valueBase64Binary": base64.b64encode(facts.header.meta + facts.header.elements).decode(),
            },
        ],
    }
    return {name: value for name, value in study.items() if value}


def _study_identifiers(facts: Facts) -> list[dict]:
    study = {"system": UID_SYSTEM, "value": f"urn:oid:{facts.text('StudyInstanceUID')}"}
    accession = facts.text("AccessionNumber")
    code = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}
    return [study, {"type": {"coding": [code]}, "value": accession}] if accession else [study]


def _series(facts: Facts, modality: dict | None) -> dict:
    side = facts.text("ImageLaterality") or facts.text("Laterality")
    series = {
        "uid": facts.text("SeriesInstanceUID"),
        "number": _number(facts.text("SeriesNumber")),
        "modality": modality,
        "numberOfInstances": 1,
        "bodySite": _body_site(facts),
        "laterality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": side}
        if side in ("R", "L", "B", "U")
        else None,
        "started": _moment(facts, "Series"),
        "instance": [
            {
                "uid": facts.text("SOPInstanceUID"),
                "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{facts.sop_class}"},
                **({"number": number} if (number := _number(facts.text("InstanceNumber"))) is not None else {}),
            }
        ],
    }
    return {name: value for name, value in series.items() if value is not None and value != ""}


def _modality(facts: Facts) -> dict | None:
    code = facts.text("Modality").upper()
    return {"system": _DICOM_CODES, "code": code} if code else None


def _body_site(facts: Facts) -> dict | None:
    coded = [coding for coding in _codings(facts, "AnatomicRegionSequence") if coding["system"] == _SNOMED]
    if coded:
        return coded[0]
    return body_part(facts.text("BodyPartExamined"))


def body_part(term: str) -> dict | None:
    """The SNOMED CT coding of a defined term of BodyPartExamined (PS3.16 Annex L); None for words of one's own."""
    letters = re.sub(r"[^A-Z]", "", term.upper())
    found = _concepts().get(_BODY_PARTS.get(letters, letters).upper())
    return {"system": _SNOMED, "code": found[0], "display": found[1]} if found else None


@lru_cache(maxsize=1)
def _concepts() -> dict[str, tuple[str, str]]:
    """Concepts of the anatomic context groups (PS3.16 CID 4 and 4031), by their name."""
    from pydicom.sr._concepts_dict import concepts

    return {
        name.upper(): (code, meaning)
        for name, codes in concepts["SCT"].items()
        for code, (meaning, groups) in codes.items()
        if 4 in groups or 4031 in groups
    }


def _codings(facts: Facts, keyword: str) -> list[dict]:
    items = [item for item in facts.said.get(keyword, ()) if isinstance(item, dict)]
    codings = []
    for item in items:
        scheme, code = item.get("CodingSchemeDesignator", ""), item.get("CodeValue") or item.get("LongCodeValue")
        if code:
            system = _SYSTEMS.get(scheme.upper()) or f"urn:plumbline:dicom:scheme:{quote(scheme, safe='')}"
            coding = {"system": system, "code": code, "display": item.get("CodeMeaning")}
            codings.append({name: part for name, part in coding.items() if part})
    return codings


def burned_in_risk(facts: Facts, policy: BurnedInPolicy) -> str:
    """How likely the pixels show a name, one of RISKS. A kind of picture that usually does is suspected even where it is denied."""
    said = facts.text("BurnedInAnnotation").upper()
    if said == "YES":
        return "declared"
    kinds = {value.upper() for value in facts.texts("ImageType")}
    if (
        facts.text("Modality").upper() in policy.modalities
        or facts.sop_class in policy.sop_classes
        or facts.text("ConversionType").upper() in policy.conversion_types
        or kinds & policy.image_types
    ):
        return "suspected"
    return "denied" if said == "NO" else "not suspected"


def _number(said: str) -> int | None:
    return int(said) if _NUMBER.fullmatch(said) else None


def _date(said: str) -> str:
    """YYYY-MM-DD of a DICOM date (PS3.5 DA, and its older form with full stops); '' for what is none."""
    found = _DATE.fullmatch(said)
    if not found:
        return ""
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return ""


def _moment(facts: Facts, what: str) -> str:
    """When the study or series began, in FHIR's form: with its time and zone where both are told, else the day, else ''."""
    day, found = _date(facts.text(f"{what}Date")), _TIME.fullmatch(facts.text(f"{what}Time"))
    if not day or not found:
        return day
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    try:
        local = datetime.fromisoformat(day).replace(hour=hour, minute=minute, second=min(second, 59))
        return local.replace(tzinfo=_zone(facts)).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return day


def _zone(facts: Facts) -> timezone | ZoneInfo:
    found = _OFFSET.fullmatch(facts.text("TimezoneOffsetFromUTC"))
    if not found or int(found[2]) > 14 or int(found[3]) > 59:
        return facts.zone
    minutes = int(found[2]) * 60 + int(found[3])
    return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
