"""Contract YAML to Contract: every word checked, every cross-reference followed, all mistakes said at once."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

from include.sources.contracts import (
    CLASSES,
    MATCHES,
    MAX_TEXT,
    TYPES,
    Column,
    Contract,
    ContractError,
    EntityMap,
    Origin,
    Table,
)
from include.sources.declared import Complaints, read_yaml
from include.sources.entities import ENTITIES

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_COLUMN_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_CONTRACT_WORDS = {
    "owner",
    "encoding",
    "delimiter",
    "quotechar",
    "null_values",
    "booleans",
    "identifier_system",
    "tables",
    "reason",
}
_TABLE_WORDS = {
    "files",
    "data_class",
    "key",
    "person",
    "event_at",
    "updated_at",
    "from",
    "columns",
    "maps",
    "deleted_when",
    "not_loaded",
    "description",
    "checks",
}
_COLUMN_WORDS = {
    "type",
    "class",
    "of",
    "match",
    "system",
    "header",
    "format",
    "optional",
    "required",
    "max_length",
    "description",
}
_ORIGIN_WORDS = {"table", "query", "watermark", "overlap_minutes", "deletions", "most_gone"}
_MAP_WORDS = {"to", "fields", "constants", "values", "where"}
# Names that every raw table already has before the contract's columns.
LEADING_NAMES = frozenset(
    """
    record_id source batch_id batch_seq data_class resource_type resource_id version_id last_updated is_deleted
    person_token event_at received_at content_sha256 match_tokens sealed
    """.split()  # noqa: SIM905 (names read better in lines)
)
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def read_contract(path: Path) -> Contract:
    """Read one contract file. Raises ContractError."""
    declared = read_yaml(path, ContractError)
    complaints = Complaints(path)
    complaints.refuse_unknown("top level", declared, _CONTRACT_WORDS)
    if not isinstance(declared.get("owner"), str) or not declared["owner"].strip():
        complaints.add("'owner' is missing: somebody answers for a contract")
    dialect = _read_dialect(declared, complaints)
    tables = declared.get("tables")
    if not isinstance(tables, dict) or not tables:
        complaints.add("'tables' is not a mapping with at least one table")
        tables = {}
    read = [_read_table(str(name), table, complaints) for name, table in tables.items()]
    complaints.raise_any(ContractError, expected="a contract as the head of include/sources/contracts.py shows it")
    return Contract(path=path, owner=declared["owner"], tables=tuple(table for table in read if table), **dialect)


def _read_dialect(declared: dict, complaints: Complaints) -> dict[str, Any]:
    encoding = str(declared.get("encoding", "utf-8"))
    if not _is_ascii_superset(encoding):
        complaints.add(f"encoding '{encoding}' is not one that ASCII is part of, such as utf-8, latin-1, cp1252")
    for word, lengths in (("delimiter", (1,)), ("quotechar", (0, 1))):
        if not isinstance(declared.get(word, ","), str) or len(declared.get(word, ",")) not in lengths:
            complaints.add(f"'{word}' is not one character")
    nulls = declared.get("null_values", [""])
    if not isinstance(nulls, list) or not all(isinstance(null, str) for null in nulls):
        complaints.add("'null_values' is not a list of texts (quote them)")
        nulls = []
    system = declared.get("identifier_system")
    if system is not None and not isinstance(system, str):
        complaints.add("'identifier_system' is not a text")
    return {
        "encoding": encoding,
        "delimiter": declared.get("delimiter", ","),
        "quotechar": declared.get("quotechar", '"'),
        "null_values": frozenset(nulls),
        "booleans": _read_booleans(declared.get("booleans", {}), complaints),
        "identifier_system": system,
    }


def _is_ascii_superset(encoding: str) -> bool:
    try:
        codecs.lookup(encoding)
        return "a,1\n".encode(encoding).removeprefix(b"\xef\xbb\xbf") == b"a,1\n"
    except (LookupError, UnicodeError):
        return False


def _read_booleans(declared: Any, complaints: Complaints) -> dict[str, bool]:
    words = {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}
    if not isinstance(declared, dict):
        complaints.add("'booleans' is not a mapping of true and false to lists of texts")
        return words
    for word, texts in declared.items():
        if str(word).lower() not in ("true", "false") or not isinstance(texts, list):
            complaints.add("'booleans' is not a mapping of true and false to lists of texts")
            return words
        words.update({str(text).lower(): str(word).lower() == "true" for text in texts})
    return words


def _read_table(name: str, declared: Any, complaints: Complaints) -> Table | None:
    where = f"table {name}"
    if not _NAME.fullmatch(name) or len(name) > 30:
        complaints.add(f"{where}: its name is not of lower case letters, digits and single underscores, 30 at most")
        return None
    if not isinstance(declared, dict):
        complaints.add(f"{where} is not a mapping")
        return None
    complaints.refuse_unknown(where, declared, _TABLE_WORDS)
    files = declared.get("files")
    files = [files] if isinstance(files, str) else files
    origin = _read_origin(where, declared["from"], complaints) if "from" in declared else None
    if origin and files is None:
        files = []
    elif not isinstance(files, list) or not files or not all(isinstance(pattern, str) for pattern in files):
        complaints.add(
            f"{where}: neither 'files' says which files hold it, such as '{name}*.csv', nor 'from' which table of a database"
        )
        files = []
    if not isinstance(declared.get("data_class"), str):
        complaints.add(f"{where}: 'data_class' is missing; the retention policy lists the classes")
    columns = _read_columns(where, declared.get("columns"), complaints)
    by_name = {column.name: column for column in columns}
    key = _read_key(where, declared.get("key", []), by_name, complaints)
    _check_person(where, declared.get("person"), by_name, complaints)
    for word in ("event_at", "updated_at"):
        _check_moment(where, word, declared.get(word), by_name, complaints)
    deleted_when = _read_conditions(f"{where}: deleted_when", declared.get("deleted_when", {}), by_name, complaints)
    return Table(
        name=name,
        files=tuple(files),
        data_class=str(declared.get("data_class")),
        columns=tuple(columns),
        key=key,
        person=declared.get("person"),
        event_at=declared.get("event_at"),
        deleted_when=deleted_when,
        maps=_read_maps(where, declared.get("maps", []), by_name, complaints),
        not_loaded=_read_omissions(where, declared.get("not_loaded", {}), by_name, complaints),
        checks=_read_checks(where, declared.get("checks", []), complaints),
        updated_at=declared.get("updated_at"),
        origin=origin,
    )


def _read_origin(where: str, declared: Any, complaints: Complaints) -> Origin:
    """Where a database holds the rows."""
    where = f"{where}: from"
    if not isinstance(declared, dict):
        complaints.add(f"{where} is not a mapping with table or query")
        return Origin()
    complaints.refuse_unknown(where, declared, _ORIGIN_WORDS)
    if sum(isinstance(declared.get(word), str) and bool(declared[word]) for word in ("table", "query")) != 1:
        complaints.add(f"{where} says neither or both of 'table' and 'query'")
    if not isinstance(declared.get("watermark", ""), str) or not isinstance(declared.get("deletions", True), bool):
        complaints.add(f"{where}: 'watermark' is a column's name, 'deletions' is true or false")
    for word, most in (("overlap_minutes", 525_600), ("most_gone", 1)):
        value = declared.get(word, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            complaints.add(f"{where}: '{word}' is not a number from 0 to {most}")
    return Origin(**{word: value for word, value in declared.items() if word in _ORIGIN_WORDS})


def _read_checks(where: str, declared: Any, complaints: Complaints) -> tuple[dict, ...]:
    """The table's own rules as they stand; the gate knows their words."""
    if not isinstance(declared, list) or not all(isinstance(rule, dict) for rule in declared):
        complaints.add(f"{where}: 'checks' is not a list of rules")
        return ()
    return tuple(declared)


