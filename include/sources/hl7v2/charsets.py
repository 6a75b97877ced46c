"""MSH-18 to text: HL7 table 0211 and the names people use beside it.

https://terminology.hl7.org/CodeSystem-v2-0211.html; what is not named here is refused, because guessing garbles names.
"""

from __future__ import annotations

from collections.abc import Sequence

_UTF8 = "utf-8"
_CODECS = {
    "": _UTF8,
    "ASCII": _UTF8,  # senders that say ASCII and send more mostly send UTF-8; other bytes are refused
    "US-ASCII": _UTF8,
    "ISO IR6": _UTF8,
    "UNICODE UTF-8": _UTF8,
    "UNICODE": _UTF8,
    "UTF-8": _UTF8,
    "UTF8": _UTF8,
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "CP1252": "cp1252",
    "WINDOWS-1252": "cp1252",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    **{f"ISO-8859-{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}
_PASSED_ON = ("utf-16", "utf-32")  # by the time a message is cut out of such a file, it is UTF-8


# Sets that a sender switches to by escape sequences in the middle of a text that begins in ASCII.
_BY_ESCAPE = {"ISO IR87": "iso2022_jp", "ISO IR159": "iso2022_jp_1"}
_BEGIN_IN_ASCII = ("", "ASCII", "US-ASCII", "ISO IR6")


def codec_of(charsets: Sequence[str], default: str | None = None) -> str | None:
    """The Python codec of MSH-18's repetitions; None for a character set that is not known.

    The first says how the message begins; of the others only those count that Japanese messages switch to. ``default``
    counts where MSH-18 is empty.
    """
    name, *others = (each.strip().upper() for each in charsets)
    if name in _BEGIN_IN_ASCII:
        switched = [_BY_ESCAPE[other] for other in others if other in _BY_ESCAPE]
        if switched:
            return max(switched)  # ISO-2022-JP-1 holds what ISO-2022-JP does
    if not name and default:
        return default
    codec = _CODECS.get(name)
    return _UTF8 if codec in _PASSED_ON else codec
