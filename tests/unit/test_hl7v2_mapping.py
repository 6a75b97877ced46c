"""What single segments become, by HL7's v2-to-FHIR guide; the cases that other mappings get wrong first."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from include.sources.hl7v2 import mapping
from include.sources.hl7v2.context import mentioned_at
from include.sources.hl7v2.datatypes import moment
from include.sources.hl7v2.files import Options
from include.sources.items import Document, Notice
from tests.hl7v2_messages import PID, admit, message, one, resources, results
from tests.reading import read, source_of

SOURCE = source_of("hl7v2")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026", "2026"),
        ("202611", "2026-11"),
        ("20261120", "2026-11-20"),
        ("202611200830", "2026-11-20T08:30:00-05:00"),
        ("20260720083015", "2026-07-20T08:30:15-04:00"),
        ("20261120083015.1234+0100", "2026-11-20T08:30:15.1234+01:00"),
        ("20261120083015-0330^S", "2026-11-20T08:30:15-03:30"),
        ("20260229", None),
        ("20261341", None),
        ("00000000", None),
        ("yesterday", None),
        ("20261120253015", None),
        ("20261120083015+9900", None),
    ],
)
def test_times_keep_their_precision_and_zone(written, expected):
    assert moment(written, NEW_YORK) == expected


def test_a_time_without_a_zone_takes_the_header_s_then_the_source_s():
    text = admit().decode()
    with_header = one(read(source_of("hl7v2", timezone="America/New_York"), text.encode()), "Encounter")
    assert with_header["period"]["start"] == "2026-11-19T10:15:00-05:00"
    elsewhere = text.replace("20261120083000-0500", "20261120083000+0200")
    assert one(read(SOURCE, elsewhere.encode()), "Encounter")["period"]["start"] == "2026-11-19T10:15:00+02:00"
    silent = text.replace("20261120083000-0500", "20261120083000")
    source = source_of("hl7v2", timezone="America/New_York")
    assert one(read(source, silent.encode()), "Encounter")["period"]["start"] == "2026-11-19T10:15:00-05:00"


def test_a_patient_with_everything():
    patient = one(read(SOURCE, admit()), "Patient")
    assert patient["gender"] == "female"
    assert patient["birthDate"] == "1980-02-29"
    assert patient["address"] == [
        {"use": "home", "line": ["12 Oak St"], "city": "Salem", "state": "MA", "postalCode": "01970", "country": "USA"}
    ]
    assert patient["identifier"][0] == {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]},
        "system": "urn:hl7v2:clinic:GHH",
        "value": "P1",
    }
    assert patient["identifier"][1]["system"] == "http://hl7.org/fhir/sid/us-ssn"
    race = patient["extension"][0]["extension"][0]["valueCoding"]
    assert (race["system"], race["code"]) == ("urn:oid:2.16.840.1.113883.6.238", "2106-3")
    assert patient["deceasedBoolean"] is False  # PID-30
    assert patient["meta"]["lastUpdated"] == "2026-11-20T08:30:00-05:00"


def test_namespaces_get_the_systems_that_other_sources_write():
    source = source_of("hl7v2", options=Options(assigning_authorities={"GHH": "http://ghh.example/mrn"}))
    assert one(read(source, admit()), "Patient")["identifier"][0]["system"] == "http://ghh.example/mrn"


def test_a_result_message_mentions_the_patient_and_any_admission_message_is_newer():
    mentioned, told = one(read(SOURCE, results()), "Patient"), one(read(SOURCE, admit()), "Patient")
    assert mentioned["id"] == told["id"]
    assert mentioned["meta"]["lastUpdated"] == "1626-11-20T08:30:00-05:00" < told["meta"]["lastUpdated"]
    assert one(read(SOURCE, results()), "Encounter")["id"] == one(read(SOURCE, admit()), "Encounter")["id"]


def test_messages_of_one_second_are_versions_that_differ_and_keep_their_order():
    versions = [
        int(one(read(SOURCE, admit(control=control)), "Patient")["meta"]["versionId"]) for control in ("A7", "A8", "B8")
    ]
    assert versions[0] < min(versions[1:])
    assert len(set(versions)) == 3
    assert max(versions) < 10**9


def test_a_mention_is_dated_four_hundred_years_earlier():
    assert mentioned_at(None) == mentioned_at("0007-01-01T00:00:00Z") == "1600-01-01T00:00:00Z"
    assert mentioned_at("2024-02-29T10:00:00Z") == "1624-02-29T10:00:00Z"


@pytest.mark.parametrize(
    ("event", "left", "status"),
    [
        ("A01", "", "in-progress"),
        ("A03", "20261120080000", "finished"),
        ("A11", "", "cancelled"),
        ("A13", "20261120080000", "in-progress"),
        ("A05", "", "planned"),
        ("A21", "", "onleave"),
        ("A08", "20261120080000", "finished"),
    ],
)
def test_an_encounter_s_status_by_its_event(event, left, status):
    encounter = one(read(SOURCE, admit(event=event, left=left)), "Encounter")
    assert encounter["status"] == status
    assert encounter["class"]["code"] == "IMP"


def test_a_deleted_person_is_a_tombstone_that_still_says_who():
    (patient,) = [
        item
        for item in read(SOURCE, admit(event="A29"))
        if getattr(item, "resource", {}).get("resourceType") == "Patient"
    ]
    assert patient.is_deleted
    assert patient.content.startswith(b"deleted ")
    assert patient.resource["name"]


def test_results_before_and_after_a_specimen_belong_to_their_report():
    items = read(SOURCE, results())
    report = one(items, "DiagnosticReport")
    observations = resources(items, "Observation")
    assert [each["valueQuantity"]["value"] for each in observations] == [7.1, 101]
    assert report["result"] == [{"reference": f"Observation/{each['id']}"} for each in observations]
    assert report["specimen"] == [{"reference": f"Specimen/{one(items, 'Specimen')['id']}"}]
    assert (report["status"], report["issued"]) == ("final", "2026-11-19T09:30:00-05:00")
    assert observations[0]["referenceRange"] == [
        {
            "low": {"value": 4.0, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
            "high": {"value": 5.6, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
            "text": "4.0-5.6",
        }
    ]


def test_a_corrected_result_is_a_version_of_the_same_observation():
    first = resources(read(SOURCE, results()), "Observation")
    corrected = resources(read(SOURCE, results(control="R2", status="C", value="7.3")), "Observation")
    assert [each["id"] for each in corrected] == [each["id"] for each in first]
    assert {each["status"] for each in corrected} == {"corrected"}
    assert int(corrected[0]["meta"]["versionId"]) > int(first[0]["meta"]["versionId"])


def test_two_results_of_one_code_in_a_report_are_two():
    lines = ["OBR|1|O1|F1|24323-8^CMP^LN", *[f"OBX|{n}|NM|4548-4^HbA1c^LN||{n}|%||||F" for n in (1, 2)]]
    assert len({each["id"] for each in resources(read(SOURCE, message("ORU^R01", *lines)), "Observation")}) == 2


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("NM", "7.10", {"valueQuantity": {"value": 7.10, "unit": "mg"}}),
        ("NM", "<5", {"valueQuantity": {"value": 5, "comparator": "<", "unit": "mg"}}),
        ("NM", "positive", {"valueString": "positive"}),
        ("SN", ">^100", {"valueQuantity": {"value": 100, "comparator": ">", "unit": "mg"}}),
        ("SN", "^1^:^128", {"valueRatio": {"numerator": {"value": 1, "unit": "mg"}, "denominator": {"value": 128, "unit": "mg"}}}),
        ("SN", "^2^-^4", {"valueRange": {"low": {"value": 2, "unit": "mg"}, "high": {"value": 4, "unit": "mg"}}}),
        ("CWE", "260415000^none^SCT", {"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "260415000", "display": "none"}]}}),
        ("CE", "^red", {"valueCodeableConcept": {"text": "red"}}),
        ("DT", "20260101", {"valueDateTime": "2026-01-01"}),
        ("TM", "0830", {"valueTime": "08:30:00"}),
        ("FT", "one~two", {"valueString": "one\ntwo"}),
        ("XX", "a^b", {"valueString": "a b"}),
    ],
)  # fmt: skip
def test_values_by_their_type(kind, value, expected):
    observation = one(read(SOURCE, message("ORU^R01", f"OBX|1|{kind}|1-8^x^LN||{value}|mg|||||F")), "Observation")
    assert {name: told for name, told in observation.items() if name.startswith("value")} == expected


def test_a_number_keeps_its_digits():
    (item,) = [
        item
        for item in read(SOURCE, message("ORU^R01", "OBX|1|NM|1-8^x^LN||0012345678901234567.8900|mg|||||F"))
        if isinstance(item, Document) and item.resource["resourceType"] == "Observation"
    ]
    assert b'"value":12345678901234567.8900' in item.content


def test_a_merge_retires_the_prior_record_and_lets_both_meet():
    items = read(SOURCE, message("ADT^A40^ADT_A39", "MRG|OLD7^^^GHH^MR", control="M9", number=5))
    prior, survivor = sorted(resources(items, "Patient"), key=lambda each: each.get("active", True))
    assert prior["link"] == [{"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"}]
    assert {each["value"] for each in prior["identifier"]} >= {"OLD7", "P5"}
    assert prior["meta"]["lastUpdated"] == "2026-11-20T08:30:00-05:00"
    assert survivor["link"][0]["type"] == "replaces"
    later = one(read(SOURCE, admit(5)), "Patient")
    assert later["id"] == survivor["id"]


def test_a_visit_keeps_its_id_when_it_moves_to_another_record():
    moved = admit(8, event="A45").replace(b"|V8^^^GHH^VN", b"|V1^^^GHH^VN")
    assert one(read(SOURCE, moved), "Encounter")["id"] == one(read(SOURCE, admit(1)), "Encounter")["id"]


def test_a_visit_that_nothing_identifies_is_not_made_anew_by_every_result():
    items = read(SOURCE, message("ORU^R01", "PV1|1|O|CLINIC", "OBX|1|NM|1-8^x^LN||1|mg|||||F"))
    assert not resources(items, "Encounter")
    assert {item.names[0] for item in items if isinstance(item, Notice)} == {"PV1.1", "PV1.2", "PV1.3"}


def test_diagnoses_know_their_coding_method_and_rank():
    items = read(
        SOURCE, message("ADT^A01", "PV1|1|I|||||||||||||||||V1", "DG1|1|I10|E11.9|Diabetes|20261119|F|||||||||1")
    )
    condition = one(items, "Condition")
    assert condition["code"] == {
        "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E11.9"}],
        "text": "Diabetes",
    }
    assert one(items, "Encounter")["diagnosis"][0]["rank"] == 1
    assert condition["clinicalStatus"]["coding"][0]["code"] == "active"


def test_an_immunization_with_what_was_observed_of_it():
    items = read(
        SOURCE,
        message(
            "VXU^V04",
            "ORC|RE|1^EHR|77^IIS",
            "RXA|0|1|20261118||88^influenza^CVX|0.5|mL^mL^UCUM||00^New^NIP001|9^Doe^Jo||||LOT1|20270101|SKB^GSK^MVX|||CP|A",
            "RXR|IM^Intramuscular^HL70162|LD^Left Deltoid^HL70163",
            "OBX|1|CE|64994-7^Eligibility^LN|1|V01^Not eligible^HL70064||||||F",
            "OBX|2|NM|30973-2^Dose number^LN|1|2||||||F",
            "ORC|RE||78^IIS",
            "RXA|0|1|20251118||88^influenza^CVX|999|||01^Historical^NIP001|||||||||PARENT^refused^NIP002||RE|A",
        ),
    )
    given, refused_shot = resources(items, "Immunization")
    assert given["status"], given["occurrenceDateTime"] == ("completed", "2026-11-18")
    assert given["doseQuantity"]["value"] == 0.5
    assert given["protocolApplied"] == [{"doseNumberPositiveInt": 2}]
    assert given["programEligibility"][0]["coding"][0]["code"] == "V01"
    assert given["primarySource"] is True
    assert (refused_shot["status"], refused_shot["primarySource"]) == ("not-done", False)
    assert "doseQuantity" not in refused_shot
    assert len(resources(items, "Observation")) == 2


def test_prescriptions_as_ordered_encoded_and_handed_out():
    items = read(
        SOURCE,
        message(
            "RDS^O13",
            "ORC|NW|RX1^EHR|||SC||||20261118120000",
            "RXO|197361^Amlodipine 5 MG^RXNORM|5||mg",
            "RXE||197361^Amlodipine 5 MG^RXNORM|5||mg||||1|30|TAB|3|||PN1",
            "TQ1|1||QD||||20261118|20270118",
            "RXR|PO^Oral^HL70162",
            "RXD|1|197361^Amlodipine 5 MG^RXNORM|20261119|30|TAB||PN1",
        ),
    )
    ordered, encoded = resources(items, "MedicationRequest")
    assert (ordered["intent"], encoded["intent"]) == ("original-order", "order")
    assert encoded["basedOn"] == [{"reference": f"MedicationRequest/{ordered['id']}"}]
    assert encoded["dosageInstruction"][0]["timing"]["repeat"] == {
        "boundsPeriod": {"start": "2026-11-18", "end": "2027-01-18"}
    }
    assert encoded["dosageInstruction"][0]["route"]["coding"][0]["code"] == "PO"
    assert encoded["dispenseRequest"] == {"numberOfRepeatsAllowed": 3, "quantity": {"value": 30, "unit": "TAB"}}
    dispensed = one(items, "MedicationDispense")
    assert dispensed["authorizingPrescription"] == [{"reference": f"MedicationRequest/{encoded['id']}"}]


@pytest.mark.parametrize(("event", "status"), [("S12", "booked"), ("S15", "cancelled"), ("S26", "noshow")])
def test_an_appointment_is_about_its_patient(event, status):
    head = message(f"SIU^{event}").decode().split("\r")
    segments = [
        head[0],
        "SCH|1^EHR|2^SCHED|||||CHECKUP^Routine|ROUTINE|30|min|^^^20261201090000^20261201093000||||||||||||||BOOKED",
    ]
    segments += [head[1], "RGS|1", "AIS|1|A|99213^Visit^C4", "AIP|1|A|1234^Smith^Bob|D^Doctor"]
    items = read(SOURCE, "\r".join(segments).encode())
    appointment = one(items, "Appointment")
    assert (appointment["status"], appointment["minutesDuration"]) == (status, 30)
    assert appointment["start"] == "2026-12-01T09:00:00-05:00"
    assert appointment["participant"][0]["actor"] == {"reference": f"Patient/{one(items, 'Patient')['id']}"}
    assert appointment["participant"][1]["actor"]["display"] == "Bob Smith"


def test_a_note_is_one_document_of_all_its_lines():
    items = read(
        SOURCE,
        message(
            "MDM^T02",
            "TXA|1|DS^Discharge summary|TX|20261119|1234^Smith^Bob|20261119100000||||||DOC1|||||AU||AV",
            "OBX|1|TX|||First line.||||||F",
            "OBX|2|TX|||Second line.||||||F",
            "OBX|3|ED|||^application^pdf^Base64^JVBERi0=||||||F",
        ),
    )
    document = one(items, "DocumentReference")
    from base64 import b64decode

    first, second = (entry["attachment"] for entry in document["content"])
    assert b64decode(first["data"]).decode() == "First line.\nSecond line."
    assert (second["contentType"], second["data"]) == ("application/pdf", "JVBERi0=")
    assert (document["docStatus"], document["status"]) == ("final", "current")
    assert not resources(items, "Observation")


def test_insurance_and_allergies():
    items = read(
        SOURCE,
        message(
            "ADT^A01",
            "AL1|1|DA|70618^Penicillin^RXNORM|SV|Hives",
            "IN1|1|PPO^Gold|123|Medicare Advantage||||G1||||20260101|||HMO|Doe^Jo|SEL||||||||||||||||||POL9",
        ),
    )
    allergy, coverage = one(items, "AllergyIntolerance"), one(items, "Coverage")
    assert (allergy["category"], allergy["criticality"]) == (["medication"], "high")
    assert coverage["payor"][0]["display"] == "Medicare Advantage"
    assert coverage["relationship"]["coding"][0]["code"] == "self"
    assert coverage["period"] == {"start": "2026-01-01"}


FULL = {
    "PID": "PID|1|A2|A3^^^GHH^MR|A4|Doe^Jo|Maiden|19800102|F|Ali^As|2106-3|1 St^^Town^MA^02134|Essex|555|556|en|M|BUD|ACC|111|DL1^MA||H|Town|Y|2|US^United States^ISO3166||CA^Canada^ISO3166|20250101|Y||||||||||559",
    "PD1": "PD1|||Clinic|77^Smith||||||||||St Mark",
    "NK1": "NK1|1|Doe^Al|SPO|1 St|555|556|C|20250101|20260101||||Org||F|||||||||||||||Vic^Tor|557|2 St||||||||560|561",
    "PV1": "PV1|1|I|W^1|R|PRE1|W^0|1^A|2^B|3^C|MED|T^1||R|7|A0|VIP|4^D|P|V1" + "|" * 17 + "01|HOME|D||||P^1|F^1|20260101|20260105|||||ALT1||5^E",
    "PV2": "PV2|W^2||22^Pain|||||20260101|20260104||3|Visit|3^Ref||||||||||||1|||||||||||||A^Ambulance^HL70430",
    "DG1": "DG1|1|I10|E11.9|Words|20260101|F|||||||||1|9^Doc|||20260102|OWN1|A",
    "PRB": "PRB|AD|20260101|E11.9^x^I10|OWN1|||20260102||20260103||||C|Active||20260104",
    "PR1": "PR1|1|C4|99213|Words|20260101|D||1^A|||2^B|3^C|||R10||||OWN1",
    "AL1": "AL1|1|DA|70^P|SV|Hives|20260101",
    "IAM": "IAM|1|DA|70^P|SV|Hives|A|OWN1||AL||20260101||20260102||||A||||||||||91^Latex^SCT",
    "ORC": "ORC|NW|P1|F1|G1|SC||||20260101|||9^Doc",
    "OBR": "OBR|1|P1|F1|24323-8^CMP^LN|S|20260101|20260102|20260103||||||||9^Doc||||||20260104||LAB|F||||||R10|8&Path||4&Tech|5&Typist|||||||||99^Alt",
    "OBX": "OBX|1|NM|4548-4^x^LN|2|7|%|4-6|H|||F|||20260101|L1^Lab One|9^Tech|M1|DEV1||ARM|OWN1||Lab||6^Boss",
    "SPM": "SPM|1|S1|PS1|BLD||HEPL|VEN|ARM|||P|5^mL||Red|||20260101|20260102||Y||||HEM|||TUBE|||ACC1|X1^^^L|SH1",
    "NTE": "NTE|1||words||7^Doc|20260101",
    "TQ1": "TQ1|1||BID||||20260101|20260102|S",
    "RXO": "RXO|197361^x^RXNORM|5|6|mg||Give|Take||G||30|TAB|3|9^Doc||||||R10",
    "RXE": "RXE|^QD^^20260101^20260102|197361^x^RXNORM|5|6|mg||Take||G|30|TAB|3|9^Doc||PN1||||||Label||2|mL/h|||Spec",
    "RXD": "RXD|1|197361^x^RXNORM|20260101|30|TAB|DF|PN1||Note|9^Doc",
    "RXR": "RXR|PO|ARM||M1",
    "RXA": "RXA|0|1|20260101|20260102|88^flu^CVX|0.5|mL||01^Hist^NIP001|9^Doc|^^^Clinic||||LOT|20270101|SKB|R1||CP|A||||||^^^Clinic2",
    "TXA": "TXA|1|DS|TX|20260101|1^A|20260102|||2^B|9^Sig||DOC1|DOC0|P1|F1|file|AU|R|AV|||3^C|||Title",
    "IN1": "IN1|1|PPO^Gold|123|Medicare||||G1|Group|E1^^^GHH|Works|20260101|20270101||HMO|Doe^Jo|SPO|19750228|2 St|||2||||||||||||||POL9|||||||F||||||INS1",
    "SCH": "SCH|P1|F1||||Moved|Check|ROUTINE|30|min|^^^20260101090000^20260101093000|8^Caller||||9^Filler||||9^Clerk|||||BOOKED",
    "AIS": "AIS|1|A|99213^v^C4|20260101090000|||45|min",
    "AIG": "AIG|1|A|Scope|||||20260101090000",
    "AIL": "AIL|1|A|^^^Clinic|C||20260101090000",
    "AIP": "AIP|1|A|9^Doc|D||20260101090000",
    "IN2": "IN2|N1^^^GHH|078051120||||M1||M2||M3||||||||||||||||||||||||es|||||||||||||||||||||||||||M4||562|||||||||CHD",
    "GT1": "GT1|1|G1^^^GHH|Doe^Pa||3 St|563|564|19500101|M||FTH|078051121|20260101|20270101|||||||Trust|||||||||||||||fr",
    "ROL": "ROL|ROLE77|AD|PP^Primary^HL70443|77^Smith|20260101|20270101|||GP|||565|W^3|Clinic",
    "PRT": "PRT|PART77|AD||AP^Attending^HL70912|77^Smith|GP||Clinic|W^3|Scope|20260101|20270101|||566|UDI1",
    "RXC": "RXC|B|N1^x^NDC|4|mg|5|mg|^Brand|6|mL",
    "FT1": "FT1|1|T1||20260101|20260102|CG|99213^v^C4|||2|100&USD|50&USD|RAD||||||R10|9^Doc||||8^Clerk|71045^x^C4||||N1^y^NDC||||||||||||||5^mg",
    "PDA": "PDA|I21^MI^I10|||20260102|1^Cert|Y|20260101^20260102|2^Aut",
    "EVN": "EVN|A08|20260101080000||01^Patient request^HL70062|77^Clerk^Al|20260101070000|Desk^1.2.3^ISO",
    "RF1": "RF1|A|S|LAB||O|P1^GHH|20260101|20260201|20260102|S^Second opinion|X1^OUT|||Weak knee|||||Clinic|9^Doc||||Call first|A",
    "PRD": "PRD|RT^Referred to|Doe^Ann^^^Dr||W^1|556||N1^NPI|20260101|20260201|Clinic",
    "CTD": "CTD|C^Emergency contact|Doe^Sue|1 St^^Town||557",
    "ACC": "ACC|20260101|AU^Auto^HL70050|Crossing||Y|N|9^Doc||Fell off a ladder|Y|1 St^^Town|AC1",
    "MRG": "MRG|OLD1^^^GHH^MR|||OLD2|OLDV",
}  # fmt: skip
# Numbers of segments, ways of counting and actions that only order or annul.
STRUCTURE = {
    "PID": {24, 30},
    "RXA": {1, 2, 4, 9},
    "TXA": {1, 4},
    "IN1": {1, 49, 22},
    "NTE": {1},
    "PRB": {7},
    "PV2": {8, 9},
    "FT1": {1},
    "GT1": {1},
}
BESIDE = {
    "RXA": ["ORC|RE|1|2"],
    "RXR": ["RXO|1^x|1"],
    "TQ1": ["RXO|1^x|1"],
    "NTE": ["OBX|1|NM|1^x||1"],
    "AIS": ["SCH|1|2"],
    "AIG": ["SCH|1|2"],
    "AIL": ["SCH|1|2"],
    "AIP": ["SCH|1|2"],
    "PV2": ["PV1|1|I|||||||||||||||||V1"],
    "DG1": ["PV1|1|I|||||||||||||||||V1"],
    "SPM": ["OBR|1|P1|F1|c"],
    "ORC": [],
    "GT1": [],
    "IN2": ["IN1|1|PPO|123|||||||||||||Doe^Jo|SPO"],
    "RXC": ["RXO|1^x|1"],
    "PRT": ["OBX|1|NM|1^x||1"],
    "PRD": ["RF1|A|S|LAB|||P1^GHH"],
}
# Where nothing said means the same as what FULL says.
OTHER = {
    "AIS.8": "h",
    "DG1.21": "D",
    "IAM.6": "D",
    "IAM.9": "IN",
    "IAM.17": "I",
    "ORC.5": "CM",
    "PRB.14": "Inactive",
    "ORC.1": "CA",
    "PRB.13": "P",
    "PRB.1": "DE",
    "RXA.20": "RE",
    "RXA.21": "D",
    "SCH.10": "h",
    "SCH.25": "PENDING",
    "TXA.19": "OB",
    "FT1.6": "PY",
    "ROL.2": "DE",
    "PRT.2": "DE",
    "RF1.25": "D",
}
SPARE = {
    "NK1": {30, 32},
    "OBR": {44},
    "GT1": {21},
    "FT1": {12, 25, 43},
    "RXA": {11},
    "TXA": {10},
    "RXC": {3, 4},
    "IN2": {72},
}  # taken in where the usual field is empty, else counted
KINDS = {
    "OBR": ("ORU^R01", "ORM^O01"),
    "TXA": ("MDM^T02",),
    "MRG": ("ADT^A40", "ADT^A42"),
    "SCH": ("SIU^S12", "SIU^S15"),
}


@pytest.mark.parametrize("name", sorted(set(mapping.FIELDS) - {"MSH", "RGS"}))
def test_every_field_said_to_be_taken_in_changes_what_comes_out(name):
    """A field that is called mapped and is not would vanish without being counted."""
    assert name in FULL
    idle = (
        {1}
        if name not in ("RF1", "PRD", "CTD", "ACC", "RXO", "RXE", "RXR", "PRB", "ORC", "SCH", "MRG", "RXD")
        else set()
    )
    for number in sorted(mapping.FIELDS[name] - idle - STRUCTURE.get(name, set()) - SPARE.get(name, set())):
        assert any(matters(name, number, kind) for kind in KINDS.get(name, ("ADT^A08", "RDE^O11"))), f"{name}.{number}"


def matters(name: str, number: int, kind: str) -> bool:
    fields = FULL[name].split("|")
    assert number < len(fields) and fields[number], f"the test's own {name} says nothing in {number}"
    without = "|".join(value if at != number else "" for at, value in enumerate(fields))
    other = "|".join(value if at != number else OTHER.get(f"{name}.{number}", "") for at, value in enumerate(fields))
    full = documents_with(name, FULL[name], kind)
    return full != documents_with(name, without, kind) or full != documents_with(name, other, kind)


def documents_with(name: str, segment: str, kind: str) -> list:
    head = message(kind).decode().strip("\r").split("\r")
    if name == "PID":
        lines = [head[0], segment]
    else:
        after = ["OBR|1|||24323-8^CMP^LN", "RXO|1^x|1"] if name == "ORC" else []
        lines = [*head, *BESIDE.get(name, []), segment, *after]
    items = read(SOURCE, "\r".join(lines).encode())
    return [
        json.loads(item.content.removeprefix(b"deleted ")) | {"gone": item.is_deleted}
        for item in items
        if isinstance(item, Document)
    ]


def test_the_guarantor_of_an_account_is_a_person_of_its_own_unless_it_is_the_patient():
    account = PID_WITH_ACCOUNT
    items = read(
        SOURCE,
        message("ADT^A04", "GT1|1|G7^^^GHH|Roe^Sam||9 Elm St^^Salem^MA|555-0100||19700101|M||FTH").replace(*account),
    )
    person, told = one(items, "RelatedPerson"), one(items, "Account")
    assert person["name"] == [{"family": "Roe", "given": ["Sam"]}]
    assert told["guarantor"] == [{"party": {"reference": f"RelatedPerson/{person['id']}"}}]
    own = read(SOURCE, message("ADT^A04", "GT1|1|G7^^^GHH|Quackenbush^Zeb||||||||SEL").replace(*account))
    assert not resources(own, "RelatedPerson")
    assert one(own, "Account")["guarantor"][0]["party"] == {"reference": f"Patient/{one(own, 'Patient')['id']}"}
    assert ("GT1.3",) in [item.names for item in own if isinstance(item, Notice)]


PID_WITH_ACCOUNT = (b"|||M|||078-05-1120", b"|||M||ACC9|078-05-1120")


def test_roles_belong_to_what_stands_before_them():
    general, attending = "ROL|R1|AD|PP^Primary^HL70443|7^Gray^Ann", "ROL|R2|AD|AT^Attending^HL70443|8^Webb^Tom"
    visit = "PV1|1|I|||||||||||||||||V1^^^GHH"
    items = read(SOURCE, message("ADT^A01", general, visit, attending, "PR1|1||0DTJ4ZZ^x^I10P", attending))
    by_code = {role["code"][0]["coding"][0]["code"]: [] for role in resources(items, "PractitionerRole")}
    for role in resources(items, "PractitionerRole"):
        by_code[role["code"][0]["coding"][0]["code"]].append({"reference": f"PractitionerRole/{role['id']}"})
    assert one(items, "Patient")["generalPractitioner"] == by_code["PP"]
    (participant,) = one(items, "Encounter")["participant"]
    assert [participant["individual"]] == by_code["AT"][:1]
    assert [each["actor"] for each in one(items, "Procedure")["performer"]] == by_code["AT"][1:]


def test_a_participation_before_its_order_waits_for_it_and_is_counted_where_none_comes():
    ordered = read(SOURCE, message("OML^O21", "ORC|NW|P1", "PRT|1|AD||OP^Orderer^HL70912|7^Gray^Ann", "OBR|1|P1||CMP"))
    assert one(ordered, "ServiceRequest")["requester"]["reference"].startswith("PractitionerRole/")
    lost = read(SOURCE, message("OML^O21", "ORC|NW|P1", "PRT|1|AD||OP^Orderer^HL70912|7^Gray^Ann"))
    assert ("PRT.5",) in [item.names for item in lost if isinstance(item, Notice)]


def test_a_mixture_is_a_medication_that_its_order_refers_to():
    items = read(
        SOURCE,
        message(
            "RDE^O11",
            "ORC|NW|P1",
            "RXE||D5KCL^D5W with KCl^L|1||bag",
            "RXC|B|D5^Dextrose 5%^L|1000|mL",
            "RXC|A|KCL^Potassium chloride^L|20|mmol",
        ),
    )
    order, mixture = one(items, "MedicationRequest"), one(items, "Medication")
    assert order["medicationReference"] == {"reference": f"Medication/{mixture['id']}"}
    assert "medicationCodeableConcept" not in order
    assert mixture["code"]["coding"][0]["code"] == "D5KCL"
    assert [(each["isActive"], each["strength"]["numerator"]["value"]) for each in mixture["ingredient"]] == [
        (False, 1000),
        (True, 20),
    ]


def test_a_charge_is_one_and_a_payment_is_none():
    charge = "FT1|1|T77||20261120||{kind}|99213^Visit^C4|||1|150&USD||||||||E11.9^x^I10"
    told = one(read(SOURCE, message("DFT^P03", charge.format(kind="CG"))), "ChargeItem")
    assert told["priceOverride"] == {"value": 150, "currency": "USD"}
    assert told["reason"][0]["coding"][0]["code"] == "E11.9"
    paid = read(SOURCE, message("DFT^P03", charge.format(kind="PY")))
    assert not resources(paid, "ChargeItem")
    assert ("FT1.11",) in [item.names for item in paid if isinstance(item, Notice)]


def test_who_has_a_death_segment_is_dead_even_where_pid_says_otherwise():
    items = read(SOURCE, message("ADT^A03", "PDA|I21.9^Infarction^I10||Y|20261121|9^Coroner|N"))
    assert one(items, "Patient")["deceasedBoolean"] is True
    cause, autopsy = resources(items, "Observation")
    assert cause["valueCodeableConcept"]["coding"][0]["code"] == "I21.9"
    assert (autopsy["code"]["coding"][0]["code"], autopsy["valueCodeableConcept"]["coding"][0]["code"]) == (
        "85699-7",
        "N",
    )


@pytest.mark.parametrize(
    ("section", "code", "category"),
    [
        ("LAB", "4548-4^HbA1c^LN", "laboratory"),
        ("RAD", "18782-3^Impression^LN", "imaging"),
        ("LAB", "8867-4^Heart rate^LN", "vital-signs"),
        ("", "72166-2^Smoking^LN", "social-history"),
        ("", "44261-6^PHQ-9^LN", "survey"),
        ("", "4548-4^HbA1c^LN", None),
        ("LAB", "8867-4^not LOINC^L", "laboratory"),
        ("PHY", "X1^own^L", None),
    ],
)
def test_what_kind_of_observation_by_code_then_by_service_and_never_guessed(section, code, category):
    items = read(SOURCE, message("ORU^R01", f"OBR|1|P1|F1|CMP{'|' * 20}{section}|F", f"OBX|1|NM|{code}||7|%|||||F"))
    told = one(items, "Observation").get("category")
    assert (told and told[0]["coding"][0]["code"]) == category


def test_the_insured_is_a_related_person_with_what_in2_adds():
    items = read(
        SOURCE,
        message(
            "ADT^A04",
            "IN1|1|PPO|123|Acme Health||||||E5^^^ACME|Acme Works|||||Quackenbush^Lou|SPO^Spouse^HL70063|19791231|12 Oak St^^Salem^MA",
            "IN2||078051121||||1EG4TE5MK73",
        ),
    )
    insured, coverage = one(items, "RelatedPerson"), one(items, "Coverage")
    assert insured["birthDate"] == "1979-12-31"
    assert insured["identifier"][0]["value"] == "078051121"
    assert coverage["subscriber"] == {"reference": f"RelatedPerson/{insured['id']}", "display": "Lou Quackenbush"}
    assert coverage["policyHolder"]["display"] == "Acme Works"
    assert coverage["identifier"][0]["value"] == "1EG4TE5MK73"


def test_a_link_of_two_records_is_one_of_its_own_that_an_unlink_deletes():
    second = PID.format(number=6).replace("078-05-1120", "078-05-6666")
    (linked,) = [each for each in people(message("ADT^A24", second, number=5)) if "link" in each[0]]
    assert [each["type"] for each in linked[0]["link"]] == ["seealso", "seealso"]
    assert {each["value"] for each in linked[0]["identifier"]} == {"P5", "P6"}
    (undone,) = [each for each in people(message("ADT^A37", PID.format(number=5), number=6)) if "link" in each[0]]
    assert (undone[0]["id"], linked[1], undone[1]) == (linked[0]["id"], False, True)
    told, mentioned = one(read(SOURCE, admit(5)), "Patient"), people(message("ADT^A24", second, number=5))[0][0]
    assert mentioned["id"] == told["id"] and mentioned["meta"]["lastUpdated"] < told["meta"]["lastUpdated"]


def people(content: bytes) -> list[tuple[dict, bool]]:
    return [
        (item.resource, item.is_deleted)
        for item in read(SOURCE, content)
        if isinstance(item, Document) and item.resource["resourceType"] == "Patient"
    ]


def test_a_device_that_took_part_is_the_result_s_and_the_rest_of_its_role_is_counted():
    items = read(SOURCE, message("ORU^R01", "OBX|1|NM|1^x||1", "PRT|1|AD||EQUIP^Equipment^HL70912||||||SCOPE7"))
    assert one(items, "Observation")["device"]["display"] == "SCOPE7"
    counted = [item.names for item in items if isinstance(item, Notice)]
    assert ("PRT.4",) in counted and ("PRT.10",) not in counted


REFERRAL = (
    "MSH|^~\\&|ADTAPP|GHH|EHR|GHH|20261120083000-0500||REF^I12^REF_I12|C1|P|2.5.1",
    "RF1|P^Pending|R^Routine|MED^Medical^HL70281|||226^GHH|20261101|20261201|20261102|S^Second opinion^HL70336|11001^EXT",
    "PRD|RP^Referring Provider^HL70286|Powell^Robert^^^Dr|||^WPN^PH^^^626^5551234||N1^NPI^CA|20200112|20270112|Good Health",
    "CTD|C^Emergency Contact^HL70131|Abbot^Adam|1 Lane^^Town^MI||^WPN^PH^^^626^5551235",
    "CTD|I^Insurer^HL70131|Insurer^Ira",
    "PRD|RT^Referred to Provider^HL70286|McWilliams^Paul|||||N2^NPI^CA|||Radiant",
    "PRD|PP^Primary Care Provider^HL70286|Care^Pia|||||N3^NPI^CA",
    PID.format(number=7),
    "OBR|1|||22310-7^HP^LN",
    "PV1|1|O|CLINIC||||||||||||||||V7^^^GHH^VN",
    "NTE|1||About the test",
)


def test_a_referral_waits_for_its_patient_and_has_its_providers():
    items = read(SOURCE, "\r".join(REFERRAL).encode())
    (patient,), requests, roles = (resources(items, name) for name in ("Patient", "ServiceRequest", "PractitionerRole"))
    (referral,) = [each for each in requests if each.get("identifier")]
    by_code = {role["code"][0]["coding"][0]["code"]: f"PractitionerRole/{role['id']}" for role in roles}
    assert (referral["status"], referral["priority"], referral["intent"]) == ("on-hold", "routine", "order")
    assert referral["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert referral["encounter"] == {"reference": f"Encounter/{one(items, 'Encounter')['id']}"}
    assert [each["value"] for each in referral["identifier"]] == ["226", "11001"]
    assert referral["occurrencePeriod"] == {"start": "2026-11-01", "end": "2026-12-01"}
    assert referral["requester"] == {"reference": by_code["RP"]}
    assert referral["performer"] == [{"reference": by_code["RT"]}]
    assert patient["generalPractitioner"] == [{"reference": by_code["PP"]}]
    assert [contact["name"]["family"] for contact in patient["contact"]] == ["Abbot"]
    assert "note" not in referral
    unmapped = {name: each.count for each in items if isinstance(each, Notice) for name in each.names}
    assert {name for name in unmapped if name.startswith("CTD")} == {"CTD.1", "CTD.2"}


def test_a_provider_without_a_referral_is_left_and_counted_unless_it_looks_after_the_patient():
    items = read(SOURCE, message("ADT^A08", "PRD|RT|Doe^Al|||||N1", "PRD|PP|Care^Pia|||||N3"))
    assert len(one(items, "Patient")["generalPractitioner"]) == 1
    assert "PRD.2" in {name for each in items if isinstance(each, Notice) for name in each.names}


def test_an_event_is_told_with_who_entered_it_and_belongs_to_its_patient():
    items = read(SOURCE, message("ADT^A01", EVENT, "PV1|1|I|W" + "|" * 16 + "V1"))
    told, patient = one(items, "Provenance"), one(items, "Patient")
    assert told["target"][0] == {"reference": f"Patient/{patient['id']}"}
    assert told["target"][1]["reference"].startswith("Encounter/")
    assert told["recorded"] == "2026-11-20T09:00:00-05:00"
    assert told["occurredDateTime"] == "2026-11-20T07:00:00-05:00"
    assert told["agent"] == [
        {"who": {"identifier": {"system": "urn:hl7v2:clinic:id", "value": "77"}, "display": "Al Clerk"}}
    ]


EVENT = "EVN|A01|20261120090000|20261121|01|77^Clerk^Al|20261120070000|Desk"


def test_an_event_that_says_no_more_than_its_message_leaves_nothing():
    items = read(SOURCE, message("ADT^A01", "EVN|A01|20261120083000-0500"))
    assert resources(items, "Provenance") == []
    assert not [name for each in items if isinstance(each, Notice) for name in each.names if name.startswith("EVN")]


def test_planned_times_of_events_are_counted():
    items = read(SOURCE, message("ADT^A14", EVENT))
    assert "EVN.3" in {name for each in items if isinstance(each, Notice) for name in each.names}


def test_an_accident_is_an_observation_of_what_happened():
    accident = "ACC|20261119|AU^Auto^HL70050|Route 50||Y|N|9^Doc||Hit a tree|Y|Route 50^^Town^VA|AC1"
    items = read(SOURCE, message("ADT^A01", "PV1|1|E|W" + "|" * 16 + "V1", accident, "NTE|1||Of nobody"))
    told = one(items, "Observation")
    assert told["code"]["coding"][0]["code"] == "11374-6"
    assert (told["effectiveDateTime"], told["valueString"]) == ("2026-11-19", "Hit a tree")
    assert told["encounter"]["reference"].startswith("Encounter/")
    assert {each["code"]["text"] for each in told["component"]} == {
        "kind",
        "place",
        "job related",
        "death",
        "police notified",
    }


def test_a_claimed_disability_answers_none_of_the_six_questions():
    items = read(SOURCE, message("ADT^A01", "DB1|1|PT|D1|Y|20260101|20260201"))
    assert resources(items, "Observation") == []
    assert "DB1.4" in {name for each in items if isinstance(each, Notice) for name in each.names}


@pytest.mark.parametrize("written", ["1e999", "-2E+400"])
def test_a_number_that_no_double_can_hold_stays_text(written):
    told = one(read(SOURCE, message("ORU^R01", "OBR|1|||1^x^LN", f"OBX|1|NM|1^x^LN||{written}||||||F")), "Observation")
    assert "valueQuantity" not in told
    assert told["valueString"] == written