def _read_omissions(where: str, declared: Any, columns: dict[str, Column], complaints: Complaints) -> dict[str, str]:
    if not isinstance(declared, dict) or not all(isinstance(reason, str) and reason for reason in declared.values()):
        complaints.add(f"{where}: 'not_loaded' is not a mapping of columns to reasons")
        return {}
    for header in {column.header for column in columns.values()} & {str(header) for header in declared}:
        complaints.add(f"{where}: '{header}' is both a column and not loaded")
    return {str(header): reason for header, reason in declared.items()}


def _read_columns(where: str, declared: Any, complaints: Complaints) -> list[Column]:
    if not isinstance(declared, dict) or not declared:
        complaints.add(f"{where}: 'columns' is not a mapping with at least one column")
        return []
    columns = [
        _read_column(f"{where}, column {name}", str(name), words, complaints) for name, words in declared.items()
    ]
    columns = [column for column in columns if column]
    headers = [column.header for column in columns]
    for header in sorted({header for header in headers if headers.count(header) > 1}):
        complaints.add(f"{where}: two columns have the header '{header}'")
    return columns


def _read_column(where: str, name: str, declared: Any, complaints: Complaints) -> Column | None:
    if not isinstance(declared, dict):
        complaints.add(f"{where}: is not a mapping with type and class")
        return None
    complaints.refuse_unknown(where, declared, _COLUMN_WORDS)
    if not _COLUMN_NAME.fullmatch(name):
        complaints.add(
            f"{where}: its name is not of lower case letters, digits and underscores; use 'header' for the file's name"
        )
    if name in LEADING_NAMES:
        complaints.add(f"{where}: every raw table has a column of that name already; rename it and say 'header'")
    complaints.choice(f"{where}: type", declared.get("type"), tuple(TYPES))
    complaints.choice(f"{where}: class", declared.get("class"), CLASSES)
    if (declared.get("class") == "source_id") != ("of" in declared):
        complaints.add(f"{where}: class source_id and 'of' (the resource type that the id is of) go together")
    if "match" in declared:
        complaints.choice(f"{where}: match", declared["match"], MATCHES)
    if (declared.get("match") == "identifier") != ("system" in declared):
        complaints.add(f"{where}: 'match: identifier' and 'system' go together")
    if "format" in declared and declared.get("type") not in ("date", "timestamp"):
        complaints.add(f"{where}: 'format' is for dates and timestamps")
    for word in ("optional", "required"):
        if not isinstance(declared.get(word, False), bool):
            complaints.add(f"{where}: '{word}' is neither true nor false")
    longest = declared.get("max_length", MAX_TEXT)
    if isinstance(longest, bool) or not isinstance(longest, int) or not 1 <= longest <= MAX_TEXT:
        complaints.add(f"{where}: 'max_length' is not a whole number from 1 to {MAX_TEXT}")
    return Column(
        name=name,
        type=str(declared.get("type")),
        data_class=str(declared.get("class")),
        header=str(declared.get("header", name)),
        of=declared.get("of"),
        match=declared.get("match"),
        system=declared.get("system"),
        format=declared.get("format"),
        is_optional=declared.get("optional", False),
        is_required=declared.get("required", False),
        max_length=longest,
    )


