"""Kind fhir_api against a server that misbehaves: everything comes once, or what is missing is said."""

from __future__ import annotations

import json
import resource
import shutil
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import jwt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from include.errors import SettingsError
from include.sources import fhir_api, fhir_files
from include.sources.items import Document, Reject
from include.sources.pulling import PullJob, Unbooked, read_pulled
from include.sources.registry import Source, SourcesError, load_sources
from tests.fhir_server import Fault, MisbehavingServer, serve

NIGHT = date(2026, 11, 22)


def patient(number: int, when: str = "2026-11-20T10:00:00Z", **more) -> dict:
    return {"resourceType": "Patient", "id": f"p{number}", "meta": {"versionId": "1", "lastUpdated": when}, **more}


def people(count: int = 7) -> dict[str, list[dict]]:
    return {"Patient": [patient(number) for number in range(count)]}


def no_secret(name: str) -> str:
    raise AssertionError(f"secret {name} was asked for")


def source_at(folder: Path, url: str, **words) -> Source:
    """A source as sources.yml declares it, in no hurry but with short waits."""
    usual = {"timeout_seconds": 5, "wait_seconds": 0.01, "tries": 4, "longest_wait_seconds": 1, "page_size": 2}
    entry = {"name": "north", "kind": "fhir_api", "url": url, "types": ["Patient"], **usual, **words}
    path = folder / "sources.yml"
    path.write_text(yaml.safe_dump({"sources": [{k: v for k, v in entry.items() if v is not None}]}))
    return load_sources(path)[0]


class Pull:
    """Pulls one after the other, with books that a test can look into."""

    def __init__(self, source: Source, folder: Path, secret=no_secret) -> None:
        self.source, self.books, self.secret, self.folder = source, Unbooked(), secret, folder / "pulled"

    def __call__(self, *, keep: bool = False):
        if not keep and self.folder.exists():
            for path in sorted(self.folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        self.folder.mkdir(exist_ok=True)
        pulled = fhir_api.pull(
            self.source, PullJob(self.folder, NIGHT, self.books, self.secret, lambda **numbers: None)
        )
        self.books.marks, self.books.progress = pulled.marks, pulled.progress
        return pulled

    def items(self) -> list:
        from dataclasses import replace

        source = replace(self.source, path=self.folder)
        listing = fhir_api.list_files(source)
        self.notes = listing.notes
        return [
            item
            for file in listing.files
            if file.dataset
            for item in fhir_api.read(source, lambda f=file: f.path.open("rb"), file)
        ]

    def ids(self) -> list[str]:
        return sorted(
            item.resource["id"] for item in self.items() if isinstance(item, Document) and not item.is_deleted
        )


ALL = [f"p{number}" for number in range(7)]

# -- search


def test_every_page_of_every_type_comes(tmp_path):
    server = MisbehavingServer({**people(), "Observation": [{"resourceType": "Observation", "id": "o1"}]})
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, types=["Patient", "Observation", "Condition"]), tmp_path)
        pulled = pull()
    assert pull.ids() == ["o1", *ALL]
    assert pulled.reached
    assert pulled.notes == ()
    assert pulled.marks["types"] == {"Patient": "2026-11-20T10:00:00+00:00"}


def test_the_next_search_asks_for_what_is_new_with_an_overlap(tmp_path):
    server = MisbehavingServer(people(3))
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, overlap_minutes=30), tmp_path)
        pull()
        server.resources["Patient"] = [
            patient(0, "2026-11-01T00:00:00Z"),
            patient(9, "2026-11-20T09:45:00Z"),
            patient(10, "2026-11-21T01:00:00Z"),
        ]
        pull()
    assert pull.ids() == ["p10", "p9"]
    assert "_lastUpdated=ge2026-11-20T09%3A30%3A00.000Z" in server.paths("Patient?_count")[-1]
    assert pull.books.marks["types"]["Patient"] == "2026-11-21T01:00:00+00:00"


