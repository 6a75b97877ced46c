"""Messages are cut out of whatever they come in; what cannot be read is refused alone, with its reason and place."""

from __future__ import annotations

import gzip

import pytest

from include.sources.hl7v2.framing import cut_messages
from include.sources.hl7v2.message import parse_message
from include.sources.items import BrokenContainerError, Document, Notice, Reject
from tests.hl7v2_messages import admit, message, one, resources, results
from tests.reading import read, refused, source_of

SOURCE = source_of("hl7v2")


def patients(content: bytes, **words) -> list[dict]:
    return resources(read(source_of("hl7v2", **words), content), "Patient")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_gives_the_same_resources(end):
    usual = read(SOURCE, message("ADT^A01", "EVN|A01"))
    assert read(SOURCE, message("ADT^A01", "EVN|A01", end=end)) == usual
    assert len(usual) == 1


@pytest.mark.parametrize("between", [b"", b"\r", b"\r\n\r\n", b"\n"])
def test_several_messages_in_a_file(between):
    items = read(SOURCE, between.join([admit(1, "A1"), admit(2, "A2"), admit(3, "A3")]))
    assert len(resources(items, "Patient")) == 3
    assert {item.place for item in items if isinstance(item, Document)} == {1, 2, 3}


def test_a_batch_in_its_envelope_and_in_mllp_blocks():
    framed = b"".join(b"\x0b" + each + b"\x1c\r" for each in (admit(1), admit(2)))
    batch = b"FHS|^~\\&|ADTAPP\rBHS|^~\\&|ADTAPP\r" + admit(1) + admit(2) + b"BTS|2\rFTS|1\r"
    assert len(patients(framed)) == len(patients(batch)) == 2
    assert not refused(read(SOURCE, batch))


@pytest.mark.parametrize("trailer", [b"BTS", b"BTS|", b"BTS|\x00", b"BTS||"])
def test_a_batch_s_trailer_that_announces_nothing_refuses_nothing(trailer):
    items = read(SOURCE, trailer + b"\r" + admit(1) + b"\x0b" + trailer + b"\r")
    assert len(resources(items, "Patient")) == 1 and not refused(items)


def test_a_batch_that_announces_more_than_came_is_told():
    batch = b"BHS|^~\\&|ADTAPP\r" + admit(1) + admit(2) + b"BTS|3\r"
    assert refused(read(SOURCE, batch)) == [(2, "batch_count")]
    assert len(patients(batch)) == 2


def test_packed_marked_and_utf16_files():
    assert patients(gzip.compress(admit())) == patients(b"\xef\xbb\xbf" + admit()) == patients(admit())
    assert patients(admit().decode().encode("utf-16")) == patients(admit())


def test_delimiters_of_the_sender_s_own():
    usual = admit()
    own = usual.decode().translate(str.maketrans("|^~\\&", "#@*!%")).encode()
    assert patients(own) == patients(usual)
    piped = own.replace(b"Quackenbush", b"Quack|n^sh")
    assert patients(piped)[0]["name"][0]["family"] == "Quack|n^sh"


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("8859/1", "latin-1"),
        ("8859/15", "iso8859-15"),
        ("GB 18030-2000", "gb18030"),
    ],
)
def test_character_sets_by_msh_18(charset, codec):
    text = admit().decode().replace("|P|2.5.1", f"|P|2.5.1||||||{charset}").replace("Quackenbush", "Grün")
    assert patients(text.encode(codec))[0]["name"][0]["family"] == "Grün"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_need_no_mark(codec):
    text = admit().decode().replace("|P|2.5.1", "|P|2.5.1||||||UNICODE UTF-16").replace("Quackenbush", "Grün")
    assert one(read(SOURCE, text.encode(codec)), "Patient")["name"][0]["family"] == "Grün"


@pytest.mark.parametrize("charsets", ["~ISO IR87", "ASCII~ISO IR87", "ISO IR6~ISO IR87~ISO IR159"])
def test_japanese_messages_switch_sets_by_escape_sequences(charsets):
    text = admit().decode().replace("|P|2.5.1", f"|P|2.5.1||||||{charsets}").replace("Quackenbush", "山田^太郎")
    assert one(read(SOURCE, text.encode("iso2022_jp")), "Patient")["name"][0]["family"] == "山田"


def test_japanese_of_two_bytes_that_look_like_delimiters():
    text = admit().decode().replace("|P|2.5.1", "|P|2.5.1||||||ISO IR87").replace("Quackenbush", "山田")
    assert patients(text.encode("iso2022_jp"))[0]["name"][0]["family"] == "山田"


def test_a_character_set_that_is_wrong_or_unknown_is_refused():
    latin = admit().decode().replace("Quackenbush", "Grün").encode("latin-1")
    assert refused(read(SOURCE, latin)) == [(1, "invalid_charset")]
    unknown = admit().decode().replace("|P|2.5.1", "|P|2.5.1||||||KLINGON").encode()
    assert refused(read(SOURCE, unknown)) == [(1, "unknown_charset")]


def test_a_declared_encoding_is_for_messages_that_name_none():
    from include.sources.hl7v2.files import Options

    latin = admit().decode().replace("Quackenbush", "Grün").encode("cp1252")
    assert patients(latin, options=Options(encoding="cp1252"))[0]["name"][0]["family"] == "Grün"


def test_escape_sequences():
    text = "OBX|1|ST|8251-1^Note^LN||a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\X41\\g\\.br\\h\\H\\i\\N\\j\\Zk\\||||||F"
    observation = one(read(SOURCE, message("ORU^R01", text)), "Observation")
    assert observation["valueString"] == "a|b^c&d~e\\fAg\nhij\\Zk\\"


