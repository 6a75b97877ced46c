"""Writing the sample: people block by block to the files of every source, and the answer key beside them."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from include.errors import PlumblineError
from include.sample import north, small_sources, south
from include.sample.answer_key import AnswerKey
from include.sample.block import Block, draw_block
from include.sample.declarations import geo_contract, registry_contract, sources_file
from include.sample.delivery import stamp
from include.sample.further_sources import FOLDERS as FURTHER
from include.sample.further_sources import FurtherSources
from include.sample.odd_files import write_odd_files
from include.sample.people import BLOCK
from include.sample.pharmacy_contract import pharmacy_contract
from include.sample.planted_identifiers import write_identifiers
from include.sample.south_contract import south_contract
from include.sample.truth import Truth

DEFAULT_SEED, DEFAULT_PEOPLE, DEFAULT_NIGHT = 20261, 2_000, date(2026, 11, 22)
MOST_PEOPLE = 20_000_000
FOLDERS = ("north", "south", "registry", "geo", *FURTHER)


class SampleError(PlumblineError):
    """The sample cannot be made as asked."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to make: where, for which first night, and how many nights later (`day`)."""

    out: Path
    seed: int = DEFAULT_SEED
    people: int = DEFAULT_PEOPLE
    night: date = DEFAULT_NIGHT
    day: int = 0

    def check(self) -> None:
        """Raise SampleError where the numbers cannot be meant."""
        if not 10 <= self.people <= MOST_PEOPLE or self.day < 0 or self.seed < 0:
            raise SampleError(
                found=f"{self.people} people, day {self.day}, seed {self.seed}",
                expected=f"10 to {MOST_PEOPLE} people, day and seed from 0",
                action="correct the arguments of `make`",
            )


def make_sample(request: Request) -> Path:
    """Write the first delivery and its answer key below `request.out`; return the path of sources.yml.

    What an earlier run wrote there is replaced. Memory holds one block of people at a time.
    """
    request.check()
    _clear(request.out)
    write_declarations(request.out)
    key, truth = AnswerKey(request.out / "answer_key"), Truth()
    key.open()
    export = north.Export(request.out / "north" / "fhir_bulk", request.night, key)
    extracts = south.Extracts(request.out / "south", key)
    registry = small_sources.Registry(request.out / "registry", key, request.night)
    further = FurtherSources(request.out, key)
    north.write_directory(export)
    first = None
    for start in range(0, request.people, BLOCK):
        block = draw_block(request.seed, start, min(BLOCK, request.people - start), request.night)
        first = first or block
        north.write_block(export, block)
        south.write_block(extracts, block)
        registry.add_block(block)
        write_identifiers(key, block, further.add_block(block))
        truth.add_block(block)
    registry.close()
    further.close()
    _finish(request, key, truth, export, extracts, first)
    return request.out / "sources.yml"


def _finish(
    request: Request, key: AnswerKey, truth: Truth, export: north.Export, extracts: south.Extracts, first: Block
) -> None:
    write_odd_files(export, first)
    export.write_deletions(
        [f"Observation/obs-{request.seed:08x}{number:04x}" for number in range(2)],
        at=f"{request.night}T00:00:00Z",
        broken={
            "bad_delete": {"request": {"method": "DELETE", "url": "Observation"}},
            "bad_entry": "Observation/obs-lost",
        },
    )
    south.note_drift(extracts)
    south.write_referrals(extracts, first)
    south.write_home_readings(extracts, first)
    export.close()
    extracts.close()
    small_sources.write_populations(request.out / "geo", key, request.night)
    stamp_files(request.out, request.night)
    key.facts = describe(request) | {"disparities": truth.gaps(), "true_rates": truth.rows()}
    key.close()


def describe(request: Request) -> dict[str, Any]:
    """Return what was asked for, as the answer key repeats it."""
    return {"seed": request.seed, "people": request.people, "night": request.night.isoformat(), "day": request.day}


def write_declarations(out: Path) -> None:
    """Write sources.yml and the contracts."""
    for path, content in (
        ("sources.yml", sources_file()),
        ("south/contract.yml", south_contract()),
        ("registry/contract.yml", registry_contract()),
        ("geo/contract.yml", geo_contract()),
        ("pharmacy/contract.yml", pharmacy_contract()),
    ):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(
            yaml.dump(content, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=140), encoding="utf-8"
        )


class _PlainDumper(yaml.SafeDumper):
    """YAML without anchors: people read it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def stamp_files(out: Path, night: date) -> None:
    """Give the files of all but the two small sources the time of their delivery."""
    for folder in ("north", "south", *FURTHER):
        for path in sorted((out / folder).rglob("*")):
            if path.is_file():
                stamp(path, night)


def _clear(out: Path) -> None:
    """Remove what an earlier run wrote; anything else that lies in the folder stays."""
    for name in (*FOLDERS, "answer_key"):
        shutil.rmtree(out / name, ignore_errors=True)
