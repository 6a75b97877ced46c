"""What the classification leaves in clear of the sample names nobody, whatever the hiding place."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from include.privacy.classification import load_classification
from include.privacy.documents import DocumentSplitter
from include.privacy.tokens import Tokeniser
from include.sample.exposure import IdentifierIndex, search_texts
from include.sample.make import DEFAULT_NIGHT, Request, make_sample
from include.sample.score import read_rows


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    make_sample(Request(folder, 11, 150, DEFAULT_NIGHT))
    return folder


def delivered(sample: Path) -> list[bytes]:
    paths = sorted((sample / "north" / "fhir_bulk").glob("[A-Z]*.ndjson.gz"))
    return [
        line for path in paths if ".002." not in path.name for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def test_no_planted_identifier_is_left_in_clear_and_every_trap_is_sealed(sample: Path) -> None:
    rows = read_rows(sample / "answer_key" / "identifiers.jsonl")
    index = IdentifierIndex.of(rows)
    groups, _ = DocumentSplitter(load_classification(), Tokeniser(b"k" * 32), "north").split(delivered(sample))
    clear = [("clear", body.decode()) for group in groups for body in group.bodies]
    assert len(clear) > 3_000
    assert search_texts(clear, index) == Counter()
    sealed = search_texts([("sealed", body.decode()) for group in groups for body in group.sealed], index)
    assert sealed["sealed", "full_name"] > 20 and sealed["sealed", "ssn"] > 50, (
        "the search finds nothing even where it should"
    )
