"""The embedded stack, run for real: adoption, crash recovery, lost secrets, two stacks side by side."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from include.local_stack import object_store, postgres, stack
from include.local_stack.home import StackError, choose_account, open_home
from include.local_stack.processes import command_of, read_pid
from include.local_stack.secret_files import ensure_secrets, makers
from include.settings import Settings
from include.warehouse.connect import connect

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home_folder() -> Iterator[Path]:
    """A second stack beside the session's, for the tests that kill and stop."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-stack-"))
    folder.chmod(0o711)
    yield folder / "home"
    stack.destroy(folder / "home")
    shutil.rmtree(folder, ignore_errors=True)


def test_fresh_databases_are_those_of_the_migrations(fresh_hot: Settings):
    with connect("plumbline_owner", "hot", fresh_hot) as hot:
        assert hot.execute("select count(*) from migrations.applied").fetchone()[0] > 0
        assert hot.execute("select count(*) from lifecycle.batch").fetchone()[0] == 0


def test_what_one_test_wrote_the_next_does_not_find(fresh_hot: Settings):
    for _ in range(2):
        with connect("plumbline_owner", "hot", fresh_hot) as hot:
            hot.execute("create table lifecycle.left_over ()")
            hot.rollback()


def test_analyst_may_not_connect_to_hot_after_databases_were_renewed(fresh_hot: Settings):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect("analyst", "hot", fresh_hot)


def test_a_stack_killed_hard_comes_back_with_its_data_and_its_ports(home_folder: Path):
    settings = stack.up(home_folder)
    with connect("postgres", "postgres", settings) as server:
        server.execute("create table kept as select 1 as one")
    home = open_home(home_folder)
    for file in (postgres.data_folder(home) / "postmaster.pid", home.path / "s3.pid"):
        os.kill(read_pid(file), signal.SIGKILL)

    again = stack.up(home_folder)

    assert (again.pg_port, again.s3_endpoint) == (settings.pg_port, settings.s3_endpoint)
    with connect("postgres", "postgres", again) as server:
        assert server.execute("select one from kept").fetchone() == (1,)


def test_a_running_stack_is_adopted_and_not_started_twice(home_folder: Path):
    stack.up(home_folder)
    home = open_home(home_folder)
    pids = [read_pid(postgres.data_folder(home) / "postmaster.pid"), read_pid(home.path / "s3.pid")]
    said: list[str] = []
    stack.up(home_folder, say=said.append)
    assert said == []
    assert pids == [read_pid(postgres.data_folder(home) / "postmaster.pid"), read_pid(home.path / "s3.pid")]


