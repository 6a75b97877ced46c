"""What a FHIR Consent says, purpose by purpose."""

from __future__ import annotations

import pytest

from include.privacy.consent import ConsentError, load_purposes, read_consent

REASONS = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


def consent(provision, *, scope=None, rule=None):
    body = {"resourceType": "Consent", "status": "active", "provision": provision}
    if scope:
        body["scope"] = {"coding": [{"code": scope}]}
    if rule:
        body["policyRule"] = {"coding": [{"code": rule}]}
    return body


def purposes(*codes):
    return [{"system": REASONS, "code": code} for code in codes]


CASES = {
    "a denial of one purpose": (consent({"type": "deny", "purpose": purposes("HRESCH")}), {"research": "deny"}),
    "a denial of two": (
        consent({"type": "deny", "purpose": purposes("CLINTRCH", "PUBHLTH")}),
        {"research": "deny", "public_health": "deny"},
    ),
    "a denial of everything": (
        consent({"type": "deny"}, scope="patient-privacy"),
        {"research": "deny", "quality": "deny", "public_health": "deny"},
    ),
    "a denial of taking part in research": (consent({"type": "deny"}, scope="research"), {"research": "deny"}),
    "a yes to research": (consent({"type": "permit"}, scope="research"), {"research": "permit"}),
    "a yes to treatment says nothing of ours": (consent({"type": "permit"}, scope="treatment"), {}),
    "an exception within a permission": (
        consent({"type": "permit", "provision": [{"type": "deny", "purpose": purposes("HQUALIMP")}]}, scope="research"),
        {"research": "permit", "quality": "deny"},
    ),
    "an exception within a denial": (
        consent({"type": "deny", "provision": [{"type": "permit", "purpose": purposes("HRESCH")}]}),
        {"research": "permit", "quality": "deny", "public_health": "deny"},
    ),
    "the base rule where the root says nothing": (consent({}, scope="research", rule="OPTOUT"), {"research": "deny"}),
    "an unknown purpose is nobody's": (consent({"type": "deny", "purpose": purposes("HMARKT")}), {}),
    "an inner denial without a purpose is about something else": (
        consent({"type": "permit", "provision": [{"type": "deny", "class": [{"code": "x"}]}]}), {},
    ),
    "a denial in a list": (consent([{"type": "deny", "purpose": purposes("HRESCH")}]), {"research": "deny"}),
    "everything in the wrong shape": (
        {"scope": [{"coding": {"code": "research"}}], "policyRule": [{"coding": [None, {"code": "OPTOUT"}]}], "provision": [None, {"purpose": 7}]},
        {"research": "deny"},
    ),
    "no provision at all": ({"resourceType": "Consent", "status": "active"}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_consent_says(name):
    body, expected = CASES[name]
    assert {told.purpose: told.decision for told in read_consent(body, load_purposes())} == expected


def test_a_policy_that_is_wrong_says_everything_at_once(tmp_path):
    path = tmp_path / "consent.yml"
    path.write_text("owner: x\nreviewed: 2026-01-01\npurposes: {research: {rule: maybe, codes: [], why: x}}")
    with pytest.raises(ConsentError, match=r"3 fault.*unknown word 'why'.*rule is not one of.*no codes"):
        load_purposes(path)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2024", "2024", ("2024-01-01", "2024-12-31T23:59:59Z")),
        ("2024-02", "2024-02", ("2024-02-01", "2024-02-29T23:59:59Z")),
        ("2024-02-03", "2024-02-03", ("2024-02-03", "2024-02-03T23:59:59Z")),
        ("2024-02-03T04:05:06Z", "2024-02-03T04:05:06Z", ("2024-02-03T04:05:06Z", "2024-02-03T04:05:06Z")),
        (None, None, (None, None)),
    ],
)
def test_a_period_lasts_from_the_first_to_the_last_moment_that_it_names(start, end, expected):
    period = {name: day for name, day in (("start", start), ("end", end)) if day}
    (told,) = read_consent(
        consent({"type": "deny", "purpose": purposes("HRESCH"), "period": [period]}), load_purposes()
    )
    assert (told.starts_at, told.ends_at) == expected
