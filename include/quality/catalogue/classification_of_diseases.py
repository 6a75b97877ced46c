"""Codes of ICD-10-CM as the package simple-icd-10-cm carries them, kept as a plain list, for that package takes seconds to load."""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from include.quality.errors import SuiteError

PACKAGE = "simple-icd-10-cm"


@lru_cache(maxsize=1)
def icd10cm_codes() -> frozenset[str]:
    """Every category and code, without points. Raises SuiteError where the package is not installed."""
    try:
        edition = version(PACKAGE)
    except PackageNotFoundError:
        raise SuiteError(
            found="the classification ICD-10-CM is not installed",
            expected=f"the package {PACKAGE} of requirements.txt",
            action="run 'make install'",
        ) from None
    kept = Path(os.environ.get("PLUMBLINE_HOME") or ".local") / "cache" / f"icd10cm-{edition}.txt"
    if not kept.is_file():
        _keep(kept)
    return frozenset(kept.read_text().split())


def _keep(place: Path) -> None:
    import simple_icd_10_cm

    codes = sorted(code.replace(".", "") for code in simple_icd_10_cm.get_all_codes() if "-" not in code)
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_name(f"{place.name}.{os.getpid()}.part")
    unfinished.write_text("\n".join(codes))
    unfinished.replace(place)
