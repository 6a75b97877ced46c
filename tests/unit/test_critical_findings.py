"""What a message's results come to: exact digits, ages, keys that repeat, and what a broken message leaves of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from include.critical.decide import CRITICAL, Age
from include.critical.findings import Judge, age_at, alert_id, moment_of
from include.critical.policy import load_critical_policy
from include.privacy.tokens import Tokeniser
from include.sources.registry import make_source
from tests.hl7v2_messages import message

TOKENISER = Tokeniser(b"k" * 32)
NOW = datetime(2026, 11, 25, 17, tzinfo=UTC)


@pytest.fixture
def source(tmp_path):
    return make_source({"name": "ward", "kind": "hl7v2", "path": "."}, tmp_path, "test")


def oru(
    *values: str, kind: str = "NM", code: str = "2823-3", unit: str = "mmol/L", control: str = "C1", order: str = "F1"
) -> bytes:
    lines = [
        f"OBX|{n}|{kind}|{code}^x^LN|{n}|{value}|{unit}^^UCUM||||| F|||20261119073000"
        for n, value in enumerate(values, 1)
    ]
    return message(
        "ORU^R01^ORU_R01", f"OBR|1|O1^GHH|{order}^LAB|24323-8^CMP^LN|||20261119073000", *lines, control=control
    )


def findings(source, content: bytes):
    return Judge(load_critical_policy(), TOKENISER).judge_message(source, content, NOW).findings


@pytest.mark.parametrize(
    ("value", "is_critical"),
    [("6.20", False), ("6.200000000000000000000000001", True), ("6.2", False), ("2.80", False), ("2.79999999999999999999999", True),
     ("7", True), ("007.10", True), ("4.50", False), ("-0.0", True)],
)  # fmt: skip
def test_a_number_is_judged_by_all_its_digits(source, value, is_critical):
    (found,) = findings(source, oru(value))
    assert (found.verdict.kind == CRITICAL) == is_critical
    assert found.verdict.kind in (CRITICAL, "not_critical")


@pytest.mark.parametrize("value", ["^6.30^-^7.10", ">^6.20", "<^2.80", "^2.0^-^2.70"])
def test_ends_of_ranges_and_comparators_are_judged_by_all_their_digits(source, value):
    assert findings(source, oru(value, kind="SN"))[0].verdict.kind == CRITICAL


@pytest.mark.parametrize("value", ["^6.0^-^7.10", ">^6.10", "<^2.90"])
def test_what_reaches_over_a_limit_is_not_judged(source, value):
    assert findings(source, oru(value, kind="SN"))[0].verdict.kind == "unjudged"


def test_what_is_sealed_has_the_digits_that_were_sent_and_who_it_is_about(source):
    (found,) = findings(source, oru("7.10"))
    content = json.loads(found.content, parse_float=Decimal)
    assert str(content["result"]["valueQuantity"]["value"]) == "7.10"
    assert content["patient"]["name"][0]["family"] == "Quackenbush" and "address" not in content["patient"]
    assert [each["value"] for each in content["patient"]["identifier"]] == ["P1"]
    assert b"078-05-1120" not in found.content
    assert found.person_token and found.observed_at == datetime(2026, 11, 19, 12, 30, tzinfo=UTC)


def test_a_result_sent_again_has_the_same_keys_and_another_has_others(source):
    (first,), (again,) = findings(source, oru("7.1", control="C1")), findings(source, oru("7.1", control="C2"))
    (changed,), (other,) = findings(source, oru("7.2", control="C3")), findings(source, oru("7.1", order="F2"))
    assert (first.series_key, first.content_key) == (again.series_key, again.content_key)
    assert first.series_key == changed.series_key and first.content_key != changed.content_key
    assert first.series_key != other.series_key and first.content_key != other.content_key
    assert alert_id(TOKENISER, first.content_key, 1) == alert_id(TOKENISER, again.content_key, 1)
    assert alert_id(TOKENISER, first.content_key, 1) != alert_id(TOKENISER, first.content_key, 2)


def test_a_message_that_cannot_be_read_is_a_count(source):
    for content, reason in ((b"", "bad_delimiters"), (b"MSH|^~\\&|A\rOBX|1\r", "missing_message_type")):
        judged = Judge(load_critical_policy(), TOKENISER).judge_message(source, content, NOW)
        assert judged.findings == [] and judged.counts["unreadable", "", reason] == 1, judged.counts


@pytest.mark.parametrize(
    ("birth", "effective", "expected"),
    [
        ("2026-11-20", "2026-11-25T08:00:00Z", Age(5, 5)), ("2026-11", "2026-11-25", Age(0, 24)), ("2026", "2026-11-25", Age(0, 328)),
        ("1980-02-29", None, Age(17071, 17071)), ("2024-12", "2025-01-01", Age(1, 31)),
        (None, "2026-11-25", None), ("2026-12-25", "2026-11-25", None), ("soon", "2026-11-25", None), ("2026-02-30", "2026-11-25", None),
    ],
)  # fmt: skip
def test_an_age_is_as_exact_as_the_birth_date(birth, effective, expected):
    assert age_at(birth, effective, NOW) == expected


@pytest.mark.parametrize("told", [None, "", "2026", "2026-11", "nonsense-and-more", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_no_moment_is_none(told):
    assert moment_of(told) is None
