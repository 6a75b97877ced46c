"""A wrong policy of critical results is refused, with everything that is wrong named at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from include.critical.policy import FILE, CriticalPolicyError, load_critical_policy
from include.critical.policy_reading import check_digit

SHIPPED = FILE.read_text()


def refused(tmp_path: Path, change) -> str:
    said = yaml.safe_load(SHIPPED)
    change(said)
    file = tmp_path / "critical_results.yml"
    file.write_text(yaml.safe_dump(said))
    with pytest.raises(CriticalPolicyError) as problem:
        load_critical_policy(file)
    return problem.value.found


def test_the_shipped_policy_can_be_read_and_says_who_owns_it():
    policy = load_critical_policy()
    assert len({test.name for test in policy.tests.values()}) >= 12
    assert "owner:" in SHIPPED and policy.telling.name_the_test is False


def test_everything_wrong_is_named_at_once(tmp_path):
    def spoil(said):
        said["owner"] = ""
        said["version"] = "soon"
        said["surprise"] = 1
        potassium = said["tests"]["potassium"]
        potassium["codes"] = ["2823-4", "2951-2"]
        potassium["units"]["mmol/L"]["limits"] = [
            {"below": 7, "above": 6, "source": "kost_1990"},
            {"below": 2, "at_most": 2, "from_days": 9, "under_days": 3, "source": "hearsay"},
            {"source": "kost_1990"},
            {"above": "high", "source": "kost_1990"},
        ]
        said["tests"]["sodium"]["units"]["mmol/L"]["times"] = {"g/L": 0, "meq/L": 2}
        said["tests"]["troponin"]["flag_only"] = False
        said["telling"]["steps"] = [{"channel": "pigeon", "acknowledge_within_minutes": 0}]
        said["telling"]["routes"] = {"ward/ICU": "Ward 12, bed 3"}
        said["telling"]["retry"]["most_seconds"] = 1
        said["tests"]["blood_culture"]["answers"]["not_critical"]["words"].append("Positive.")

    found = refused(tmp_path, spoil)
    for complaint in (
        "owner is missing", "version is not a day", "'surprise' is not known", "'2823-4' is no LOINC code",
        "code 2951-2 is that of potassium already", "its low limit is not below its high one", "below and at_most are both said",
        "from_days and under_days are not whole days", "its source is none of those listed", "says no bound", "above is not a number",
        "two limits hold at 0 days", "times g/L is not above 0", "unit meq/L stands twice", "test troponin: has neither units nor answers",
        "step 1: channel is 'pigeon'", "acknowledge_within_minutes is not a whole number", "'Ward 12, bed 3' is no key of a route",
        "most_seconds is below first_seconds", "an answer is critical and not critical",
    ):  # fmt: skip
        assert complaint in found, complaint


def test_a_policy_of_nothing_is_refused(tmp_path):
    assert "tests: there is none" in refused(tmp_path, lambda said: said.update(tests={}))
    assert "steps are missing, so nobody would be told" in refused(
        tmp_path, lambda said: said["telling"].update(steps=[])
    )


def test_a_word_that_is_not_known_is_refused_wherever_it_stands(tmp_path):
    def misspell(said):
        said["tests"]["sodium"]["unit"] = "mmol/L"
        said["tests"]["glucose"]["units"]["mg/dL"]["limits"][0]["atmost"] = 3
        said["telling"]["retry"]["patience"] = 1

    found = refused(tmp_path, misspell)
    assert all(word in found for word in ("'unit'", "'atmost'", "'patience'"))


@pytest.mark.parametrize("code", ["2823-3", "718-7", "6301-6", "600-7", "17861-6", "89579-7"])
def test_the_check_digit_is_loinc_s(code):
    digits, _, check = code.partition("-")
    assert check_digit(digits) == int(check)