def test_a_resource_dated_into_the_future_does_not_hide_what_follows(tmp_path):
    server = MisbehavingServer({"Patient": [patient(1, "2999-01-01T00:00:00Z")]})
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url), tmp_path)
        pull()
    assert datetime.fromisoformat(pull.books.marks["types"]["Patient"]) <= datetime.now(UTC) + timedelta(minutes=1)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("Patient", "drop", 40, times=3),
        Fault("Patient", "stall", 0.6, times=2),
        Fault("Patient", "short", 10, times=2),
        Fault("Patient", "status", 429, times=3, headers={"Retry-After": "0"}),
        Fault("Patient", "status", 503, times=2, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        Fault(
            "Patient", "status", 502, times=1, headers={"Retry-After": "\u00b2"}
        ),  # a digit to Unicode, no number to anybody
        Fault("Patient", "status", 500, times=3),
    ],
    ids=lambda fault: f"{fault.kind} {fault.value}",
)
def test_what_passes_by_itself_is_tried_again(tmp_path, fault):
    server = MisbehavingServer(people(), faults=[fault])
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, timeout_seconds=0.3), tmp_path)
        assert pull().notes == ()
    assert pull.ids() == ALL


def test_a_server_that_asks_for_too_long_a_wait_is_left_for_the_night(tmp_path):
    server = MisbehavingServer(people(), faults=[Fault("Patient", "status", 429, 99, {"Retry-After": "7200"})])
    with serve(server):
        pulled = Pull(source_at(tmp_path, server.url), tmp_path)()
    assert not pulled.reached
    assert "status 429" in pulled.notes[0]
    assert len(server.asked) == 1


def test_a_page_that_is_sent_twice_does_no_harm(tmp_path):
    server = MisbehavingServer(people(), repeats_page=True)
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url), tmp_path)
        assert pull().notes == ()
    assert sorted(set(pull.ids())) == ALL
    assert len(pull.ids()) > len(ALL), "the server did not repeat a page: nothing was tried"


@pytest.mark.parametrize("circle", [True, "ever new"])
def test_pages_in_a_circle_are_left_and_said_and_the_mark_stays(tmp_path, circle):
    server = MisbehavingServer(people(), circle=circle)
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url), tmp_path)
        pulled = pull()
    assert "circle" in pulled.notes[0]
    assert pulled.absent == ("Patient",)
    assert pulled.marks["types"] == {}
    assert {"p0", "p1"} <= set(pull.ids()), "what came before was thrown away"
    assert len(server.asked) < 12


def test_one_type_that_fails_leaves_the_others_be(tmp_path):
    server = MisbehavingServer({**people(2), "Condition": []}, faults=[Fault("/Condition", "status", 403, 99)])
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, types=["Condition", "Patient"]), tmp_path)
        pulled = pull()
    assert pulled.reached
    assert pulled.absent == ("Condition",)
    assert pull.ids() == ["p0", "p1"]
    assert list(pulled.marks["types"]) == ["Patient"]


def test_entries_that_are_no_resources_are_refused_and_counted(tmp_path):
    server = MisbehavingServer(
        {"Patient": [patient(1), {"resourceType": "Patient"}, {"x": 1}, {"resourceType": "OperationOutcome"}]}
    )
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url), tmp_path)
        pulled = pull()
    assert [item.reason_code for item in pull.items() if isinstance(item, Reject)] == [
        "missing_id",
        "missing_resource_type",
    ]
    assert pulled.notes == ("the server added 1 warnings to its pages of Patient",)


@pytest.mark.parametrize("number", [b"1e999", b"-1E+400", b"9" * 400])
def test_a_number_that_no_double_can_hold_costs_its_resource_and_not_the_page(tmp_path, number):
    told = [patient(1), patient(2, multipleBirthInteger=77123), patient(3, x=1.50), patient(4, x=12345678901234567890)]
    with serve(MisbehavingServer({"Patient": told}, page_size=10, swaps={b"77123": number})) as server:
        pull = Pull(source_at(tmp_path, server.url), tmp_path)
        pulled = pull()
    assert pulled.notes == ()
    assert pull.ids() == ["p1", "p3", "p4"]
    assert [item.reason_code for item in pull.items() if isinstance(item, Reject)] == ["number_out_of_range"]


def test_deletions_come_from_the_history_where_asked_for(tmp_path):
    server = MisbehavingServer(people(2))
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, deletions=True), tmp_path)
        pull()
        server.deleted = {"Patient": [("p1", "2026-11-21T00:00:00Z")]}
        pull()
    gone = [item for item in pull.items() if isinstance(item, Document) and item.is_deleted]
    assert [(item.resource["id"], item.resource["meta"]["lastUpdated"]) for item in gone] == [
        ("p1", "2026-11-21T00:00:00Z")
    ]


