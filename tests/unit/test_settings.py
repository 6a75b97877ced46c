"""What the environment must say before anything connects."""

from __future__ import annotations

import pytest

from include.errors import SettingsError
from include.settings import Settings


def settings_at(tmp_path, host: str, **more: str) -> Settings:
    where = {"PLUMBLINE_HOME": str(tmp_path), "PLUMBLINE_PG_HOST": host, "PLUMBLINE_PG_PORT": "5432"}
    return Settings.from_environment({**where, "PLUMBLINE_S3_ENDPOINT": "https://s3.example.org", **more})


@pytest.mark.parametrize("host", ["db.example.org", "10.0.0.7", "fd00::7"])
def test_a_database_on_another_machine_is_not_reached_before_somebody_says_how_safely(tmp_path, host):
    with pytest.raises(SettingsError, match="PLUMBLINE_PG_SSLMODE is not set, and the database is on another machine"):
        settings_at(tmp_path, host)
    assert settings_at(tmp_path, host, PLUMBLINE_PG_SSLMODE="verify-full").pg_sslmode == "verify-full"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "/var/run/postgresql"])
def test_a_database_on_this_machine_needs_no_word_on_it(tmp_path, host):
    assert settings_at(tmp_path, host).pg_host == host


def test_no_settings_object_shows_a_secret(tmp_path):
    token = "https://chat.example.org/hooks/a-secret-token"
    assert "a-secret-token" not in repr(settings_at(tmp_path, "localhost", PLUMBLINE_ALERT_WEBHOOK=token))
