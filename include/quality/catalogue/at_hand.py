"""What ``make check`` is to look at: a folder, or an entry of a sources.yml, with its files at hand."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from include.settings import Settings
from include.sources.pulling import pull_everything
from include.sources.registry import Source, SourcesError, find_source, kinds, load_sources, make_source, reader_of


def find(asked: str, kind: str | None = None, contract: str | None = None, words: Sequence[str] = ()) -> Source:
    """The source to check: ``sources.yml``, ``sources.yml:name`` or a folder (with its kind where files do not tell it).

    ``words``: of a folder, what else its entry in a sources.yml would say, each ``word=value``. Raises SourcesError where
    that is not one source.
    """
    if not asked:
        raise SourcesError(
            found="no SOURCE", expected="a folder of files, or a sources.yml", action="make check SOURCE=exports/north"
        )
    path, _, name = asked.partition(":") if not Path(asked).exists() else (asked, "", "")
    if Path(path).is_file() and Path(path).suffix in (".yml", ".yaml"):
        sources = load_sources(Path(path))
        if name:
            return find_source(sources, name)
        if len(sources) == 1:
            return sources[0]
        raise SourcesError(
            found=f"{path} declares {len(sources)} sources",
            expected="one source to check",
            action=f"name it: SOURCE={path}:{sources[0].name}",
        )
    if not Path(path).exists():
        raise SourcesError(
            found=f"there is no {path}", expected="a folder of files, or a sources.yml", action="correct SOURCE="
        )
    return _of_folder(Path(path).resolve(), kind, contract, words)


def _of_folder(folder: Path, kind: str | None, contract: str | None, words: Sequence[str]) -> Source:
    kind = kind or _kind_of(folder)
    if kind not in kinds():
        raise SourcesError(
            found=f"no kind is called '{kind}'",
            expected=f"KIND= one of {', '.join(kinds())}",
            action="correct KIND, or name an entry: SOURCE=sources.yml:name",
        )
    reader = kinds()[kind]
    if hasattr(reader, "pull"):
        raise SourcesError(
            found=f"a source of kind {kind} is asked, not read from a folder",
            expected="its entry in a sources.yml, with where it is and which secret opens it",
            action="name it: SOURCE=sources.yml:name",
        )
    if reader.HAS_CONTRACT and not contract:
        raise SourcesError(
            found=f"{folder.name} holds tables, and no contract says what their columns are",
            expected="a contract: columns, types, keys, and what each table means",
            action="name it: CONTRACT=contract.yml; include/sources/contracts.py lists its words",
        )
    # Declared like any other source, so that every word is checked by the one reader of declarations.
    entry = {"name": "folder", "kind": kind, "path": str(folder), **_said(words)}
    if contract:
        entry["contract"] = str(Path(contract).resolve())
    return make_source(entry, folder.parent, "what SET=word=value says")


def _said(words: Sequence[str]) -> dict[str, Any]:
    """Further words of the entry; several in one text are parted by semicolons."""
    parts = [part for each in words for part in re.split(r";\s*(?=\w+=)", each)]
    return {name.strip(): _value(name, value) for name, _, value in (part.partition("=") for part in parts)}


def _value(name: str, text: str) -> Any:
    """As YAML reads it; a pattern such as *.txt, which it does not, as it stands."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        if text.lstrip()[:1] in ("{", "["):
            raise SourcesError(
                found=f"SET={name}=… is not YAML", expected="word=value", action="close the brackets"
            ) from None
        return text.strip()


# Kinds by the endings of their files, the most telling first; packed or not.
_ENDINGS = (
    ("fhir_bulk", (".ndjson", ".jsonl")),
    ("hl7v2", (".hl7",)),
    ("dicom", (".dcm", ".dicom")),
    ("fhir_bundles", (".json",)),
    ("csv", (".csv",)),
    ("clinical_notes", (".txt", ".rtf", ".html", ".pdf")),
)


def _kind_of(folder: Path) -> str:
    files = sorted(path for path in (folder.rglob("*") if folder.is_dir() else [folder]) if path.is_file())
    names = [path.name.lower().removesuffix(".gz") for path in files if path.name != "manifest.json"]
    for kind, endings in _ENDINGS:
        if any(name.endswith(endings) for name in names):
            return kind
    if any(_is_dicom(path) for path in files[:20]):
        return "dicom"
    raise SourcesError(
        found=f"none of {len(files)} files in {folder.name} tells its kind by its name",
        expected=f"files of one of the kinds {', '.join(kinds())}",
        action="say it: KIND=hl7v2",
    )


def _is_dicom(path: Path) -> bool:
    """Part 10 files hold these letters after 128 bytes."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


@contextmanager
def at_hand(source: Source, night: date, settings: Settings, tell: Callable[[str], None]) -> Iterator[Source]:
    """The source with its files at hand: a kind that is asked brings them into a folder that is gone afterwards."""
    reader = reader_of(source)
    if hasattr(reader, "pull"):
        with tempfile.TemporaryDirectory(prefix="plumbline-check-") as folder:
            tell(f"asking {source.name} ({source.kind})")
            yield pull_everything(source, Path(folder), settings.secret, night)
        return
    if not source.path.exists():
        raise SourcesError(
            found=f"there is nothing at {source.path}",
            expected=f"what {source.name} delivers",
            action="correct its path",
        )
    listing = reader.list_files(source)
    if not any(file.dataset for file in listing.files):
        raise SourcesError(
            found=f"no file of kind {source.kind} among {listing.ignored + len(listing.files)} files of {source.name}",
            expected="files whose names or contents say that they are of that kind",
            action="correct SOURCE or KIND",
        )
    yield source
