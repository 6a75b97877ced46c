"""A records manager's way at the desk: a hold, the plan, a second person's word, a certificate; and what each refusal says to do."""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from include.lifecycle import store
from include.lifecycle.__main__ import main
from include.lifecycle.policy import POLICY_FILE, load_retention
from include.warehouse.connect import connect
from tests.months import person, store_month

LABS = load_retention().rule("lab_results")
RECEIVED = date(2015, 1, 10)
LEAVING, OVER = LABS.leaves_hot_on(date(2015, 1, 1)), date(LABS.ends_after(2012).year + 1, 2, 1)
TWO = ["--requested-by", "A. Manager", "--approved-by", "B. Officer", "--reason", "litigation 17"]


@pytest.fixture
def desk(fresh_hot, capsys):
    """Call it with a verb and its arguments: exit code, what it printed, what it complained of."""
    store_month(fresh_hot, RECEIVED, records=12, people=3, event_years=(2012,))

    def asked(day, *arguments):
        capsys.readouterr()
        code = main([arguments[0], "--day", str(day), *arguments[1:]])
        said = capsys.readouterr()
        return code, said.out, said.err

    return asked


def files_in(text):
    return re.findall(r"data_class=\S+\.parquet", text)


def test_from_a_hold_to_a_certificate(desk):
    assert "tier_out" in desk(LEAVING, "plan", "--save")[1]
    code, out, _ = desk(LEAVING, "hold", "--person", str(person(1)), *TWO)
    assert (code, out) == (0, "hold 1 is in force; 'plan' shows what it stops\n")
    _, plan, _ = desk(LEAVING, "plan")
    assert "Due, but held or waiting (1)" in plan and "hold 1" in plan and "1 stopped by a hold" in plan
    assert "changed 1" in desk(LEAVING, "apply")[1]
    code, _, err = desk(LEAVING, "lift", "1", *TWO[:2], "--approved-by", "a. manager", "--reason", "settled")
    assert code == 2
    assert "without a second person" in err and "have a second person approve it" in err
    assert desk(LEAVING, "lift", "1", *TWO[:4], "--reason", "settled")[0] == 0
    assert "(none)" in desk(LEAVING, "holds")[1]
    assert "settled" in desk(LEAVING, "holds", "--all")[1]
    desk(LEAVING, "plan", "--save")
    assert "done 1" in desk(LEAVING, "apply")[1]
    assert "Nothing waits for approval" in desk(OVER, "due")[1]
    assert "waits for approval" in desk(OVER, "plan", "--save")[1]
    _, due, _ = desk(OVER, "due")
    (file,) = files_in(due)
    assert "1 file(s) with 12 record(s)" in due and "cannot be undone" in due
    code, _, err = desk(OVER, "approve", file + "x", *TWO)
    assert code == 2 and "not due for destruction in the plan" in err and "due" in err
    assert "the next night destroys them" in desk(OVER, "approve", file, *TWO)[1].lower()
    desk(OVER, "plan", "--save")
    assert "done 1" in desk(OVER, "apply")[1]
    _, listed, _ = desk(OVER, "certificates")
    assert file in listed and "B. Officer" in listed and "nothing left" in listed
    code, out, _ = desk(OVER, "certificates", "--of", "1")
    certificate = json.loads(out)
    assert (code, certificate["object"], certificate["records"], certificate["requested_by"]) == (
        0,
        file,
        12,
        "A. Manager",
    )
    assert "NIST SP 800-88" in certificate["method"]
    assert desk(OVER, "certificates", "--of", "2") == (1, "no such certificate\n", "")
    assert desk(OVER, "reconcile", "--deep")[0] == 0


def test_the_trail_tells_the_login_that_names_were_typed_under_and_of_nothing_that_only_looks(
    desk, fresh_hot, monkeypatch
):
    monkeypatch.setenv("SUDO_USER", "a.manager")
    desk(LEAVING, "plan")
    desk(LEAVING, "hold", "--person", str(person(1)), *TWO)
    with connect("privacy_officer", settings=fresh_hot) as hot:
        told = hot.execute("select subject, detail from audit.entry where action = 'desk.used'").fetchall()
    account = pwd.getpwuid(os.getuid()).pw_name
    assert told == [("hold", {"login": account, "host": socket.gethostname(), "sudo_from": "a.manager"})]


def test_a_policy_with_five_faults_names_them_all_and_changes_nothing(desk, tmp_path):
    said = yaml.safe_load(POLICY_FILE.read_text())
    labs = said["classes"]["lab_results"]
    labs |= {"hot_days": 9_000, "owner": " ", "destruction": "burn", "quality_threshold": 2}
    labs["colour"] = labs.pop("regions")
    policy = tmp_path / "policy.yml"
    policy.write_text(yaml.safe_dump(said))
    code, _, err = desk(LEAVING, "plan", "--policy", str(policy))
    assert code == 2
    for fault in (
        "unknown word 'colour'", "regions is missing", "owner is empty", "destruction is 'burn'", "quality_threshold", "hot_days",
    ):  # fmt: skip
        assert fault in err, (fault, err)


def test_a_policy_shows_its_effect_before_it_is_in_force(desk, tmp_path):
    said = yaml.safe_load(POLICY_FILE.read_text())
    said["classes"]["lab_results"]["hot_days"] = 365
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(said))
    earlier = LEAVING - timedelta(days=365)
    code, out, _ = desk(earlier, "plan", "--policy", str(tmp_path / "policy.yml"))
    assert code == 0
    assert "nothing is in force yet" in out and "now:  stay" in out and "then: tier_out" in out
    assert "tier_out" not in desk(earlier, "plan")[1]


def test_a_bucket_in_another_region_gets_nothing_and_the_plan_s_line_says_so(desk, monkeypatch):
    monkeypatch.setattr(store, "region_of", lambda *_: "eu-central-1")
    desk(LEAVING, "plan", "--save")
    code, out, err = desk(LEAVING, "apply")
    assert (code, out) == (2, "")
    assert "1 move(s) of the night failed; the data is where it was" in err
    assert "RegionError: bucket" in err and "eu-central-1" in err, "why, without a look into a table"


def test_opening_files_shows_first_and_then_says_where_they_are(desk, tmp_path: Path):
    desk(LEAVING, "plan", "--save")
    desk(LEAVING, "apply")
    asked = ("unseal", "--class", "lab_results", "--purpose", "a study", "--actor", "C. Clerk")
    code, out, _ = desk(LEAVING, *asked)
    assert code == 0 and "1 file(s), 12 record(s)" in out and "Nothing was opened" in out
    code, out, _ = desk(LEAVING, *asked, "--to", str(tmp_path / "open"))
    assert code == 0 and "12 row(s) in 1 file(s)" in out and "Delete the folder" in out
    assert len(list((tmp_path / "open").rglob("*.parquet"))) == 1
