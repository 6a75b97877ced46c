"""Delimited files come out row by row under their contract, and one bad cell, quote or line costs no other row."""

from __future__ import annotations

import csv
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.sources.csv_files import list_files
from include.sources.items import BrokenContainerError, Notice, Row
from tests.reading import kept, read, refused, tables_source

VISITS = """
owner: tests
tables:
  visits:
    files: "visits*.csv"
    data_class: patient_data
    key: [visit]
    person: patient
    columns:
      visit: {type: text, class: source_id, of: Encounter}
      patient: {type: text, class: source_id, of: Patient, required: true}
      started: {type: timestamp, class: quasi_identifier}
      born: {type: date, class: quasi_identifier}
      beds: {type: integer, class: clinical}
      cost: {type: decimal, class: clinical}
      urgent: {type: boolean, class: clinical}
      note: {type: text, class: free_text, max_length: 20, optional: true}
"""
HEADER = b"visit,patient,started,born,beds,cost,urgent,note\n"
GOOD = b"v1,p1,2026-07-01T08:30:00,1950-02-28,3,12.50,Y,calm\n"


@pytest.fixture
def visits(tmp_path):
    source = tables_source(tmp_path, VISITS, timezone="America/New_York")

    def run(content: bytes, header: bytes = HEADER, **words):
        return read(source, header + content, dataset="visits", **words)

    return run


def under(folder, contract: str, content: bytes, **words):
    return read(tables_source(folder, contract, **words), content, dataset="t")


SMALL = """
owner: tests
{dialect}
tables:
  t: {{files: "t*", data_class: patient_data, columns: {{a: {{type: text, class: clinical}}, b: {{type: text, class: clinical}}}}}}
"""


def small(dialect: str = "") -> str:
    return SMALL.format(dialect=dialect)


def test_a_file_with_none_of_the_optional_columns_is_no_file_of_the_table_and_names_none_of_its_cells(tmp_path):
    contract = small().replace("class: clinical}", "class: clinical, optional: true}")
    with pytest.raises(BrokenContainerError, match="2 of 2 declared columns are not in the file: a, b") as problem:
        under(tmp_path, contract, b"Quackenbush,1950\nJones,1960\n")
    assert "Quackenbush" not in str(problem.value)


def test_a_row_comes_with_typed_values_its_key_and_its_line(visits):
    (row,) = visits(GOOD)
    assert row == Row(
        place=2,
        table="visits",
        content="\x1f".join(["v1", "p1", "2026-07-01T08:30:00", "1950-02-28", "3", "12.50", "Y", "calm"]).encode(),
        values=("v1", "p1", "2026-07-01T08:30:00-04:00", "1950-02-28", "3", "12.50", "true", "calm"),
        key="v1",
    )


@pytest.mark.parametrize("number", ["1e999", "-9E+308", "1" * 290 + "e50"])
def test_a_number_that_no_double_can_hold_is_refused_and_a_large_one_is_kept(visits, number):
    row = GOOD.decode().replace("12.50", number).encode()
    assert refused(visits(row)) == [(2, "bad_value_type")]
    (large,) = visits(GOOD.replace(b"12.50", b"1.5e300"))
    assert large.values[5] == "1.5e300"


def test_null_values_are_null_whatever_the_type(visits):
    (row,) = visits(b"v1,p1,,,,,,\n")
    assert row.values == ("v1", "p1", None, None, None, None, None, None)


def test_the_order_of_columns_changes_neither_values_nor_identity(visits):
    (one,) = visits(GOOD)
    (other,) = visits(
        b"calm,Y,12.50,3,1950-02-28,2026-07-01T08:30:00,p1,v1\n", b"note,urgent,cost,beds,born,started,patient,visit\n"
    )
    assert (one.values, one.content, one.key) == (other.values, other.content, other.key)


def test_headers_match_with_blanks_and_in_another_case(visits):
    (row,) = visits(GOOD, HEADER.upper().replace(b",", b" , "))
    assert row.values[0] == "v1"


def test_undeclared_columns_are_counted_named_and_not_loaded(visits):
    notice, row = visits(GOOD.strip() + b",999-12-3456,x,y\n", HEADER.strip() + b",ssn,Ann Example 1950,\n")
    assert notice == Notice("undeclared_column", 3, ("ssn",), "visits")
    assert b"999-12-3456" not in row.content


