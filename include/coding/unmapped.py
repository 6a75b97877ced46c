"""Codes that no measure can find, written down once a night for whoever keeps the table of local codes."""

from __future__ import annotations

from datetime import date

from include.settings import Settings
from include.warehouse.connect import connect


def record_unmapped(night: date, settings: Settings) -> int:
    """Copy what dbt found unmapped (``intermediate.int_codes__unmapped``) into the night's books. Returns how many rows."""
    with connect("transformer", "hot", settings) as hot:
        hot.execute("delete from quality.unmapped_code where night = %s", [night])
        return hot.execute(
            """insert into quality.unmapped_code (night, source, kind, problem, system, code, records)
               select %s, source, kind, problem, system, code, records from intermediate.int_codes__unmapped""",
            [night],
        ).rowcount
