"""The text of a document's attachment: plain, HTML, RTF, C-CDA or PDF, read by parsers that follow no link and expand nothing."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from lxml import etree, html

MOST_BYTES = 32 << 20  # of one attachment
MOST_CHARACTERS = 2_000_000  # of one text; what follows stays sealed
MOST_PAGES = 500
_CDA = "urn:hl7-org:v3"
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "br",
        "tr",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "table",
        "ul",
        "ol",
        "section",
        "header",
        "footer",
    ]
    + ["paragraph", "item", "list", "title", "caption", "td", "th", "pre", "blockquote", "dt", "dd", "hr", "text"]
)
_UNSEEN = frozenset(["script", "style", "head", "template", "noscript"])
_CHARSET = re.compile(r"charset=[\"']?([A-Za-z0-9._-]{1,30})", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n\s*\n\s*(?=\n)")
# What pypdf warns of quotes the bytes around it, and those are patients': none of it may reach a log.
logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
# Decoders whose time grows with the square of the length, or that are no character sets.
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
_ORDER = ("plain", "html", "ccda", "rtf", "pdf")


class Attachment(NamedTuple):
    """A text that was read: ``form`` is one of plain, html, ccda, rtf, pdf; ``is_cut`` where it was longer than is kept."""

    form: str
    text: str
    is_cut: bool = False


class UnreadableError(ValueError):
    """An attachment that no reader makes a text of. Says why, and quotes nothing."""


def read_attachment(data: bytes, content_type: str) -> Attachment:
    """The text of an attachment, by what its bytes are and then by what its media type says. Raises UnreadableError."""
    if len(data) > MOST_BYTES:
        raise UnreadableError("over_large")
    form = form_of(data, content_type)
    if form is None:
        raise UnreadableError("no_text_form")
    try:
        text = _READERS[form](data, content_type)
    except UnreadableError:
        raise
    except Exception as cause:  # parsers of formats raise what they like on hostile bytes; none may stop a night
        raise UnreadableError("broken") from cause
    text = _BLANK_LINES.sub("\n", text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")).strip()
    return Attachment(form, text[:MOST_CHARACTERS], len(text) > MOST_CHARACTERS)


def form_of(data: bytes, content_type: str) -> str | None:
    """Which reader an attachment is for; None for pictures, sounds and the like."""
    head, said = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n"), content_type.split(";")[0].strip().lower()
    if head.startswith(b"%PDF"):
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if _CDA.encode() in data[:4096] and head.startswith(b"<"):
        return "ccda"
    if said in ("text/html", "application/xhtml+xml") or head[:15].lower().startswith((b"<html", b"<!doctype html")):
        return "html"
    if said in (
        "text/xml",
        "application/xml",
        "application/hl7-v3+xml",
        "application/hl7-sda+xml",
        "text/x-hl7-text+xml",
    ):
        return "ccda"
    return "plain" if said.startswith("text/") or said == "" else None


def best_first(forms: list[str]) -> list[int]:
    """Of several forms of the same document, which to try first: indexes."""
    return sorted(range(len(forms)), key=lambda index: _ORDER.index(forms[index]) if forms[index] in _ORDER else 9)


def _plain(data: bytes, content_type: str) -> str:
    said = _CHARSET.search(content_type)
    told = said[1].replace("-", "_").lower() if said else ""
    for charset in (*([told] if told and told not in _NO_CHARSETS else []), "utf-8-sig", "cp1252", "latin-1"):
        try:
            return data.decode(charset)
        except (UnicodeDecodeError, LookupError):
            continue
    raise UnreadableError("unknown_encoding")


def _html(data: bytes, content_type: str) -> str:
    if not data.strip():
        return ""
    parser = html.HTMLParser(
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding=_charset_of(data, content_type),
    )
    return "".join(_texts(html.document_fromstring(data, parser=parser)))


def _charset_of(data: bytes, content_type: str) -> str | None:
    """The media type's charset, else UTF-8 where the bytes are; else what the document itself says."""
    said = _CHARSET.search(content_type)
    if said:
        return said[1]
    try:
        data.decode()
    except UnicodeDecodeError:
        return None
    return "utf-8"


def _ccda(data: bytes, _: str) -> str:
    """Titles and narrative blocks of a clinical document's sections; any other XML as the text of its elements."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    root = etree.fromstring(data, parser)
    if root.getroottree().docinfo.doctype:
        raise UnreadableError("has_doctype")
    sections = root.findall(f".//{{{_CDA}}}section")
    if not sections:
        return "".join(_texts(root))
    return "\n\n".join(filter(None, map(_section, sections)))


def _section(section: etree._Element) -> str:
    title, text = section.find(f"{{{_CDA}}}title"), section.find(f"{{{_CDA}}}text")
    heading = "".join(_texts(title)).strip() if title is not None else ""
    narrative = "".join(_texts(text)).strip() if text is not None else ""
    return f"{heading.rstrip(':')}:\n{narrative}" if heading else narrative


def _texts(element: etree._Element) -> Iterator[str]:
    """The text of an element and what is in it, with a line's end at every block. Loops instead of recursing."""
    skipped = 0
    for event, node in etree.iterwalk(element, events=("start", "end")):
        name = etree.QName(node).localname.lower() if isinstance(node.tag, str) else ""
        is_unseen = name in _UNSEEN or not name
        if event == "start":
            skipped += is_unseen
            if not skipped:
                if name in _BLOCKS and name != "br":
                    yield "\n"
                yield _joined(node.text, name)
            continue
        skipped -= is_unseen
        if not skipped and node is not element:
            if name in _BLOCKS:
                yield "\n"
            yield _joined(node.tail, "")


def _joined(text: str | None, name: str) -> str:
    return text or "" if name == "pre" else re.sub(r"\s+", " ", text or "")


def _rtf(data: bytes, _: str) -> str:
    from striprtf.striprtf import rtf_to_text

    return rtf_to_text(data.decode("cp1252", errors="replace"), errors="replace")


def _pdf(data: bytes, _: str) -> str:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError("encrypted")
    pages, size = [], 0
    for number, page in enumerate(reader.pages):
        if number >= MOST_PAGES or size > MOST_CHARACTERS:
            break
        pages.append(page.extract_text())
        size += len(pages[-1])
    if not any(map(str.strip, pages)):
        raise UnreadableError("pictures_only")
    return "\n\n".join(pages)


_READERS: Mapping[str, Callable[[bytes, str], Any]] = {
    "plain": _plain,
    "html": _html,
    "ccda": _ccda,
    "rtf": _rtf,
    "pdf": _pdf,
}