def test_an_absent_optional_column_is_null_and_said(visits):
    notice, row = visits(GOOD.removesuffix(b",calm\n") + b"\n", HEADER.removesuffix(b",note\n") + b"\n")
    assert notice == Notice("missing_optional_column", 1, ("note",), "visits")
    assert row.values[-1] is None


BAD_ROWS = {
    "invalid_utf8": b"v2,p2,,,,,,\xff\n",
    "nul": b"v2,p2,,,,,,a\0b\n",
    "wrong_column_count": b"v2,p2,,,\n",
    "unterminated_quote": b'v2,p2,,,,,,"open\n',
    "bad_value_type": b"v2,p2,yesterday,,,,,\n",
    "over_long_field": b"v2,p2,,,,,," + b"x" * 21 + b"\n",
    "missing_key": b",p2,,,,,,\n",
    "missing_required_value": b"v2,,,,,,,\n",
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_a_bad_row_is_refused_with_its_reason_and_the_others_are_read(visits, reason):
    items = visits(GOOD + BAD_ROWS[reason] + GOOD.replace(b"v1", b"v3"))
    assert refused(items) == [(3, reason)]
    assert [(row.place, row.key) for row in kept(items)] == [(2, "v1"), (4, "v3")]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("started", "2026-02-30T00:00:00"), ("started", "2026-13-01"), ("started", "noon"),
        ("born", "28.02.1950"), ("born", "1950-02-30"), ("born", "1950"), ("born", "0000-01-01"),
        ("beds", "3.5"), ("beds", "three"), ("beds", "1" * 19), ("beds", "\u0663"),
        ("cost", "12,50"), ("cost", "NaN"), ("cost", "Infinity"), ("cost", "1_000"), ("cost", "$5"),
        ("urgent", "perhaps"), ("urgent", "2"),
    ],
)  # fmt: skip
def test_a_cell_that_is_not_of_its_type_names_the_column_and_not_the_value(visits, column, cell):
    names = HEADER.decode().strip().split(",")
    cells = ["v1", "p1", *[""] * 6]
    cells[names.index(column)] = f'"{cell}"'
    (reject,) = visits((",".join(cells) + "\n").encode())
    assert reject.reason_code == "bad_value_type"
    assert f"column '{column}'" in reject.found
    assert cell not in reject.found


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("started", "2026-01-15 08:30:00", "2026-01-15 08:30:00-05:00"),
        ("started", "2026-01-15T08:30:00.5", "2026-01-15T08:30:00.500000-05:00"),
        ("started", "2026-01-15T08:30:00Z", "2026-01-15T08:30:00+00:00"),
        ("started", "2026-01-15T08:30:00+02:00", "2026-01-15T06:30:00+00:00"),
        ("started", "2026-01-15", "2026-01-15T00:00:00-05:00"),
        ("started", "20260115T083000", "2026-01-15T08:30:00-05:00"),
        ("started", "2026-11-01T01:30:00", "2026-11-01T05:30:00+00:00"),  # happens twice: the first
        ("started", "2026-03-08T02:30:00", "2026-03-08T07:30:00+00:00"),  # skipped: an hour on
        ("started", "2026-03-08T03:30:00", "2026-03-08T07:30:00+00:00"),
        ("born", " 1950-02-28 ", "1950-02-28"),
        ("beds", "-3", "-3"), ("beds", " 7 ", "7"),
        ("cost", "1e3", "1e3"), ("cost", ".5", ".5"), ("cost", "+7.", "+7."),
        ("urgent", "False", "false"), ("urgent", "t", "true"), ("urgent", "0", "false"),
    ],
)  # fmt: skip
def test_cells_are_read_as_people_write_them(visits, column, cell, value):
    names = HEADER.decode().strip().split(",")
    cells = ["v1", "p1", *[""] * 6]
    cells[names.index(column)] = cell
    (row,) = visits((",".join(cells) + "\n").encode())
    assert row.values[names.index(column)] == value


def test_declared_formats_booleans_and_null_values_are_used(tmp_path):
    contract = """
    owner: tests
    delimiter: ";"
    null_values: ["", "NULL", "-"]
    booleans: {"true": [ja], "false": [nein]}
    tables:
      t:
        files: t.csv
        data_class: patient_data
        columns:
          at: {type: timestamp, class: quasi_identifier, header: Aufnahme, format: "%d.%m.%Y %H:%M"}
          on: {type: date, class: quasi_identifier, format: "%m/%d/%Y"}
          ok: {type: boolean, class: clinical}
    """
    items = under(tmp_path, contract, b"Aufnahme;on;ok\n31.01.2026 14:05;02/28/1950;Ja\nNULL;-;nein\n31/01/2026;-;\n")
    assert [row.values for row in kept(items)] == [
        ("2026-01-31T14:05:00+00:00", "1950-02-28", "true"),
        (None, None, "false"),
    ]
    assert refused(items) == [(4, "bad_value_type")]


