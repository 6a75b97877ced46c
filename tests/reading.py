"""Reading bytes as a source's file, for tests of the readers."""

from __future__ import annotations

import io
from pathlib import Path

from include.sources.contracts import load_contract
from include.sources.items import Document, Item, Reject, Row
from include.sources.listing import Landed
from include.sources.registry import Source, reader_of


def source_of(kind: str, folder: Path = Path("nowhere"), **words) -> Source:
    """A source that needs no sources.yml."""
    return Source(name="clinic", kind=kind, path=folder, **words)


def read(source: Source, content: bytes, **file) -> list[Item]:
    """Every item of a file with that content."""
    return list(reader_of(source).read(source, lambda: io.BytesIO(content), Landed(**file)))


def tables_source(folder: Path, contract: str, **words) -> Source:
    """A csv source under the contract given as YAML."""
    path = folder / "contract.yml"
    path.write_text(contract, encoding="utf-8")
    return source_of("csv", folder, contract=load_contract(path), **words)


def kept(items: list[Item]) -> list[Document | Row]:
    """What may be loaded."""
    return [item for item in items if isinstance(item, (Document, Row))]


def refused(items: list[Item]) -> list[tuple[int, str]]:
    """Place and reason of what may not."""
    return [(item.place, item.reason_code) for item in items if isinstance(item, Reject)]