def test_the_stack_outlives_the_kill_of_whoever_started_it(home_folder: Path):
    stack.down(home_folder)
    script = "import sys,time; from pathlib import Path; from include.local_stack import stack; "
    script += "stack.up(Path(sys.argv[1])); print('up', flush=True); time.sleep(600)"
    caller = subprocess.Popen(
        [sys.executable, "-c", script, str(home_folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        start_new_session=True,
    )
    assert caller.stdout.readline() == "up\n"
    os.killpg(caller.pid, signal.SIGKILL)
    caller.wait()
    assert stack.status(home_folder)["postgres"]
    assert stack.status(home_folder)["s3"]


def test_two_stacks_on_one_machine_do_not_share_a_port_or_a_socket(stack: Settings, home_folder: Path):
    from include.local_stack import stack as local_stack

    other = local_stack.up(home_folder)
    assert other.pg_port != stack.pg_port
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host=other.pg_host, port=other.pg_port, user="postgres", password=stack.secret("pg_postgres"), dbname="hot"
        )
    assert open_home(home_folder).sockets != open_home(stack.home).sockets


def test_a_home_that_the_postgres_account_cannot_enter_keeps_its_databases_where_it_can(tmp_path: Path):
    if not choose_account().is_lent:
        pytest.skip("only root lends Postgres another account")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    try:
        settings = stack.up(closed / "home")
        assert not open_home(closed / "home").postgres.is_relative_to(closed)
        with connect("plumbline_owner", "hot", settings) as hot:
            assert hot.execute("show server_version_num").fetchone()[0].startswith("17")
        outside = open_home(closed / "home").postgres
    finally:
        stack.destroy(closed / "home")
    assert not outside.exists()


def test_a_lost_secret_is_an_error_and_never_made_again(tmp_path: Path):
    home = open_home(tmp_path / "home")
    assert ensure_secrets(home) == list(makers())
    (home.secrets / "pg_loader").unlink()
    with pytest.raises(StackError, match=r"1 secret\(s\) of this home are gone: pg_loader.*restore them from a backup"):
        ensure_secrets(home)
    assert not (home.secrets / "pg_loader").exists()


def test_a_home_without_its_record_is_refused_when_it_holds_data(tmp_path: Path):
    (tmp_path / "home" / "secrets").mkdir(parents=True)
    with pytest.raises(StackError, match="holds secrets but no home.json.*restore home.json"):
        open_home(tmp_path / "home")


def test_a_lost_keyring_is_an_error_and_never_made_again(tmp_path: Path):
    home = open_home(tmp_path / "home")
    stack.ensure_keyring(home, home.keyring)
    stack.ensure_keyring(home, home.keyring)
    shutil.rmtree(home.keyring)
    with pytest.raises(StackError, match="the keyring of this home is gone.*new keys would not open"):
        stack.ensure_keyring(home, home.keyring)


def test_secrets_are_readable_by_their_owner_alone(stack: Settings):
    modes = {file.stat().st_mode & 0o777 for file in stack.secrets_dir.iterdir()}
    assert modes == {0o600}


def test_no_secret_stands_in_a_command_line_of_the_stack(stack: Settings):
    home = open_home(stack.home)
    pids = [read_pid(postgres.data_folder(home) / "postmaster.pid"), read_pid(home.path / "s3.pid")]
    shown = " ".join(command_of(pid) for pid in pids)
    assert "weed" in shown
    assert not [name for name in makers() if stack.secret(name) in shown]


def test_the_database_log_never_quotes_a_value_or_a_statement(stack: Settings):
    planted = "Planted-Patient-Name-4711"
    with connect("postgres", "hot", stack, autocommit=True) as hot:
        for statement in ("select cast(%s as integer)", "select 1/0 where %s <> ''"):
            with pytest.raises(psycopg.Error):
                hot.execute(statement, [planted])
        with pytest.raises(psycopg.Error):
            hot.execute(f"select '{planted}'::integer")
    log = open_home(stack.home).postgres / "postgres.log"
    assert "listening on IPv4" in log.read_text()
    assert planted not in log.read_text()


def test_the_archive_bucket_refuses_to_delete_what_is_locked(fresh_hot: Settings):
    from datetime import UTC, datetime, timedelta

    from botocore.exceptions import ClientError

    s3 = object_store._client(fresh_hot)
    until = datetime.now(UTC) + timedelta(minutes=5)
    put = s3.put_object(
        Bucket=fresh_hot.bucket_archive,
        Key="locked",
        Body=b"sealed",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=fresh_hot.bucket_archive, Key="locked", VersionId=put["VersionId"])
    assert s3.get_bucket_versioning(Bucket=fresh_hot.bucket_landing)["Status"] == "Enabled"


def test_a_wrong_s3_secret_is_refused(stack: Settings):
    import boto3
    from botocore.exceptions import ClientError

    s3 = boto3.client(
        "s3",
        endpoint_url=stack.s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id=stack.secret("s3_access_key"),
        aws_secret_access_key="wrong",
    )
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.list_buckets()


def test_other_local_users_cannot_speak_to_the_s3_server_s_inner_parts_at_all(stack: Settings, tmp_path):
    from include.settings import read_env_file

    ports = read_env_file(stack.home / "stack.env")
    master = f"-master=127.0.0.1:{ports['PLUMBLINE_PORT_MASTER']}.{ports['PLUMBLINE_PORT_MASTER_GRPC']}"
    shell = [str(Path(sys.executable).with_name("weed")), "shell", master]

    def listing(home: Path) -> bytes:
        environment = {"PATH": os.defpath, "HOME": str(home)}
        try:
            asked = subprocess.run(
                shell, input=b"collection.list\n", capture_output=True, timeout=15, env=environment, cwd=tmp_path
            )
        except subprocess.TimeoutExpired as waiting:
            return waiting.stdout or b""
        return asked.stdout

    assert b"Total" in listing(stack.home / "s3"), "the shell itself does not work, so its failing proves nothing"
    assert b"Total" not in listing(tmp_path)


def test_other_local_users_find_the_s3_server_s_inner_doors_closed(stack: Settings):
    import urllib.error
    import urllib.request

    from include.settings import read_env_file

    ports = read_env_file(stack.home / "stack.env")
    tried = {
        "FILER": (("GET", "/buckets/"), ("PUT", "/buckets/landing/planted"), ("DELETE", "/buckets/archive")),
        "MASTER": (("GET", "/dir/status"), ("GET", "/dir/assign"), ("GET", "/col/delete?collection=nobody-s")),
        "VOLUME": (("GET", "/1,0123456789"), ("DELETE", "/1,0123456789"), ("GET", "/admin/volume/delete?volume=1")),
    }
    for server, requests in tried.items():
        for method, path in requests:
            port = ports[f"PLUMBLINE_PORT_{server}"]
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
            with pytest.raises(urllib.error.HTTPError, match="40[14]"):
                urllib.request.urlopen(request)


def test_a_statement_whose_client_was_killed_ends_and_lets_its_locks_go(settings: Settings):
    asks = (
        "from include.warehouse.connect import connect\n"
        "hot = connect('transformer')\n"
        "hot.execute('select pg_advisory_lock(4711)')\n"
        "print('locked', flush=True)\n"
        "hot.execute('select pg_sleep(3600)')"
    )
    night = subprocess.Popen([sys.executable, "-c", asks], stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert night.stdout.readline() == "locked\n"
    night.kill()
    night.wait()
    with connect("transformer", "hot", settings) as following:
        following.execute("set local lock_timeout = '120s'")
        following.execute("select pg_advisory_xact_lock(4711)")