def test_quotes_hold_delimiters_quotes_and_line_ends(tmp_path):
    items = under(tmp_path, small(), b'a,b\n"x, y","say ""hi"""\n"two\nlines",z\r\nlast,one')
    assert [(row.place, row.values) for row in items] == [
        (2, ("x, y", 'say "hi"')),
        (3, ("two\nlines", "z")),
        (5, ("last", "one")),
    ]


def test_a_quote_that_never_closes_costs_one_line(tmp_path):
    rows = b"".join(b"r%d,x\n" % number for number in range(500))
    items = under(tmp_path, small(), b"a,b\n" + b'bad,"open\n' + rows)
    assert refused(items) == [(2, "unterminated_quote")]
    assert len(kept(items)) == 500


def test_a_quote_closed_by_a_later_line_does_not_swallow_it(tmp_path):
    items = under(tmp_path, small(), b'a,b\nbad,"open\ngood,x\nother,"y"\nlast,z\n')
    assert refused(items) == [(2, "unterminated_quote")]
    assert [row.values[0] for row in kept(items)] == ["good", "other", "last"]


def test_a_record_that_took_in_whole_rows_gives_them_back(tmp_path):
    items = under(tmp_path, small(), b'a,b\nbad,"open\ngood,x\nother",y\nlast,z\n')
    assert refused(items) == [(2, "unterminated_quote")]
    assert [(row.place, row.values[0]) for row in kept(items)] == [(3, "good"), (4, 'other"'), (5, "last")]


def test_rows_after_one_of_several_lines_keep_their_place(tmp_path):
    items = under(tmp_path, small(), b'a,b\n"two\nlines",z\nnext,x\n')
    assert [row.place for row in items] == [2, 4]


def test_a_quoted_text_over_the_limit_costs_one_line(tmp_path):
    items = under(tmp_path, small(), b'a,b\nbad,"' + b"x\n" * 2000 + b"good,y\n", max_record_bytes=1024)
    assert refused(items)[0] == (2, "unterminated_quote")
    assert kept(items)[-1].values == ("good", "y")


def test_a_line_over_the_limit_is_refused(tmp_path):
    items = under(tmp_path, small(), b"a,b\nx," + b"y" * 3000 + b"\ngood,z\n", max_record_bytes=1024)
    assert refused(items) == [(2, "over_long")]
    assert kept(items)[0].values == ("good", "z")


def test_without_a_quote_character_quotes_are_letters(tmp_path):
    (row,) = under(tmp_path, small('quotechar: ""\ndelimiter: "|"'), b'a|b\n"x|y"\n')
    assert row.values == ('"x', 'y"')


def test_a_table_without_a_key_knows_rows_by_their_content(tmp_path):
    one, two, other = under(tmp_path, small(), b"a,b\nx,y\nx,y\nx,z\n")
    assert one.key == two.key != other.key


def test_keys_of_several_columns_do_not_run_together(tmp_path):
    contract = small().replace("columns:", "key: [a, b], columns:")
    one, two = under(tmp_path, contract, b"a,b\nxy,z\nx,yz\n")
    assert one.key != two.key


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_any_line_end_is_read(tmp_path, ends):
    items = under(tmp_path, small(), ends.join([b"a,b", b"x,y", b"1,2", b""]))
    assert [row.values for row in kept(items)] == [("x", "y"), ("1", "2")]


@pytest.mark.parametrize(
    ("encoding", "cell"), [("latin-1", "Müller"), ("cp1252", "café €"), ("utf-8-sig", "Ørsted"), ("utf-8", "山田")]
)
def test_declared_encodings_are_read(tmp_path, encoding, cell):
    items = under(tmp_path, small(f"encoding: {encoding}"), f"a,b\n{cell},x\n".encode(encoding))
    assert items[0].values == (cell, "x")


