"""Broken copies of table rows: each takes a good row and returns the line that should be refused, or counted."""

from collections.abc import Callable
from dataclasses import dataclass

from include.sample.answer_key import DUPLICATE, LOADED, QUARANTINED
from include.sample.contract_words import LONGEST_TEXT
from include.sample.csv_tables import HEADERS, Row
from include.sample.fhir_defects import COUNTED, PLAUSIBILITY, STRUCTURAL

Cells = dict[str, str]


@dataclass(frozen=True, slots=True)
class CsvDefect:
    """A kind of defect: in which tables it is planted, how, and under which reasons it may be refused."""

    kind: str
    family: str
    tables: tuple[str, ...]
    make: Callable[[Cells, str], bytes]
    reason_codes: tuple[str, ...]
    handling: str = QUARANTINED


STATUS = {
    "visits": "visit_status",
    "labs": "result_status",
    "prescriptions": "rx_status",
    "procedures": "proc_status",
    "immunizations": "shot_status",
}
CODE = {
    "diagnoses": "icd10",
    "labs": "test_code",
    "prescriptions": "rxnorm",
    "procedures": "snomed",
    "immunizations": "cvx",
}
WHEN = {
    "visits": "started",
    "diagnoses": "onset",
    "labs": "collected",
    "procedures": "done_at",
    "immunizations": "given_on",
    "vitals": "taken_at",
}
TEXT = {
    "patients": "payer_cd",
    "visits": "disposition",
    "diagnoses": "dx_text",
    "labs": "unit",
    "prescriptions": "drug",
}
TABLES = (
    "patients",
    "visits",
    "diagnoses",
    "vitals",
    "labs",
    "screenings",
    "prescriptions",
    "procedures",
    "immunizations",
)
ABOUT_PEOPLE = TABLES[1:]


def line_of(cells: Row) -> bytes:
    """Return a row as one line of CSV, quoted where it must be."""
    plain = ",".join(cells)
    if plain.count(",") == len(cells) - 1 and '"' not in plain and "\n" not in plain:
        return plain.encode()
    return ",".join(_quoted(cell) for cell in cells).encode()


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\n\r') else cell


def _line(cells: Cells) -> bytes:
    return line_of(list(cells.values()))


def _set(columns: dict[str, str], value: str) -> Callable[[Cells, str], bytes]:
    return lambda cells, table: _line(cells | {columns[table]: value})


def _day(cells: Cells, table: str, day: str) -> bytes:
    """Put another day into the time of the event, keeping the hour where there is one."""
    column = WHEN[table]
    changed = {column: day + cells[column][10:]}
    if table == "visits":
        changed["ended"] = day + cells["ended"][10:].replace(cells["ended"][10:], cells[column][10:])
    return _line(cells | changed)


def _on(day: str) -> Callable[[Cells, str], bytes]:
    return lambda cells, table: _day(cells, table, day)


def _one_year_shorter(cells: Cells, _: str) -> bytes:
    started = cells["started"]
    return _line(cells | {"ended": f"{int(started[:4]) - 1}{started[4:]}"})


def _key(cells: Cells) -> str:
    return next(iter(cells))


def _raw_bytes(bad: bytes) -> Callable[[Cells, str], bytes]:
    return lambda cells, table: _line(cells | {TEXT[table]: "x@@x"}).replace(b"x@@x", b"x" + bad + b"x")


def _changed(cells: Cells, table: str) -> bytes:
    return _line(cells | {TEXT[table]: cells[TEXT[table]] + " "})


def _impossible(cells: Cells, table: str) -> bytes:
    if table == "vitals":
        return _line(cells | {"sbp": "900", "dbp": "80"})
    return _line(cells | {"test_code": "A1C", "value": "250", "unit": "%"})


def _cells(**values: str) -> Callable[[Cells, str], bytes]:
    return lambda cells, _: _line(cells | values)


def _temperature_in_fahrenheit(cells: Cells, _: str) -> bytes:
    return _line(cells | {"temp_c": "98.4"})


