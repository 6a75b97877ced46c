"""The search for planted identifiers finds one in every place that a night can leave it in, and nothing in a clean installation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from include.landing.object_store import open_store
from include.sample.exposure import IdentifierIndex
from include.sample.search import search_night
from include.settings import Settings
from include.warehouse.connect import connect

NIGHT = date(2026, 11, 22)
NAME, PHONE = "Zebulon Quackenbush", "(508) 688-2758"
INDEX = IdentifierIndex.of(
    [{"kind": "full_name", "value": NAME, "is_word": False}, {"kind": "phone", "value": PHONE, "is_word": False}]
)
# table -> database, type of its column, what is in it
COLUMNS = {
    "text": ("hot", "text", f"for {NAME}"),
    "whole_number": ("hot", "bigint", 5086882758),
    "fraction": ("hot", "numeric(14, 2)", 5086882758),
    "document": ("hot", "jsonb", Jsonb({"a": [5086882758]})),
    "list": ("hot", "text[]", [NAME]),
    "mart": ("warm", "text", NAME),
    "key": ("keys", "text", NAME),
    "xcom": ("airflow", "text", f"xcom of {NAME}"),
}
OBJECTS = {
    "of/Quackenbush_Zebulon.csv": (b"x", {}),
    "in metadata": (b"x", {"called": "5086882758"}),
    "in content": (json.dumps({"name": NAME}).encode(), {}),
}


def plant_column(settings: Settings, table: str, database: str, kind: str, value: object) -> str:
    """A schema and table that no code knows; returns where it must be found."""
    with connect("postgres", database, settings) as books:
        role = sql.Identifier("airflow" if database == "airflow" else "plumbline_owner")
        books.execute(sql.SQL("create schema if not exists unheard_of"))
        place = sql.Identifier("unheard_of", table)
        books.execute(sql.SQL("create table {} (value {})").format(place, sql.SQL(kind)))
        books.execute(sql.SQL("insert into {} values (%s)").format(place), [value])
        books.execute(sql.SQL("grant usage on schema unheard_of to {}").format(role))
        books.execute(sql.SQL("grant select on {} to {}").format(place, role))
    return f"{database}.unheard_of.{table}.value"


@pytest.fixture
def clean(fresh_hot: Settings) -> Iterator[Settings]:
    """An installation without anybody's identifier; what is planted in Airflow's database, which is not made anew, is removed."""
    yield fresh_hot
    with connect("postgres", "airflow", fresh_hot) as books:
        books.execute("drop schema if exists unheard_of cascade")


def test_an_identifier_is_found_wherever_a_night_can_leave_one_and_nowhere_else(clean: Settings) -> None:
    assert search_night(INDEX, clean) == {}
    planted = {plant_column(clean, table, *what) for table, what in COLUMNS.items()}
    store, bucket = open_store(clean), clean.bucket_landing
    for key, (body, told) in OBJECTS.items():
        store.put_object(Bucket=bucket, Key=key, Body=body, Metadata=told)
    reason = [{"level": "amber", "text": f"north told {NAME}", "promise": "no false green"}]
    with connect("postgres", "hot", clean) as books:
        books.execute(
            "insert into lifecycle.night (night, verdict, published, reasons) values (%s, 'amber', true, %s)",
            [NIGHT, Jsonb(reason)],
        )
    found = search_night(INDEX, clean)
    assert {place for place, _ in found} == planted | {
        f"object {bucket}", "hot.lifecycle.night.reasons", f"message of {NIGHT}",
    }  # fmt: skip
    assert sum(count for (place, _), count in found.items() if place == f"object {bucket}") == len(OBJECTS)