def test_bytes_that_the_encoding_lacks_refuse_the_row(tmp_path):
    items = under(tmp_path, small("encoding: cp1252"), b"a,b\nx,\x81\ny,z\n")
    assert refused(items) == [(2, "invalid_encoding")]
    assert len(kept(items)) == 1


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path):
    assert under(tmp_path, small(), b"\xef\xbb\xbfa,b\nx,y\n")[0].values == ("x", "y")


def test_blank_lines_are_no_rows_and_are_said(tmp_path):
    items = under(tmp_path, small(), b"\na,b\n\nx,y\n\n")
    assert [item.place for item in kept(items)] == [4]
    assert items[-1] == Notice("blank_line", 2, (), "t")


@pytest.mark.parametrize("last", [b" ", b"\t\n", b" \t \n"])
def test_a_line_of_spaces_is_blank(tmp_path, last):
    items = under(tmp_path, small(), b"a,b\nx,y\n" + last)
    assert [item.values for item in kept(items)] == [("x", "y")]
    assert items[-1] == Notice("blank_line", 1, (), "t")
    assert not refused(items)


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        (b"", "no_header", "without a header line"),
        (b"\n\n", "no_header", "without a header line"),
        (b"a\nx\n", "missing_column", "1 of 2 declared columns are not in the file: b"),
        (b"Smith,x\nJones,y\n", "missing_column", "2 of 2 declared columns are not in the file: a, b"),
        (b"a,b,a\nx,y,z\n", "bad_header", "column 'a' more than once"),
        (b"a,\xff\nx,y\n", "bad_header", "not UTF-8"),
        (b'a,"b\nx,y\n', "bad_header", "quote"),
        (gzip.compress(b"a,b\n" + b"x,y\n" * 1000, mtime=0)[:-3], "truncated_gzip", "ends in the middle"),
    ],
)
def test_a_broken_file_is_refused_as_a_whole(tmp_path, content, reason, says):
    with pytest.raises(BrokenContainerError, match=says) as problem:
        under(tmp_path, small(), content)
    assert problem.value.reason_code == reason
    assert "Smith" not in str(problem.value)


def test_gzip_is_read_as_plain(tmp_path):
    source = tables_source(tmp_path, small())
    assert read(source, gzip.compress(b"a,b\nx,y\n"), dataset="t", is_gzip=True)[0].values == ("x", "y")


def test_columns_left_out_on_purpose_are_no_drift(tmp_path):
    known = small().replace("columns:", "not_loaded: {c: no use}, columns:")
    assert [item.code for item in under(tmp_path, known, b"a,b,c,d\n1,2,3,4\n") if isinstance(item, Notice)] == [
        "undeclared_column"
    ]
    assert not [item for item in under(tmp_path, known, b"a,b,c\n1,2,3\n") if isinstance(item, Notice)]


def test_files_belong_to_the_first_table_whose_pattern_fits(tmp_path):
    contract = """
    owner: tests
    tables:
      labs: {files: ["labs_*.csv", "old/*.csv"], data_class: lab_results, columns: {a: {type: text, class: clinical}}}
      notes: {files: "notes*.csv", data_class: patient_data, columns: {a: {type: text, class: clinical}}}
    """
    source = tables_source(tmp_path, contract)
    for name in ("labs_2.csv", "labs_1.csv.gz", "old/x.csv", "other.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"a\n")
    listing = list_files(source)
    assert [(file.path.name, file.dataset, file.is_gzip) for file in listing.files] == [
        ("labs_1.csv.gz", "labs", True),
        ("labs_2.csv", "labs", False),
        ("x.csv", "labs", False),
    ]
    assert listing.absent == ("notes",)
    assert listing.ignored == 2  # other.csv and the contract


_CELLS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r"), max_size=8)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1, max_size=8))
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory, rows):
    source = tables_source(tmp_path_factory.mktemp("csv"), small('null_values: ["\\u0001"]'))
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("a", "b"), *rows])
    items = read(source, text.getvalue().encode(), dataset="t")
    assert [item.values for item in items] == [tuple(cell if cell != "\1" else None for cell in row) for row in rows]


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200) | st.text('ab,"\n\r x', max_size=80).map(str.encode))
def test_whatever_the_bytes_every_line_is_a_row_a_reject_or_blank(tmp_path_factory, content):
    source = tables_source(tmp_path_factory.mktemp("csv"), small())
    items = read(source, b"a,b\n" + content, dataset="t")
    places = [item.place for item in items if not isinstance(item, Notice)]
    assert places == sorted(set(places))
    assert all(place <= content.count(b"\n") + content.count(b"\r") + 2 for place in places)
