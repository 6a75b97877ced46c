"""The policy on joining patient records is read strictly."""

from __future__ import annotations

import pytest
import yaml

from include.identity.policy import POLICY_FILE, IdentityPolicyError, load_policy


def written(tmp_path, **changes):
    said = {**yaml.safe_load(POLICY_FILE.read_text()), **changes}
    file = tmp_path / "identity.yml"
    file.write_text(yaml.safe_dump({word: value for word, value in said.items() if value is not None}))
    return file


def test_the_shipped_policy_joins_on_identifiers_and_demographics():
    policy = load_policy()
    assert policy.joins_on == ("id", "demo")
    assert policy.largest_group >= 2


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"largst_group": 5}, "the unknown word largst_group"),
        ({"owner": None}, "no word owner"),
        ({"joins_on": ["name"]}, "an unknown kind of token name"),
        ({"largest_group": 1}, "joins nobody"),
        ({"contradiction": ["eye colour"]}, "an unknown trait eye colour"),
    ],
)
def test_a_word_it_does_not_know_stops_it(tmp_path, changes, complaint):
    with pytest.raises(IdentityPolicyError, match=complaint):
        load_policy(written(tmp_path, **changes))