# -- where links may lead


def test_a_link_to_another_place_is_not_followed(tmp_path):
    other = MisbehavingServer(people())
    with serve(other), serve(MisbehavingServer(people())) as server:
        server.next_origin = other.url.removesuffix("/r4")
        pull = Pull(source_at(tmp_path, server.url), tmp_path)
        pulled = pull()
        assert "leads to another place" in pulled.notes[0]
        assert other.asked == []
        declared = source_at(tmp_path, server.url, other_origins=[other.url.removesuffix("/r4")])
        pull = Pull(declared, tmp_path)
        assert pull().notes == ()
        assert other.asked
    assert pull.ids() == ALL


def test_links_and_types_that_are_none_cost_their_type_and_not_the_pull(tmp_path):
    odd = [{"resourceType": ["Patient"], "id": "p"}, {"resourceType": {"a": 1}, "id": "p"}]
    server = MisbehavingServer(people(3) | {"Observation": odd}, next_origin="http://[")
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, types=["Patient", "Observation"]), tmp_path)
        pulled = pull()
    (note,) = pulled.notes
    assert note.startswith("Patient was not read to its end: a link or redirect that is no address")
    assert pull.ids() == ["p0", "p1"]


# The first is where clouds tell every machine its own credentials: what forged redirects ask for.
@pytest.mark.parametrize("place", ["http://169.254.169.254/latest", "file:///canary", "http://127.0.0.1:1/x"])
def test_a_redirect_to_another_place_is_not_followed(tmp_path, place):
    server = MisbehavingServer(people(), faults=[Fault("Patient", "elsewhere", place)])
    with serve(server):
        pulled = Pull(source_at(tmp_path, server.url), tmp_path)()
    assert not pulled.reached
    assert "another place" in pulled.notes[0]


def test_a_redirect_to_what_is_no_address_is_told(tmp_path):
    server = MisbehavingServer(people(), faults=[Fault("Patient", "elsewhere", "http://[")])
    with serve(server):
        pulled = Pull(source_at(tmp_path, server.url), tmp_path)()
    assert not pulled.reached
    assert "no address" in pulled.notes[0]


def test_a_server_that_is_not_there_is_told_and_nothing_breaks(tmp_path):
    pulled = Pull(source_at(tmp_path, "http://127.0.0.1:9/r4", tries=2), tmp_path)()
    assert not pulled.reached
    assert "failed 2 times, last with ConnectError" in pulled.notes[0]


# -- who we are


def rsa_key() -> tuple[str, object]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return _pem(key), key.public_key()


def ec_key() -> tuple[str, object]:
    key = ec.generate_private_key(ec.SECP384R1())
    return _pem(key), key.public_key()


def _pem(key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.mark.parametrize(("make", "algorithm"), [(rsa_key, "RS384"), (ec_key, "ES384")])
def test_a_signed_assertion_buys_a_token_that_is_kept(tmp_path, make, algorithm):
    private, public = make()
    seen = []

    def check(assertion: str) -> bool:
        seen.append(
            (
                jwt.get_unverified_header(assertion),
                jwt.decode(assertion, public, [algorithm], audience=server.url + "/token"),
            )
        )
        return True

    server = MisbehavingServer(people(), check_client=check)
    auth = {"client_id": "us", "key_secret": "north_key", "algorithm": algorithm, "kid": "k1"}
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, auth=auth), tmp_path, {"north_key": private}.__getitem__)
        pull()
    assert pull.ids() == ALL
    assert len(seen) == 1, "a token was got again although it still held"
    header, claims = seen[0]
    assert (header["kid"], header["alg"]) == ("k1", algorithm)
    assert claims["iss"] == claims["sub"] == "us"
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert all("Authorization" not in headers for _, path, headers in server.asked if "token" in path)


def test_a_token_that_is_refused_is_got_anew_and_one_that_ends_soon_too(tmp_path):
    private, _ = rsa_key()
    server = MisbehavingServer(people(), check_client=lambda assertion: True, faults=[Fault("at=2", "status", 401)])
    auth = {"client_id": "us", "key_secret": "k"}
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url, auth=auth), tmp_path, lambda name: private)
        assert pull().notes == ()
        assert len(server.paths("/token")) == 2
        server.token_seconds = 0.0001
        pull()
    assert pull.ids() == ALL
    assert len(server.paths("/token")) > 4


