"""What ``include/policies/dicom.yml`` allows to be read of a DICOM header, checked word by word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from include.errors import PlumblineError
from include.sources.declared import Complaints, read_yaml

POLICY_FILE = Path(__file__).resolve().parents[1] / "policies" / "dicom.yml"
USES = ("clear", "date", "token", "identity")
_TAKEN_OUT = frozenset("XZDUC")


class DicomPolicyError(PlumblineError):
    """include/policies/dicom.yml does not say what it must, or lets pass what PS3.15's profile takes out."""


@dataclass(frozen=True, slots=True)
class BurnedInPolicy:
    """What makes names in the pixels likely: codes, SOP class UIDs and words of ImageType."""

    modalities: frozenset[str]
    sop_classes: frozenset[str]
    image_types: frozenset[str]
    conversion_types: frozenset[str]


@dataclass(frozen=True, slots=True)
class DicomPolicy:
    """``uses``: tag (group and element in one number) -> one of USES. A tag that is not in it is not read."""

    uses: Mapping[int, str]
    burned_in: BurnedInPolicy


@lru_cache(maxsize=2)
def load_dicom_policy(file: Path = POLICY_FILE) -> DicomPolicy:
    """Read the policy. Raises DicomPolicyError with everything that is wrong at once."""
    said, complaints = read_yaml(file, DicomPolicyError), Complaints(file)
    complaints.refuse_unknown("top level", said, {"owner", "reviewed", "reason", "tags", "burned_in"})
    for word in ("owner", "reviewed", "reason"):
        if not said.get(word):
            complaints.add(f"'{word}' is missing")
    uses = _read_tags(said.get("tags"), complaints)
    burned_in = _read_burned_in(said.get("burned_in"), complaints)
    complaints.raise_any(DicomPolicyError, expected="tags by their keyword, each with as, profile and why")
    return DicomPolicy(uses, burned_in)


def _read_tags(said: object, complaints: Complaints) -> dict[int, str]:
    from pydicom.datadict import tag_for_keyword

    uses: dict[int, str] = {}
    for keyword, rule in (said if isinstance(said, dict) else {}).items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            complaints.add(f"'{keyword}' is no keyword of the DICOM dictionary")
            continue
        if not isinstance(rule, dict) or set(rule) != {"as", "profile", "why"}:
            complaints.add(f"{keyword}: needs as, profile and why, and nothing else")
            continue
        complaints.choice(f"{keyword}: as", rule["as"], USES)
        if rule["as"] == "clear" and set(str(rule["profile"])) & _TAKEN_OUT:
            complaints.add(f"{keyword}: the Basic Profile takes it out, so it cannot be clear")
        uses[tag] = rule["as"]
    if not uses:
        complaints.add("no tags are allowed")
    return uses


def _read_burned_in(said: object, complaints: Complaints) -> BurnedInPolicy:
    words = ("modalities", "sop_classes", "image_types", "conversion_types")
    said = said if isinstance(said, dict) else {}
    complaints.refuse_unknown("burned_in", said, set(words))
    for word in words:
        if not said.get(word):
            complaints.add(f"burned_in: '{word}' is missing")
    return BurnedInPolicy(*(frozenset(map(str, said.get(word) or ())) for word in words))
