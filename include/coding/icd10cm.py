"""The ICD-10-CM code table, from the library that ships it, put where SQL can check codes against it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

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


@lru_cache(maxsize=1)
def all_codes() -> tuple[str, ...]:
    """Every chapter, category, subcategory and code in order, without points. Blocks (``A00-A09``) are no codes.

    Read from the list among the library's files: importing it takes seconds, for it makes a tree of another one. What it knows
    is the same (tests/unit/test_icd10cm.py compares them). Raises ModuleNotFoundError where the library is not installed,
    FileNotFoundError where it does not keep exactly one such list.
    """
    found = find_spec(LIBRARY.replace("-", "_"))
    if found is None or found.origin is None:
        raise ModuleNotFoundError(LIBRARY)
    listed = list((Path(found.origin).parent / "data").glob("code-list*.txt"))
    if len(listed) != 1:
        raise FileNotFoundError(f"{len(listed)} code lists in {LIBRARY}")
    codes = (line.partition(" ")[0] for line in listed[0].read_text(encoding="utf-8").splitlines())
    return tuple(sorted({code.replace(".", "") for code in codes if code and "-" not in code}))


def _codes() -> Iterator[tuple[str, bool]]:
    """Every category, subcategory and code, and whether a bill may say it: only what nothing finer stands under."""
    codes = [code for code in all_codes() if len(code) > len("22")]  # chapters are numbers from 1 to 22
    for code, following in zip(codes, [*codes[1:], ""], strict=True):
        yield code, not following.startswith(code)