def test_a_client_that_is_refused_is_told_without_secrets(tmp_path):
    private, _ = rsa_key()
    server = MisbehavingServer(people(), check_client=lambda assertion: False)
    with serve(server):
        pulled = Pull(
            source_at(tmp_path, server.url, auth={"client_id": "us", "key_secret": "k"}), tmp_path, lambda name: private
        )()
    assert not pulled.reached
    assert "no access token (status 400)" in pulled.notes[0]
    assert "BEGIN" not in str(pulled)


def test_a_key_that_is_none_stops_the_night(tmp_path):
    server = MisbehavingServer(people(), check_client=lambda assertion: True)
    with serve(server), pytest.raises(SettingsError, match="the secret k is no private key for ES384"):
        Pull(
            source_at(tmp_path, server.url, auth={"client_id": "us", "key_secret": "k", "algorithm": "ES384"}),
            tmp_path,
            lambda name: "x",
        )()


def test_a_token_never_goes_to_another_place(tmp_path):
    private, _ = rsa_key()
    other = MisbehavingServer(people())
    with serve(other), serve(MisbehavingServer(people(), check_client=lambda assertion: True)) as server:
        server.next_origin = other.url.removesuffix("/r4")
        auth = {"client_id": "us", "key_secret": "k"}
        source = source_at(tmp_path, server.url, auth=auth, other_origins=[server.next_origin])
        Pull(source, tmp_path, lambda name: private)()
        assert other.asked
        assert all("Authorization" not in headers for _, _, headers in other.asked)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    from ipaddress import ip_address

    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_text(_pem(key))
    return paths


def test_tls_is_verified_and_an_authority_of_ones_own_can_be_named(tmp_path):
    tls = certificate(tmp_path)
    with serve(MisbehavingServer(people()), tls) as server:
        pulled = Pull(source_at(tmp_path, server.url), tmp_path)()
        assert not pulled.reached
        assert "certificate is not one we trust" in pulled.notes[0]
        assert server.asked == []
        pull = Pull(source_at(tmp_path, server.url, ca_file="server.pem"), tmp_path)
        pull()
    assert pull.ids() == ALL


# -- export


def export(folder: Path, server: MisbehavingServer, **words) -> Pull:
    return Pull(source_at(folder, server.url, **{"export": "system", "types": None, **words}), folder)


@pytest.mark.parametrize(
    ("level", "path"),
    [("system", "/r4/$export?"), ("patient", "/r4/Patient/$export?"), ("group/g-1", "/r4/Group/g-1/$export?")],
)
def test_an_export_is_asked_for_waited_for_and_fetched(tmp_path, level, path):
    server = MisbehavingServer(
        {**people(), "Observation": [{"resourceType": "Observation", "id": "o1"}]}, polls_needed=3
    )
    with serve(server):
        pull = export(tmp_path, server, export=level, types=["Patient"])
        pulled = pull()
        pulled.release()
    assert pull.ids() == ALL
    assert server.paths("$export")[0].startswith(path)
    assert "_type=Patient" in server.paths("$export")[0]
    assert len(server.paths("/status/")) == 5
    assert server.released == ["job1"]
    assert pulled.marks["since"] == "2026-11-22T01:00:00Z"
    assert pulled.notes == ()


def test_the_next_export_asks_since_the_last_and_applies_deletions(tmp_path):
    server = MisbehavingServer(people())
    with serve(server):
        pull = export(tmp_path, server)
        pull()
        server.resources = {"Patient": [patient(0), patient(8, "2026-11-23T00:00:00Z")]}
        server.deleted = {"Patient": [("p3", "")]}
        pull()
    assert "_since=2026-11-22T01%3A00%3A00Z" in server.paths("$export")[1]
    assert pull.ids() == ["p8"]
    assert [item.resource["id"] for item in pull.items() if isinstance(item, Document) and item.is_deleted] == ["p3"]


