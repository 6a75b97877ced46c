"""Odd files of the north's export: one named after a patient, one cut off in transfer, and what the server could not export."""

import numpy as np
import orjson

from include.sample.answer_key import QUARANTINED, Defect, PlantedIdentifier
from include.sample.block import Block
from include.sample.fhir_defects import STRUCTURAL
from include.sample.north import DATASET, SOURCE, Export
from include.sample.people import NORTH

COMMENTS, LOST = 6, 400
LOST_FILE = "Procedure.002.ndjson.gz"


def write_odd_files(export: Export, block: Block) -> None:
    """Write them, about one of the block's patients; a block without any in the north gets none."""
    known = [
        at for at in np.flatnonzero(block.people.hospitals & NORTH).tolist() if block.identities[at].family.isascii()
    ]
    if known:
        _write_named_file(export, block, known[0])
        _write_cut_file(export, block, known[0])
        _write_errors(export, block, known[0])


def _write_named_file(export: Export, block: Block, at: int) -> None:
    who, person = block.identities[at], int(block.people.number[at])
    name = f"{who.family.replace(' ', '_')}_{who.given}"
    comment = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8251-1", "display": "Service comment"}]},
        "subject": {"reference": f"Patient/{block.patient_ids[at]}"},
        "effectiveDateTime": str(max(block.people.history_start[at], block.people.history_end[at] - 30)),
    }
    lines = [
        orjson.dumps(
            comment
            | {
                "id": f"obs-comment-{number}",
                "valueString": f"{who.full_name} asks for a copy; call {who.phone}. Part {number}.",
            }
        )
        for number in range(COMMENTS)
    ]
    export.write_whole("Observation", f"Observation.{name}.ndjson.gz", lines)
    export.key.counts[SOURCE, DATASET].received += COMMENTS
    export.key.types["Observation"].received += COMMENTS
    export.key.add_identifier(PlantedIdentifier(person, "full_name", who.full_name, where="Observation.valueString"))
    export.key.add_identifier(PlantedIdentifier(person, "file_name", name, where="file name"))


def _write_cut_file(export: Export, block: Block, at: int) -> None:
    """Nothing in it is needed elsewhere, so that losing it moves no number."""
    lost = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": f"Patient/{block.patient_ids[at]}"},
    }
    lines = [
        orjson.dumps(lost | {"id": f"pro-lost-{number}", "code": {"text": f"Lost {number * 7919 % 104729}"}})
        for number in range(LOST)
    ]
    export.write_whole("Procedure", LOST_FILE, lines, keep_share=0.6)
    export.key.counts[SOURCE, DATASET].received += 1
    reasons = ("truncated_gzip", "broken_gzip")
    export.key.add_defect(
        Defect(
            "truncated_gzip", STRUCTURAL, SOURCE, DATASET, LOST_FILE, 0, QUARANTINED, reasons, record="the whole file"
        )
    )


def _write_errors(export: Export, block: Block, at: int) -> None:
    """The server's words on what it left out name the patient."""
    who = block.identities[at]
    issue = {
        "severity": "error",
        "code": "exception",
        "diagnostics": f"CarePlan of {who.full_name} ({who.north_mrn}) timed out",
    }
    export.write_errors([{"resourceType": "OperationOutcome", "issue": [issue]}])
    planted = PlantedIdentifier(int(block.people.number[at]), "full_name", who.full_name, where="manifest error file")
    export.key.add_identifier(planted)
