"""What a steward sees of a refused record tells its form and nothing it says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.quality.redaction import BEGINNING, END, redact


@pytest.mark.parametrize(
    ("record", "shape"),
    [
        (b'{"birthDate": "1950-02-30", "gender":"male"}\n', '{"birthDate": "9999-99-99", "gender":"xxx"}'),
        (b"MRN00042,Garcia Marquez,2026-13-01", "xxx99999,xxx xxx,9999-99-99"),
        ("José;12,5 µg".encode(), "xxx;99,9 xx"),
        (b'{"id":"a\x00b"', '{"id":"x?x"'),
        (b"Fran\xe7ois", "xxx?xxx"),
        (b'{"Garcia":1,"given":["Ana"]}', '{"xxx":9,"given":["xxx"]}'),
    ],
)
def test_the_form_stays_and_the_values_go(record, shape):
    assert redact(record) == shape


def test_of_a_long_record_the_beginning_and_the_end_are_shown():
    shape = redact(b'{"note":"' + b"secret words " * 500 + b'", "cut": "off')
    assert shape.startswith('{"note":"xxx xxx ')
    assert shape.endswith(' xxx ", "cut": "xxx')
    assert len(shape) <= BEGINNING + END + 3


@given(st.text(alphabet="abcdefgXYZé0123456789 ,;:-", min_size=1, max_size=800))
def test_no_word_and_no_number_survives(text):
    shape = redact(text.encode())
    assert set(re.findall(r"[^\W\d_]+", shape)) <= {"x", "xx", "xxx"}
    assert set(re.findall(r"\d", shape)) <= {"9"}