def test_another_request_begins_without_since(tmp_path):
    server = MisbehavingServer(people())
    with serve(server):
        pull = export(tmp_path, server, types=["Patient"])
        pull()
        pull.source = source_at(tmp_path, server.url, export="system", types=["Patient", "Observation"])
        pull()
    assert "_since" not in server.paths("$export")[1]


def test_problems_that_the_export_reports_are_told_by_code_only(tmp_path):
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "not-found", "diagnostics": "Zebedee 078-05-1120"}],
    }
    server = MisbehavingServer(
        people(1),
        export_errors=[outcome, outcome, {"resourceType": "OperationOutcome", "issue": [{"code": "Zebedee"}]}],
    )
    with serve(server):
        pull = export(tmp_path, server)
        pull()
    assert pull.ids() == ["p0"]
    assert pull.notes == ("the export reported problems: 2 not-found, 1 unknown",)


@pytest.mark.parametrize("has_ranges", [True, False])
@pytest.mark.parametrize(
    "fault", [Fault("/files/", "drop", 900, times=3), Fault("/files/", "stall", 0.6, times=2)], ids=["drops", "stalls"]
)
def test_a_file_that_breaks_off_goes_on_where_it_stopped(tmp_path, has_ranges, fault):
    fault = Fault(fault.where, fault.kind, fault.value, fault.times)
    server = MisbehavingServer(people(60), has_ranges=has_ranges, faults=[fault])
    with serve(server):
        pull = export(tmp_path, server, timeout_seconds=0.3)
        assert pull().notes == ()
    assert len(pull.ids()) == 60
    ranges = [headers.get("Range") for _, path, headers in server.asked if "/files/" in path]
    assert any(ranges), "nothing was gone on with"


def test_a_file_whose_length_is_told_too_short_is_noticed_by_its_count(tmp_path):
    server = MisbehavingServer(people(20), faults=[Fault("/files/", "short", 250)])
    with serve(server):
        pulled = export(tmp_path, server)()
    assert len(pulled.notes) == 1
    assert "resources where the manifest says 20" in pulled.notes[0]


def test_a_killed_pull_goes_on_from_the_status_url_and_the_byte_it_reached(tmp_path):
    server = MisbehavingServer(
        people(60), faults=[Fault("/files/", "drop", 1500), Fault("/files/", "drop", 0, times=99)]
    )
    with serve(server):
        pull = export(tmp_path, server, tries=2)
        killed = pull()
        assert not killed.reached
        assert killed.progress["status_url"].endswith("job1")
        server.faults.clear()
        server.asked.clear()
        pulled = pull(keep=True)
    assert pulled.notes == ()
    assert len(pull.ids()) == 60
    assert server.paths("$export") == server.paths("/status/") == []
    assert [headers.get("Range") for _, path, headers in server.asked if "/files/" in path] == ["bytes=1500-"]


def test_an_export_that_the_server_lost_is_asked_for_again(tmp_path):
    server = MisbehavingServer(people(3), faults=[Fault("/files/", "drop", 0, times=99)])
    with serve(server):
        pull = export(tmp_path, server, tries=2)
        pull()
        server.faults.clear()
        server.jobs.pop("job1")
        server.jobs["other"] = {}
        assert pull(keep=True).notes == ()
    assert pull.ids() == ["p0", "p1", "p2"]
    assert len(server.paths("$export")) == 2


def test_an_export_that_takes_too_long_is_gone_on_with_the_next_night(tmp_path):
    server = MisbehavingServer(people(3), polls_needed=10**6)
    with serve(server):
        pull = export(tmp_path, server, export_minutes=0.002)
        pulled = pull()
        assert not pulled.reached
        assert "still being prepared" in pulled.notes[0]
        server.polls_needed = 0
        pull()
    assert pull.ids() == ["p0", "p1", "p2"]
    assert len(server.paths("$export")) == 1


def test_an_export_that_fails_on_two_nights_is_given_up(tmp_path):
    server = MisbehavingServer(people(3), faults=[Fault("/status/", "status", 500, 99)])
    with serve(server):
        pull = export(tmp_path, server, tries=2)
        assert pull().progress
        assert not pull(keep=True).progress
        server.faults.clear()
        pull()
    assert pull.ids() == ["p0", "p1", "p2"]


