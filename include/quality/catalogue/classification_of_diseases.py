"""Codes of ICD-10-CM as the package simple-icd-10-cm carries them."""

from __future__ import annotations

from functools import lru_cache

from include.quality.errors import SuiteError


@lru_cache(maxsize=1)
def icd10cm_codes() -> frozenset[str]:
    """Every category and code, without points. Raises SuiteError where the package is not installed as it was."""
    from include.coding.icd10cm import LIBRARY, all_codes

    try:
        return frozenset(all_codes())
    except (ModuleNotFoundError, FileNotFoundError):
        raise SuiteError(
            found="the classification ICD-10-CM is not installed",
            expected=f"the package {LIBRARY} of requirements.txt",
            action="run 'make install'",
        ) from None