def test_a_nul_cannot_be_smuggled_in():
    escaped = message("ORU^R01", "OBX|1|ST|8251-1^Note^LN||a\\X00\\b||||||F")
    assert one(read(SOURCE, escaped), "Observation")["valueString"] == "a\\X00\\b"
    assert refused(read(SOURCE, escaped.replace(b"\\X00\\", b"\0"))) == [(1, "nul")]


def test_text_that_an_interface_broke_in_two_is_put_together():
    items = read(SOURCE, message("ORU^R01", "OBX|1|TX|8251-1^Note^LN||first line\nsecond line||||||F"))
    assert refused(items) == [(1, "bad_segment")]  # the second part has separators: it may be a cut segment
    items = read(SOURCE, message("ORU^R01", "OBX|1|TX|8251-1^Note^LN||first line\nand more"))
    assert one(items, "Observation")["valueString"] == "first line\nand more"
    assert [item.code for item in items if isinstance(item, Notice)] == ["wrapped_line"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x0b" + admit(), "truncated_message"),
        (admit().replace(b"ADT^A01^ADT_A01", b""), "missing_message_type"),
        (admit().replace(b"|2.5.1", b"|3.0"), "unsupported_version"),
        (b"MSH|||||||||||\r", "missing_message_type"),
        (b"MSH|^~\\&&&&&&&|A|B|C|D|20260101||ADT^A01|1|P|2.3\r", "bad_delimiters"),
        (b"MSH|^^~&|A|B|C|D|20260101||ADT^A01|1|P|2.3\r", "bad_delimiters"),
        (b"MSHA^~\\&AB\r", "not_hl7v2"),
        (b"MSH|^~\\&|A|B|C|D|20260101||ACK|1|P|2.3\rMSA|AA|7\r", "missing_patient"),
        (admit().replace(b"P1^^^GHH^MR", b""), "missing_patient_id"),
        (admit() + b"pid|x|y\r", "bad_segment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_with_its_reason(content, reason):
    if reason == "not_hl7v2":
        with pytest.raises(BrokenContainerError) as broken:
            read(SOURCE, content)
        assert broken.value.reason_code == reason
        return
    items = read(SOURCE, admit(9) + content + admit(8))
    assert refused(items) == [(2, reason)]
    assert {item.place for item in items if isinstance(item, Document)} == {1, 3}


def test_a_message_cut_in_the_middle_of_a_line_does_not_swallow_the_next():
    items = read(SOURCE, admit(1)[:-30] + admit(2))
    assert refused(items) == [(1, "truncated_message")]
    assert len(resources(items, "Patient")) == 1


def test_text_around_messages_is_refused_and_the_messages_are_not():
    assert refused(read(SOURCE, b"hello\r" + admit())) == [(0, "stray_text")]
    assert refused(read(SOURCE, b"FHS|^~\\&|A\rhello\r" + admit())) == [(0, "stray_text")]


@pytest.mark.parametrize("content", [b"", b"\r\n", b"hello, this is a letter", b"begin 644 WAV.DAT\nM)5!$1BTQ"])
def test_a_file_without_a_message_is_refused_as_a_whole(content):
    with pytest.raises(BrokenContainerError):
        read(SOURCE, content)


def test_a_message_over_the_limit_is_let_go_and_the_next_is_read():
    long = message("ORU^R01", "OBX|1|TX|8251-1^Note^LN||" + "x" * 300_000 + "||||||F")
    items = read(source_of("hl7v2", max_record_bytes=100_000), admit(1) + long + admit(2))
    assert refused(items) == [(2, "over_long_message")]
    assert len(resources(items, "Patient")) == 2


@pytest.mark.parametrize("size", [1, 3, 17, 1000])
def test_blocks_may_end_anywhere(size):
    content = b"".join([admit(1), b"\x0b" + results(2) + b"\x1c\r", b"BTS|1\r", admit(3)])
    whole = list(cut_messages(iter([content]), max_bytes=1 << 20))
    parts = (content[at : at + size] for at in range(0, len(content), size))
    assert list(cut_messages(parts, max_bytes=1 << 20)) == whole


@pytest.mark.parametrize(
    "version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.2"]
)
def test_every_version_is_read(version):
    assert parse_message(admit().replace(b"|2.5.1", f"|{version}".encode())).label == "ADT^A01"


def test_a_version_2_1_message_has_its_event_in_evn():
    assert parse_message(admit().replace(b"ADT^A01^ADT_A01", b"ADT").replace(b"|2.5.1", b"|2.1")).event == "A01"


def test_z_segments_and_fields_without_a_place_are_counted():
    content = message("ADT^A08", "PV2|||||tv set", "ZPD|1|x||y", "ZPD|2|x")
    left = {(item.table, item.names[0]): item.count for item in read(SOURCE, content) if isinstance(item, Notice)}
    assert left == {("ADT^A08", "ZPD.1"): 2, ("ADT^A08", "ZPD.2"): 2, ("ADT^A08", "ZPD.4"): 1, ("ADT^A08", "PV2.5"): 1}


def test_a_reject_never_quotes_the_message():
    items = read(SOURCE, admit().replace(b"P1^^^GHH^MR", b"") + b"\rQuackenbush|1\r")
    told = " ".join(map(str, [item for item in items if isinstance(item, Reject)]))
    assert "Quackenbush" not in told


def test_the_same_bytes_give_the_same_documents():
    first, second = read(SOURCE, results(1)), read(SOURCE, results(1))
    assert [item.content for item in first if isinstance(item, Document)] == [
        item.content for item in second if isinstance(item, Document)
    ]