@contextmanager
def files_no_larger_than(size: int):
    """What a write to a full disk ends in: an OSError in the middle of a block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_the_next_night_goes_on_from_what_came(tmp_path):
    server = MisbehavingServer({"Patient": [patient(number, note="x" * 300) for number in range(2_000)]})
    with serve(server):
        pull = export(tmp_path, server)
        with files_no_larger_than(400_000):
            full = pull()
        assert not full.reached
        assert "no room on the disk" in full.notes[0]
        assert "goes on from what came" in full.notes[0]
        server.asked.clear()
        assert pull(keep=True).notes == ()
    assert len(pull.ids()) == 2_000
    assert [headers.get("Range") for _, path, headers in server.asked if "/files/" in path] == ["bytes=400000-"]


def test_the_last_room_of_a_disk_is_left_to_others(tmp_path, monkeypatch):
    server = MisbehavingServer(people(60))
    with serve(server):
        pull = export(tmp_path, server)
        with monkeypatch.context() as nearly:
            nearly.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=fhir_files._RESERVE_BYTES + 100))
            assert "no room on the disk" in pull().notes[0]
            assert [path for path in pull.folder.iterdir() if path.name.endswith(".ndjson.part")] == []
        assert pull(keep=True).notes == ()
    assert len(pull.ids()) == 60


@pytest.mark.parametrize("announces", [True, False])
def test_a_file_over_its_limit_is_not_taken_and_the_others_are(tmp_path, announces):
    large = [{"resourceType": "Observation", "id": f"o{number}", "note": "x" * 2_000} for number in range(700)]
    server = MisbehavingServer({"Patient": people(3)["Patient"], "Observation": large})
    if not announces:
        server.faults.append(Fault("/files/job1/1", "unannounced"))
    with serve(server):
        pull = export(tmp_path, server, types=["Patient", "Observation"], max_file_mb=1)
        pulled = pull()
    assert pulled.reached
    assert "a file of more than 1 MiB" in pulled.notes[0]
    assert "max_file_mb" in pulled.notes[0]
    assert pull.ids() == ["p0", "p1", "p2"]
    assert not list(pull.folder.glob("*.part"))


def test_a_search_on_a_full_disk_keeps_whole_lines_and_its_old_mark(tmp_path):
    server = MisbehavingServer({"Patient": [patient(number, note="x" * 300) for number in range(400)]}, page_size=100)
    with serve(server):
        pull = Pull(source_at(tmp_path, server.url), tmp_path)
        with files_no_larger_than(50_123):
            full = pull()
        assert "no room on the disk for resources of type Patient" in full.notes[0]
        assert full.marks["types"] == {}
        assert all(isinstance(item, Document) for item in pull.items())
        pull()
    assert len(pull.ids()) == 400


def test_files_of_an_undeclared_place_are_not_fetched(tmp_path):
    server = MisbehavingServer(people(3), faults=[Fault("/files/", "elsewhere", "http://127.0.0.1:1/x", 9)])
    with serve(server):
        pulled = export(tmp_path, server)()
    assert not pulled.reached
    assert "another place" in pulled.notes[0]


# -- sources.yml


def test_all_mistakes_are_said_at_once(tmp_path):
    with pytest.raises(SourcesError) as problem:
        source_at(
            tmp_path, "http://fhir.example.org/r4", types=["Patients"], export="all", tries=0, path="x", other_origins=["https://a.example/b"],
            auth={"client_id": "", "key_secret": "../pg_loader", "algorithm": "HS256", "password": "x"}, ca_file="none.pem", deletions="yes",
        )  # fmt: skip
    for part in ("'path' is not known", "'url' is not", "'Patients' is no resource type", "'export' is none of", "'tries'", "'client_id'", "'key_secret'",
                 "algorithm is 'HS256'", "'password' is not known", "'ca_file'", "other_origins", "'deletions'"):  # fmt: skip
        assert part in str(problem.value), part


def test_a_source_can_be_tried_without_a_database(tmp_path):
    with serve(MisbehavingServer(people(3))) as server:
        folder = tmp_path / "out"
        folder.mkdir()
        items = list(read_pulled(source_at(tmp_path, server.url), folder, no_secret, NIGHT))
    assert [item.resource["id"] for item in items] == ["p0", "p1", "p2"]
    assert json.loads((folder / "Patient.ndjson").read_bytes().splitlines()[0])["id"] == "p0"
