"""What kind of observation an OBX is: by its LOINC code, else by the service that reports it.

Nothing is guessed where neither says: a measure that asks for laboratory results takes an observation without a category too.
"""

from __future__ import annotations

from typing import Any

from include.sources.hl7v2.code_systems import TERMINOLOGY

# FHIR's vital signs (https://hl7.org/fhir/R4/observation-vitalsigns.html, US Core 7): panels, their members and what they measure.
VITAL_SIGNS = (
    "85353-1", "9279-1", "8867-4", "2708-6", "59408-5", "8310-5", "8302-2", "9843-4", "29463-7", "39156-5", "85354-9", "8480-6",
    "8462-4", "8289-1", "59576-9", "77606-2", "3140-1", "8306-3", "8328-7", "8331-1", "8332-9", "8287-5", "3141-9", "8478-0",
    "55284-4", "8716-3", "72514-3", "3151-8", "3150-6",
)  # fmt: skip
# US Core 7: smoking status and tobacco use; screening instruments by their scores.
SOCIAL_HISTORY = ("72166-2", "11367-0", "81229-7", "88031-0", "63513-6", "76689-9")
SURVEYS = ("44249-1", "44261-6", "55757-9", "55758-7", "71354-5", "70274-6", "73831-0", "73832-8", "71969-0", "93025-5")
# HL7 table 0074, diagnostic service sections, as FHIR's observation-category.
_SECTIONS_OF = {
    "laboratory": (
        "BG", "BLB", "CG", "CH", "CP", "GE", "HM", "IMM", "LAB", "MB", "MCB", "MYC", "OSL", "PAR", "SP", "SR", "TX", "VR",
    ),
    "imaging": ("CT", "CUS", "IMG", "NMR", "NMS", "OUS", "RAD", "RUS", "RX", "VUS", "XRC"),
    "procedure": ("CTH", "EC", "EN", "PF"),
    "therapy": ("OT", "PT", "RT"),
}  # fmt: skip
SECTIONS = {section: category for category, sections in _SECTIONS_OF.items() for section in sections}
_LOINC = frozenset({"LN", "LOINC"})


def category_of(observed: list[str], section: str) -> list[dict[str, Any]] | None:
    """Observation.category of an OBX-3 (split at ``^``) under a report of this OBR-24 ('' for none)."""
    code, system = observed[0], observed[2] if len(observed) > 2 else ""
    if system in _LOINC and (known := _BY_LOINC.get(code)):
        return known
    return _CATEGORIES.get(SECTIONS.get(section, ""))


_CATEGORIES = {
    code: [{"coding": [{"system": TERMINOLOGY + "observation-category", "code": code}]}]
    for code in ("vital-signs", "social-history", "survey", "laboratory", "imaging", "procedure", "therapy")
}
_BY_LOINC = {
    **dict.fromkeys(VITAL_SIGNS, _CATEGORIES["vital-signs"]),
    **dict.fromkeys(SOCIAL_HISTORY, _CATEGORIES["social-history"]),
    **dict.fromkeys(SURVEYS, _CATEGORIES["survey"]),
}
