"""What may stay in clear looks like its type, and free text looks like none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from include.privacy.classification import load_classification
from include.privacy.value_types import hl7_code, microseconds, public_display, unknown_system_code

CHECKS = load_classification().checks
PLANTED = (
    "Zebedee Quackenbush",
    "078-05-1120",
    "(555) 123-4567",
    "zeb@example.org",
    "12 Elm Street",
    "MRN 0012345",
    "\x00",
    "",
    " ",
)

FITTING = {
    "boolean": [True, False],
    "number": [0, -3, msgspec.Raw(b"1.10"), msgspec.Raw(b"6.02e23")],
    "date": ["2026", "2026-11", "2024-02-29"],
    "dateTime": ["2026", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00.123456-05:00", "2026-11-22T10:00"],
    "instant": ["2026-11-22T10:00:00.1Z"],
    "time": ["10:00", "10:00:00.5"],
    "language": ["en", "en-US", "zh-Hant", "spa"],
    "mime": ["text/plain", "text/plain; charset=utf-8", "application/dicom"],
    "currency": ["USD"],
    "postal_code": ["02139", "02139-4307", "SW1A 1AA", "2339"],
    "state": ["MA", "Massachusetts", "ON"],
    "country": ["US", "USA", "United States"],
    "version": ["1", "17", 'W/"3"', "0a1b2c3d-0000-0000-0000-000000000000"],
    "link_id": ["1.2", "/71802-3", "q12"],
    "ucum": [
        "mg/dL",
        "mm[Hg]",
        "{beats}/min",
        "10*3/uL",
        "kg/m2",
        "%",
        "[iU]",
        "mL/min/{1.73_m2}",
        "/min",
        "1",
        "ug/kg/min",
    ],
    "unit": ["mmHg", "tablet(s)", "mg/dL"],
    "payer_name": [
        "Medicare",
        "Medicare + Medicaid (dual eligible)",
        "Blue Cross Blue Shield (individual market)",
        "NO_INSURANCE",
    ],
    "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient|6.1.0"],
    "coded_sex": ["248152002", "F"],
}


@pytest.mark.parametrize("kind", sorted(FITTING))
def test_values_of_a_type_fit_it(kind: str) -> None:
    assert [value for value in FITTING[kind] if not CHECKS[kind](value)] == []


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_what_names_or_numbers_people_fits_no_type(kind: str) -> None:
    assert [value for value in PLANTED if CHECKS[kind](value)] == []


@pytest.mark.parametrize("kind", sorted(set(CHECKS) - {"boolean"}))
def test_only_texts_and_numbers_fit_a_leaf(kind: str) -> None:
    assert not any(CHECKS[kind](value) for value in (None, [], {}, ["en"], {"a": 1}, True))


@pytest.mark.parametrize(
    "kind",
    ["language", "state", "country", "currency", "ucum", "unit", "payer_name", "version", "postal_code", "link_id"],
)
def test_a_single_name_is_no_value_of_a_closed_type(kind: str) -> None:
    assert not any(CHECKS[kind](name) for name in ("Quackenbush", "quackenbush", "QUACKENBUSH"))


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30",
        "2026-13-01",
        "0000-01-01",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:61:00Z",
        "22/11/2026",
        "2026-11-22 10:00",
        "٢٠٢٦",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_day_no_calendar_has_is_no_date(text: str) -> None:
    assert microseconds(text) is None and not CHECKS["dateTime"](text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2000", datetime(2000, 1, 1, tzinfo=UTC)),
        ("1999-12", datetime(1999, 12, 1, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2026-03-08T02:30:00-05:00", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("2026-03-08T02:30:00+05:30", datetime(2026, 3, 7, 21, 0, tzinfo=UTC)),
        ("2026-03-08T02:30:01.123456789Z", datetime(2026, 3, 8, 2, 30, 1, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59-00:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_counts_microseconds_from_2000(text: str, moment: datetime) -> None:
    assert microseconds(text) == (moment - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_numbers_that_no_measurement_has_do_not_fit() -> None:
    assert not CHECKS["number"](10**15)
    assert not CHECKS["number"](msgspec.Raw(b"1e999"))
    assert not CHECKS["number"](msgspec.Raw(b"1" * 40 + b".0"))


@pytest.mark.parametrize("code", ["AMB", "final", "laboratory", "problem-list-item", "NSIB", "N"])
def test_codes_of_hl7_stay(code: str) -> None:
    assert hl7_code(code)


@pytest.mark.parametrize("code", ["Quackenbush", "078-05-1120", "555-123-4567", "0012345678", "two words", "a@b", ""])
def test_what_is_no_code_of_hl7_does_not_stay(code: str) -> None:
    assert not hl7_code(code)


def test_codes_of_unknown_systems_need_a_digit_but_not_a_number() -> None:
    assert unknown_system_code("HBA1C") and unknown_system_code("10023")
    assert not any(map(unknown_system_code, ("SMITH", "smith", "078-05-1120", "0012345", "", "a 1")))


@pytest.mark.parametrize(
    "display",
    [
        "Call (555) 123-4567",
        "Dr. Quackenbush",
        "Mrs Quackenbush",
        "zeb@example.org",
        "MRN 0012345",
        "078-05-1120",
        "a\nb",
        "x" * 256,
    ],
)
def test_a_display_that_numbers_or_addresses_people_does_not_stay(display: str) -> None:
    assert not public_display(display)
    assert public_display("Hemoglobin A1c/Hemoglobin.total in Blood")