def _read_key(where: str, declared: Any, columns: dict[str, Column], complaints: Complaints) -> tuple[str, ...]:
    names = [declared] if isinstance(declared, str) else declared
    if not isinstance(names, list):
        complaints.add(f"{where}: 'key' is not a list of columns")
        return ()
    for name in names:
        if name not in columns:
            complaints.add(f"{where}: key column '{name}' is not declared")
        elif columns[name].is_optional:
            complaints.add(f"{where}: key column '{name}' cannot be optional")
    return tuple(str(name) for name in names)


def _check_person(where: str, name: Any, columns: dict[str, Column], complaints: Complaints) -> None:
    if name is None:
        return
    column = columns.get(name)
    if column is None or column.data_class != "source_id" or column.of != "Patient":
        complaints.add(f"{where}: person '{name}' is not a declared column of class source_id, of: Patient")


def _check_moment(where: str, word: str, name: Any, columns: dict[str, Column], complaints: Complaints) -> None:
    if name is None:
        return
    column = columns.get(name)
    if column is None or column.type not in ("date", "timestamp") or column.is_sealed:
        complaints.add(f"{where}: {word} '{name}' is not a declared, unsealed date or timestamp")


def _read_conditions(where: str, declared: Any, columns: dict[str, Column], complaints: Complaints) -> dict:
    if not isinstance(declared, dict):
        complaints.add(f"{where} is not a mapping of columns to lists of values")
        return {}
    read = {}
    for name, values in declared.items():
        values = values if isinstance(values, list) else [values]
        if name not in columns or columns[name].is_sealed or columns[name].data_class == "source_id":
            complaints.add(f"{where}: '{name}' is not a declared column that stands in raw in clear")
        read[str(name)] = tuple(_text(value) for value in values)
    return read


def _text(value: Any) -> str:
    """A YAML scalar as the text that Postgres prints for it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_maps(where: str, declared: Any, columns: dict[str, Column], complaints: Complaints) -> tuple[EntityMap, ...]:
    if not isinstance(declared, list):
        complaints.add(f"{where}: 'maps' is not a list")
        return ()
    read = [_read_map(f"{where}, map {place}", words, columns, complaints) for place, words in enumerate(declared, 1)]
    return tuple(entity_map for entity_map in read if entity_map)


def _read_map(where: str, declared: Any, columns: dict[str, Column], complaints: Complaints) -> EntityMap | None:
    if not isinstance(declared, dict) or declared.get("to") not in ENTITIES:
        complaints.add(f"{where}: 'to' is not one of {', '.join(ENTITIES)}")
        return None
    complaints.refuse_unknown(where, declared, _MAP_WORDS)
    parts = {word: declared.get(word) or {} for word in ("fields", "constants", "values")}
    if not all(isinstance(part, dict) for part in parts.values()):
        complaints.add(f"{where}: fields, constants and values are mappings")
        return None
    known = ENTITIES[declared["to"]]
    for word, part in parts.items():
        complaints.refuse_unknown(f"{where}: {word}", part, set(known))
    _check_fields(where, parts, columns, complaints)
    return EntityMap(
        to=declared["to"],
        fields={str(name): str(column) for name, column in parts["fields"].items()},
        constants={str(name): _text(value) for name, value in parts["constants"].items()},
        values={
            str(name): {_text(old): None if new is None else _text(new) for old, new in words.items()}
            for name, words in parts["values"].items()
            if isinstance(words, dict)
        },
        where=_read_conditions(f"{where}: where", declared.get("where", {}), columns, complaints),
    )


def _check_fields(where: str, parts: dict[str, dict], columns: dict[str, Column], complaints: Complaints) -> None:
    for name, column in parts["fields"].items():
        if column not in columns:
            complaints.add(f"{where}: column '{column}' is not declared")
        elif columns[column].is_sealed:
            complaints.add(f"{where}: column '{column}' is sealed, so no mart can see it; drop it from fields")
        if name in parts["constants"]:
            complaints.add(f"{where}: '{name}' is both a field and a constant")
    for name, words in parts["values"].items():
        if name not in parts["fields"]:
            complaints.add(f"{where}: values for '{name}', which is no field of this map")
        if not isinstance(words, dict):
            complaints.add(f"{where}: values for '{name}' is not a mapping from old to new")
