"""The ICD-10-CM code table, from the library that ships it, put where SQL can check codes against it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from include.settings import Settings
from include.warehouse.connect import connect

LIBRARY = "simple-icd-10-cm"


def release() -> str:
    """Which code table is installed: the library's name and version."""
    return f"{LIBRARY} {version(LIBRARY)}"


def ensure_icd10cm(settings: Settings) -> int:
    """Fill ``coding.icd10cm`` where it does not hold the installed release. Returns how many codes were written, 0 if none."""
    with connect("transformer", "hot", settings) as hot:
        hot.execute("select pg_advisory_xact_lock(hashtext('include.coding.icd10cm'))")
        held = hot.execute("select release from coding.icd10cm_release").fetchone()
        if held and held[0] == release():
            return 0
        hot.execute("delete from coding.icd10cm")
        hot.execute("delete from coding.icd10cm_release")
        with hot.cursor() as cursor, cursor.copy("copy coding.icd10cm (code, is_billable) from stdin") as copy:
            written = 0
            for row in _codes():
                copy.write_row(row)
                written += 1
        hot.execute("insert into coding.icd10cm_release (release, codes) values (%s, %s)", [release(), written])
        hot.execute("analyze coding.icd10cm")
        return written


def _codes() -> Iterator[tuple[str, bool]]:
    """Every category, subcategory and code without its point, and whether a bill may say it; chapters and blocks are no codes."""
    import simple_icd_10_cm

    seen = set()
    for code in simple_icd_10_cm.get_all_codes(with_dots=True):
        plain = code.replace(".", "").upper()
        if simple_icd_10_cm.is_category_or_subcategory(code) and plain not in seen:
            seen.add(plain)
            yield plain, simple_icd_10_cm.is_leaf(code)
