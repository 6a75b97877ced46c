"""Kind dicom: files of DICOM instances in any folder, with or without .dcm; headers only.

Words of its own in sources.yml: ``identifier_system``, the system of patients' numbers whose issuer the headers do not
tell, as the other sources call it. Without it such numbers meet those of no other source.

Every file yields two documents, placed 1 and 2: its Patient, and an ImagingStudy with the one series and the one instance that
the file is. They are small, so that instances may arrive in any order and on any night: the study is the set of its
instances, put together by ``combine`` and, in the warehouse, by the model of imaging studies (decisions/0660).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from include.sources.byte_stream import read_blocks
from include.sources.declared import Complaints
from include.sources.dicom_elements import MOST_UNPACKED, read_header
from include.sources.dicom_study import (
    DIRECTORY,
    RISK_URL,
    RISKS,
    Facts,
    describe_instance,
    describe_patient,
    read_facts,
)
from include.sources.items import Item, Notice, broken, refuse
from include.sources.listing import Landed, Listing, OpenStream, SourceFile, file_type, number, walk_files
from include.sources.resource_checks import judge_resource

if TYPE_CHECKING:
    from include.sources.registry import Source

HAS_CONTRACT = False
WORDS = {"identifier_system"}
_PATIENT_PLACE, _INSTANCE_PLACE = 1, 2


def place_word(file: Landed) -> str:
    """What ``place`` counts in such a file: its patient is part 1, its instance part 2."""
    return "part"


def read_options(entry: dict, where: str, folder: Path, complaints: Complaints) -> str | None:
    """The system of numbers without an issuer, None where none is declared."""
    system = entry.get("identifier_system")
    if system is not None and (not isinstance(system, str) or not system.strip()):
        complaints.add(f"{where}: 'identifier_system' is not a text")
    return system


def patient_id(known_as: str) -> str:
    """What records call a person whom headers know as ``number``, or ``issuer^number``."""
    from include.sources.dicom_study import id_of_number

    return id_of_number(known_as)


def list_files(source: Source) -> Listing:
    """Every file of the folder but directories of media (DICOMDIR): instances often have names without an extension."""
    paths, passed_over = walk_files(source.path, source.files)
    instances = [path for path in paths if not path.name.upper().startswith("DICOMDIR")]
    files = [
        SourceFile(path, is_gzip=path.name.lower().endswith(".gz"), file_type=file_type(path.name))
        for path in instances
    ]
    return Listing(files=number(files), ignored=passed_over + len(paths) - len(instances))


def read(source: Source, open_stream: OpenStream, file: Landed) -> Iterator[Item]:
    """Yield the Patient and the instance of a file, or a Reject where the instance cannot be told apart from others.

    Raises BrokenContainerError on a file that is not DICOM, ends early, or cannot be unpacked or decoded.
    """
    with open_stream() as stream:
        blocks = _bounded(read_blocks(stream, is_named_gzip=file.is_gzip), file.is_gzip)
        header = read_header(blocks, most_header=source.max_record_bytes)
    facts = read_facts(header, source.zone, source.options or "")
    if facts.sop_class == DIRECTORY:
        yield Notice("dicom_directory", 1)
    elif not facts.has_uids:
        yield refuse(_INSTANCE_PLACE, "missing_uid", header.meta + header.elements, resource_type="ImagingStudy")
    else:
        yield from _documents(facts)


def _documents(facts: Facts) -> Iterator[Item]:
    patient = describe_patient(facts)
    for place, resource in ((_PATIENT_PLACE, patient), (_INSTANCE_PLACE, describe_instance(facts))):
        if resource is not None:
            yield judge_resource(place, orjson.dumps(resource), resource, None)


def _bounded(blocks: Iterator[bytes], is_packed: bool) -> Iterator[bytes]:
    """The blocks, unless a packed file unpacks to more than any instance holds."""
    size = 0
    for block in blocks:
        size += len(block)
        if is_packed and size > MOST_UNPACKED:
            raise broken("unpacks_without_end")
        yield block


def combine(resources: Iterable[dict]) -> list[dict]:
    """The ImagingStudies of single instances as one resource a study, series and instances in the order of their numbers.

    Takes what ``read`` yields, in any order and with repeats, and gives the same whatever the order. Other resources pass
    as they are, repeats once.
    """
    others: dict[bytes, dict] = {}
    studies: dict[tuple[str, str], dict[str, dict]] = {}
    for resource in resources:
        if resource.get("resourceType") == "ImagingStudy" and resource.get("series"):
            key = (resource["identifier"][0]["value"], resource.get("subject", {}).get("reference", ""))
            uid = resource["series"][0]["instance"][0]["uid"]
            known = studies.setdefault(key, {})
            known[uid] = min((known[uid], resource), key=orjson.dumps) if uid in known else resource
        else:
            others.setdefault(orjson.dumps(resource), resource)
    return [*others.values(), *(_combine_study(list(known.values())) for _, known in sorted(studies.items()))]


def combine_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The same for lines of JSON, holding less than a kilobyte an instance: headers, which are for the sealed record, are left out."""
    others: set[bytes] = set()
    studies: dict[tuple[str, str], list[bytes]] = {}
    for line in lines:
        resource = orjson.loads(line)
        if resource.get("resourceType") != "ImagingStudy":
            if line not in others:
                others.add(line)
                yield line
            continue
        resource["extension"] = [part for part in resource["extension"] if part["url"] == RISK_URL]
        key = (resource["identifier"][0]["value"], resource.get("subject", {}).get("reference", ""))
        studies.setdefault(key, []).append(orjson.dumps(resource))
    for _, instances in sorted(studies.items()):
        yield from map(orjson.dumps, combine(map(orjson.loads, instances)))


def _combine_study(instances: list[dict]) -> dict:
    instances.sort(key=orjson.dumps)
    uid = instances[0]["identifier"][0]["value"].removeprefix("urn:oid:")
    series: dict[str, dict] = {}
    for each in (instance["series"][0] for instance in instances):
        known = series.setdefault(each["uid"], {**each, "instance": []})
        known["instance"].extend(each["instance"])
    for each in series.values():
        each["instance"].sort(key=_by_number)
        each["numberOfInstances"] = len(each["instance"])
    modalities = {orjson.dumps(each["modality"]): each["modality"] for each in series.values() if "modality" in each}
    study = {**instances[0], "id": uid, "numberOfSeries": len(series), "numberOfInstances": len(instances)}
    study.pop("extension", None)
    starts = [instance["started"] for instance in instances if "started" in instance]
    return study | {
        **({"started": min(starts)} if starts else {}),
        "extension": _highest_risk(instances),
        "modality": [modality for _, modality in sorted(modalities.items())],
        "series": sorted(series.values(), key=_by_number),
    }


def _by_number(part: dict) -> tuple[int, str]:
    return part.get("number", 1 << 31), part["uid"]


def _highest_risk(instances: list[dict]) -> list[dict]:
    """The strongest of the instances' words on names in the pixels."""
    from include.sources.dicom_study import RISK_URL

    said = {part["valueCode"] for each in instances for part in each["extension"] if part["url"] == RISK_URL}
    return [{"url": RISK_URL, "valueCode": min(said, key=RISKS.index)}]
