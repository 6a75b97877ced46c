"""The north's delivery: a FHIR R4 Bulk Data export with its manifest, its deletions, and what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import orjson

from include.sample import fhir_care, fhir_people, fhir_visits
from include.sample.answer_key import AMBER, QUARANTINED, AnswerKey, Defect, PlantedIdentifier
from include.sample.block import Block
from include.sample.codes import UNMEASURED
from include.sample.defect_plan import plan_defects
from include.sample.delivery import DeliveredFile
from include.sample.fhir_defects import BY_KIND, SAME_ID, STRUCTURAL, kinds_for
from include.sample.randomness import stream
from include.sample.traps import MOST_TRAPS, identifier, traps_for

SOURCE, DATASET = "north", "resource"


def writers(night: date) -> dict[str, Callable[[Block], Iterator[dict]]]:
    """Return for each resource type how a block of people is written."""
    return {
        "Patient": lambda block: fhir_people.patients(block, updated=f"{night.isoformat()}T00:00:00Z"),
        "Coverage": fhir_people.coverages,
        "Encounter": fhir_visits.encounters,
        "Observation": fhir_visits.observations,
        "Condition": fhir_care.conditions,
        "MedicationRequest": fhir_care.medication_requests,
        "Procedure": fhir_care.procedures,
        "Immunization": fhir_care.immunizations,
        "AllergyIntolerance": fhir_care.allergies,
        "DiagnosticReport": fhir_care.diagnostic_reports,
        "DocumentReference": fhir_care.documents,
    }


@dataclass
class Export:
    """A Bulk Data export being written to `folder`; every line is counted in the answer key."""

    folder: Path
    night: date
    key: AnswerKey
    files: dict[str, DeliveredFile] = field(default_factory=dict)
    manifest: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def file(self, resource_type: str) -> DeliveredFile:
        """The file of a type, opened when first asked for."""
        if resource_type not in self.files:
            self.files[resource_type] = DeliveredFile(self.folder / f"{resource_type}.ndjson.gz")
            self.manifest.append((resource_type, f"{resource_type}.ndjson.gz"))
        return self.files[resource_type]

    def write(self, resource_type: str, line: bytes) -> int:
        """Add a line to the file of a type and return its number."""
        self.key.counts[SOURCE, DATASET].received += 1
        self.key.types[resource_type].received += 1
        return self.file(resource_type).write(line)

    def write_whole(self, resource_type: str, name: str, lines: list[bytes], *, keep_share: float = 1.0) -> None:
        """Write a further small file of a type at once; `keep_share` below 1 cuts it off."""
        file = DeliveredFile(self.folder / name)
        for line in lines:
            file.write(line)
        file.close(keep_share=keep_share)
        self.manifest.append((resource_type, name))
        self.key.hashes[SOURCE, name] = file.sha256

    def add_defect(self, resource_type: str, kind: str, model: dict, number: int) -> None:
        """Write the defective copy of a good resource, and write it down."""
        defect = BY_KIND[kind]
        id = model["id"] if kind in SAME_ID else f"{model['id'].split('-')[0]}-d{number:011x}"
        place = self.write(resource_type, defect.make(model | {"id": id}))
        self.key.add_defect(
            Defect(
                kind,
                defect.family,
                SOURCE,
                DATASET,
                f"{resource_type}.ndjson.gz",
                place,
                defect.handling,
                defect.reason_codes,
                record=f"{resource_type}/{id}" if kind != "missing_id" else "",
            )
        )

    def write_deletions(self, references: list[str], *, at: str, broken: Mapping[str, Any] | None = None) -> None:
        """Write the bundle of deletions, one line. `broken` are entries that say no deletion, by their kind of defect."""
        entries = [{"request": {"method": "DELETE", "url": reference}} for reference in references]
        for kind, entry in (broken or {}).items():
            entries.append(entry)
            self.key.counts[SOURCE, DATASET].received += 1
            self.key.add_defect(
                Defect(kind, STRUCTURAL, SOURCE, DATASET, "deleted.ndjson.gz", len(entries), QUARANTINED, (kind,))
            )
        bundle = {"resourceType": "Bundle", "type": "transaction", "timestamp": at, "entry": entries}
        file = DeliveredFile(self.folder / "deleted.ndjson.gz")
        file.write(orjson.dumps(bundle))
        file.close()
        self.key.hashes[SOURCE, "deleted.ndjson.gz"] = file.sha256
        self.key.counts[SOURCE, DATASET].received += len(references)

    def write_errors(self, outcomes: list[dict]) -> None:
        """Write what the server could not export: no records, so the night says that the export is not whole."""
        name = "errors.ndjson"
        (self.folder / name).write_bytes(b"".join(orjson.dumps(outcome) + b"\n" for outcome in outcomes))
        self.errors.append(name)
        self.key.amber.append({"kind": "export_errors", "source": SOURCE})
        self.key.add_defect(
            Defect("export_errors", "shape", SOURCE, DATASET, name, 0, AMBER, ("export_errors",), records=0)
        )

    def close(self) -> None:
        """Close all files and write the manifest; it names what the folder holds."""
        for resource_type, file in self.files.items():
            file.close()
            self.key.hashes[SOURCE, f"{resource_type}.ndjson.gz"] = file.sha256
        manifest = {
            "transactionTime": f"{self.night.isoformat()}T00:00:00Z",
            "request": "https://north.example.org/fhir/$export",
            "requiresAccessToken": True,
            "output": [{"type": kind, "url": name} for kind, name in self.manifest],
            "deleted": [{"type": "Bundle", "url": "deleted.ndjson.gz"}]
            if (self.folder / "deleted.ndjson.gz").exists()
            else [],
            "error": [{"type": "OperationOutcome", "url": name} for name in self.errors],
        }
        (self.folder / "manifest.json").write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")


def write_directory(export: Export) -> None:
    """Write the hospital itself: organizations, places, clinicians."""
    for resource in fhir_care.directory():
        export.write(resource["resourceType"], orjson.dumps(resource))


def write_block(export: Export, block: Block) -> None:
    """Write a block of people with defects among their resources and identifiers in odd places."""
    for resource_type, write in writers(export.night).items():
        rng = stream(block.seed, f"defects {resource_type}", int(block.people.number[0]))
        resources = list(write(block))
        plan = plan_defects(rng, kinds_for(resource_type), len(resources))
        trapped = _lay_traps(export.key, block, resource_type, resources, rng)
        for place, resource in enumerate(resources):
            export.write(resource_type, orjson.dumps(resource))
            if place in plan and place not in trapped:
                for turn, kind in enumerate(plan[place]):
                    number = (
                        int(block.people.number[0]) * 100_000_000
                        + crc32(resource_type.encode()) % 89 * 1_000_000
                        + place * 8
                        + turn
                    )
                    export.add_defect(resource_type, kind, resource, number % (1 << 44))


def _lay_traps(
    key: AnswerKey, block: Block, resource_type: str, resources: list[dict], rng: np.random.Generator
) -> set[int]:
    """Hide identifiers of the resources' own people in some of them; return their places."""
    people = {f"Patient/{id}": at for at, id in enumerate(block.patient_ids)}
    trapped: set[int] = set()
    for trap in traps_for(resource_type):
        for place in rng.integers(0, max(len(resources), 1), MOST_TRAPS).tolist():
            if place in trapped or place >= len(resources) or _is_resent(resources[place]):
                continue
            resource = resources[place]
            subject = resource.get("subject") or resource.get("patient") or {"reference": f"Patient/{resource['id']}"}
            at = people[subject["reference"]]
            value = identifier(block.identities[at], trap.kind)
            if value:
                trap.hide(resource, value)
                trapped.add(place)
                key.add_identifier(PlantedIdentifier(int(block.people.number[at]), trap.kind, value, where=trap.where))
    return trapped


def _is_resent(resource: dict) -> bool:
    """Findings that a later night may send again unchanged; a trap in them would make the repeat another record."""
    return resource["resourceType"] == "Observation" and resource["code"]["coding"][0]["code"] in UNMEASURED