DEFECTS = (
    CsvDefect(
        "birth_before_1890", PLAUSIBILITY, ("patients",), _cells(birth_date="1800-01-01"), ("birth_before_1890",)
    ),
    CsvDefect(
        "death_before_birth", PLAUSIBILITY, ("patients",), _cells(death_date="1891-03-04"), ("death_before_birth",)
    ),
    CsvDefect("death_in_future", PLAUSIBILITY, ("patients",), _cells(death_date="2038-01-19"), ("death_in_future",)),
    CsvDefect(
        "wrong_column_count", STRUCTURAL, TABLES, lambda cells, _: _line(cells) + b",,1", ("wrong_column_count",)
    ),
    CsvDefect("value_impossible", PLAUSIBILITY, ("vitals", "labs"), _impossible, ("value_impossible",)),
    CsvDefect("end_before_start", PLAUSIBILITY, ("visits",), _one_year_shorter, ("end_before_start",)),
    CsvDefect(
        "value_impossible_diastolic",
        PLAUSIBILITY,
        ("vitals",),
        lambda cells, _: _line(cells | {"sbp": "128", "dbp": "820"}),
        ("value_impossible",),
    ),
    CsvDefect("value_in_another_unit", PLAUSIBILITY, ("vitals",), _temperature_in_fahrenheit, ("value_impossible",)),
    CsvDefect(
        "resolved_before_onset", PLAUSIBILITY, ("diagnoses",), _cells(resolved="1891-03-04"), ("end_before_start",)
    ),
    CsvDefect(
        "recorded_in_future", PLAUSIBILITY, ("diagnoses",), _cells(recorded="2038-01-19"), ("recorded_in_future",)
    ),
    CsvDefect("duplicate", STRUCTURAL, TABLES, lambda cells, _: _line(cells), (), DUPLICATE),
    CsvDefect(
        "birth_in_future",
        PLAUSIBILITY,
        ("patients",),
        lambda cells, _: _line(cells | {"birth_date": "2041-05-17", "death_date": ""}),
        ("birth_in_future",),
    ),
    CsvDefect(
        "subject_unknown",
        PLAUSIBILITY,
        ABOUT_PEOPLE,
        lambda cells, _: _line(cells | {"patient_id": "S99" + cells["patient_id"][3:]}),
        ("subject_unknown",),
    ),
    CsvDefect(
        "bad_value_type",
        STRUCTURAL,
        ("vitals", "labs"),
        lambda cells, table: _line(cells | {("sbp" if table == "vitals" else "value"): "see note"}),
        ("bad_value_type",),
    ),
    CsvDefect("decimal_comma", STRUCTURAL, ("labs",), _cells(value="6,1"), ("bad_value_type",)),
    CsvDefect("day_before_month", STRUCTURAL, ("patients",), _cells(birth_date="17/05/1987"), ("bad_value_type",)),
    CsvDefect("february_30", STRUCTURAL, tuple(WHEN), _on("2026-02-30"), ("bad_value_type",)),
    CsvDefect(
        "status_missing", PLAUSIBILITY, tuple(STATUS), _set(STATUS, ""), ("status_missing", "missing_required_value")
    ),
    CsvDefect(
        "duplicate_id", STRUCTURAL, ("visits", "diagnoses", "labs", "prescriptions"), _changed, ("duplicate_id",)
    ),
    CsvDefect("code_missing", PLAUSIBILITY, tuple(CODE), _set(CODE, ""), ("code_missing", "missing_required_value")),
    CsvDefect(
        "missing_key",
        STRUCTURAL,
        TABLES,
        lambda cells, _: _line(cells | {_key(cells): ""}),
        ("missing_key", "missing_required_value"),
    ),
    CsvDefect(
        "missing_required_value",
        STRUCTURAL,
        ABOUT_PEOPLE,
        lambda cells, _: _line(cells | {"patient_id": ""}),
        ("missing_required_value", "subject_missing"),
    ),
    CsvDefect("invalid_utf8", STRUCTURAL, tuple(TEXT), _raw_bytes(b"\xff\xfe"), ("invalid_utf8", "invalid_encoding")),
    CsvDefect("nul_character", STRUCTURAL, tuple(TEXT), _raw_bytes(b"\x00"), ("nul", "nul_character")),
    CsvDefect(
        "over_long",
        STRUCTURAL,
        ("visits", "diagnoses", "prescriptions"),
        _set(TEXT, "long " * (LONGEST_TEXT // 4)),
        ("over_long_field", "over_long"),
    ),
    CsvDefect("date_in_future", PLAUSIBILITY, tuple(WHEN), _on("2038-01-19"), ("date_in_future",)),
    CsvDefect(
        "date_before_birth",
        PLAUSIBILITY,
        ("labs", "vitals", "immunizations"),
        _on("1891-03-04"),
        ("date_before_birth",),
    ),
    CsvDefect(
        "unit_missing",
        COUNTED,
        ("labs",),
        _cells(test_code="HGB", value="13.1", unit=""),
        ("Observation.unitGiven.value",),
        LOADED,
    ),
    CsvDefect(
        "visit_unknown",
        COUNTED,
        ("labs",),
        _cells(test_code="HGB", value="13.1", unit="g/dL", visit_id="V99999999999"),
        ("Observation.isForeignKey.encounter_ref",),
        LOADED,
    ),
)
BY_KIND = {defect.kind: defect for defect in DEFECTS}
SAME_KEY = ("duplicate", "duplicate_id", "missing_key")


def kinds_for(table: str) -> list[str]:
    """The kinds of defect planted in a table, in the order in which they are planted."""
    return [defect.kind for defect in DEFECTS if table in defect.tables]


def break_row(kind: str, table: str, row: Row, new_key: str) -> bytes:
    """Return the defective line made after a good row; it gets a key of its own unless repeating the key is the defect."""
    cells = dict(zip(HEADERS[table], row, strict=False))
    if kind not in SAME_KEY:
        cells |= {_key(cells): new_key}
    return BY_KIND[kind].make(cells, table)
