"""A later delivery: what changed since the one before. New people, corrections, deletions, late arrivals, repeats."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from shutil import rmtree

import orjson

from include.sample import north, south
from include.sample.answer_key import DUPLICATE, AnswerKey, Defect
from include.sample.block import Block, draw_block
from include.sample.codes import UNMEASURED
from include.sample.csv_defects import line_of
from include.sample.csv_tables import HEADERS, Row, table_rows
from include.sample.fhir_defects import STRUCTURAL
from include.sample.further_sources import write_later
from include.sample.make import Request, SampleError, describe, stamp_files
from include.sample.people import BLOCK, NEWCOMERS
from include.sample.planted_identifiers import write_identifiers
from include.sample.truth import Truth

MOST_DAYS = 700
NORTH_DEFECTS = ("malformed_json", "value_impossible_hba1c", "subject_unknown", "date_in_future")
SOUTH_DEFECTS = ("wrong_column_count", "value_impossible", "february_30")
CORRECTED, DELETED, REPEATED, LATE = 24, 8, 10, 12


def make_next_night(request: Request) -> Path:
    """Replace the deliveries below `request.out` by those of `request.day` nights later; return the path of sources.yml.

    The registry, the populations, pictures and notes stay as they are. The key goes to `answer_key/day_<n>/`.
    """
    request.check()
    if not (request.out / "sources.yml").exists():
        raise SampleError(
            found="no first delivery in the folder",
            expected="the folder of an earlier `make`, to deliver changes of it",
            action="run `make` without --day and --next-night first",
        )
    night = request.night + timedelta(days=request.day)
    for folder in ("north/fhir_bulk", "south"):
        _empty(request.out / folder)
    key = AnswerKey(request.out / "answer_key" / f"day_{request.day}")
    key.open()
    export = north.Export(request.out / "north" / "fhir_bulk", night, key)
    extracts = south.Extracts(request.out / "south", key, suffix=f"_{night:%Y%m%d}")
    count = max(1, request.people // 100)
    newcomers = draw_block(request.seed, NEWCOMERS + request.day % MOST_DAYS * 10_000, min(count, 9_999), night)
    known = draw_block(request.seed, 0, min(BLOCK, request.people), request.night)
    truth = Truth()
    truth.add_block(newcomers)
    write_identifiers(key, newcomers)
    north.write_block(export, newcomers)
    south.write_block(extracts, newcomers)
    changes = _Changes(known, request, night)
    changes.write_north(export)
    changes.write_south(extracts)
    changes.made |= write_later(request.out, key, known, request.day, night)
    export.close()
    extracts.close()
    stamp_files(request.out, night)
    key.amber += [
        {"kind": "stale_source", "source": "registry"},
        {"kind": "held_back_batch", "source": "south", "dataset": "home_readings"},
        *({"kind": "absent_file", "source": "south", "dataset": name} for name in south.FIRST_NIGHT_ONLY),
    ]
    south.note_drift(extracts)
    key.facts = describe(request) | {
        "night_of_delivery": night.isoformat(),
        "changes": changes.made,
        "newcomers": truth.rows(),
    }
    key.close()
    return request.out / "sources.yml"


def _empty(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.name != "contract.yml":
            rmtree(path) if path.is_dir() else path.unlink()


class _Changes:
    """What happens to records of known people; each day takes other ones."""

    def __init__(self, block: Block, request: Request, night: date) -> None:
        self.block, self.request, self.night = block, request, night
        self.made: dict[str, dict[str, int]] = {"north": {}, "south": {}}

    def write_north(self, export: north.Export) -> None:
        """Write corrected values, a moved patient, late results, repeats and deletions."""
        observations = [
            each
            for each in north.writers(self.request.night)["Observation"](self.block)
            if "valueQuantity" in each and each["code"]["coding"][0]["code"] in UNMEASURED
        ]
        chosen = self._choose(observations, CORRECTED + DELETED + REPEATED + LATE)
        corrected, rest = chosen[:CORRECTED], chosen[CORRECTED:]
        deleted, repeated, models = rest[:DELETED], rest[DELETED : DELETED + REPEATED], rest[DELETED + REPEATED :]
        at = f"{self.night.isoformat()}T00:00:00Z"
        for each in corrected:
            value = each["valueQuantity"] | {"value": round(each["valueQuantity"]["value"] + 0.1, 2)}
            export.write(
                "Observation",
                orjson.dumps(
                    each
                    | {"meta": {"versionId": "2", "lastUpdated": at}, "status": "corrected", "valueQuantity": value}
                ),
            )
        for number, each in enumerate(models):
            export.write("Observation", orjson.dumps(each | {"id": f"obs-late-{self.request.day}-{number}"}))
        for number, (kind, each) in enumerate(zip(NORTH_DEFECTS, models, strict=False)):
            export.add_defect("Observation", kind, each, NEWCOMERS + self.request.day * 100 + number)
        for each in repeated:
            place = export.write("Observation", orjson.dumps(each))
            where = (north.SOURCE, north.DATASET, "Observation.ndjson.gz", place)
            export.key.add_defect(Defect("repeated", STRUCTURAL, *where, DUPLICATE, record=f"Observation/{each['id']}"))
        export.write_deletions([f"Observation/{each['id']}" for each in deleted], at=at)
        moved = self._move_patients(export, at)
        self.made["north"] = {
            "corrected": len(corrected) + len(moved),
            "late": len(models),
            "repeated": len(repeated),
            "deleted": len(deleted),
        }

    def _move_patients(self, export: north.Export, at: str) -> list[dict]:
        """Write three patients again, with another telephone."""
        moved = self._choose(list(north.writers(self.request.night)["Patient"](self.block)), 3)
        for each in moved:
            contact = [{"system": "phone", "value": f"(617) 555-0{100 + self.request.day % 100}", "use": "home"}]
            export.write(
                "Patient",
                orjson.dumps(each | {"meta": each["meta"] | {"versionId": "2", "lastUpdated": at}, "telecom": contact}),
            )
        return moved

    def write_south(self, extracts: south.Extracts) -> None:
        """Write corrected, cancelled, late and repeated laboratory results, and corrected heights (of a row with many parts)."""
        tables = table_rows(self.block)
        vitals, place = list(tables["vitals"]), HEADERS["vitals"].index("height_cm")
        taller = self._choose([row for row in vitals if row[place]], CORRECTED // 4)
        extracts.write_rows("vitals", _with_cells(taller, table="vitals", height_cm=None))
        labs = [row for row in tables["labs"] if row[3] in ("CREA", "HGB")]
        chosen = self._choose(labs, CORRECTED + DELETED + REPEATED + LATE)
        corrected, rest = chosen[:CORRECTED], chosen[CORRECTED:]
        cancelled, repeated, models = rest[:DELETED], rest[DELETED : DELETED + REPEATED], rest[DELETED + REPEATED :]
        extracts.write_rows("labs", _with_cells(corrected, value=None, result_status="C"))
        extracts.write_rows("labs", _with_cells(cancelled, result_status="X"))
        extracts.write_rows(
            "labs", ([f"Llate{self.request.day}x{number}", *row[1:]] for number, row in enumerate(models))
        )
        for number, (kind, row) in enumerate(zip(SOUTH_DEFECTS, models, strict=False)):
            extracts.add_defect("labs", kind, row, f"Llate{self.request.day}d{number}")
        for row in repeated:
            place = extracts.write("labs", line_of(row))
            extracts.key.add_defect(
                Defect(
                    "repeated", STRUCTURAL, south.SOURCE, "labs", extracts.name("labs"), place, DUPLICATE, record=row[0]
                )
            )
        self.made["south"] = {
            "corrected": len(corrected) + len(taller),
            "late": len(models),
            "repeated": len(repeated),
            "deleted": len(cancelled),
        }

    def _choose(self, records: list, wanted: int) -> list:
        """Pick records spread over the block, other ones each day; fewer where there are few."""
        wanted = min(wanted, len(records) // 2)
        if not wanted:
            return []
        step = len(records) // wanted
        return list(islice(records[self.request.day % step :: step], wanted))


def _with_cells(rows: list[Row], *, table: str = "labs", **cells: str | None) -> Iterator[Row]:
    """Rows of a table with other cells; None adds a little to the number there."""
    header = HEADERS[table]
    for row in rows:
        changed = dict(zip(header, row, strict=True))
        for name, value in cells.items():
            changed[name] = f"{float(changed[name]) + 0.1:.2f}" if value is None else value
        yield list(changed.values())
