import os

import pytest

from tsubame.errors import UsageError
from tsubame.settings import Settings


def test_defaults_are_the_contracts():
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.sensors_url == "var/captures/sensors.csv"
    assert settings.timezone == "Asia/Tokyo"


def test_the_sensor_registry_lies_in_the_captures_unless_said():
    assert Settings.from_environment({"TSUBAME_CAPTURES_URL": "s3://b/c/"}).sensors_url == "s3://b/c/sensors.csv"
    assert Settings.from_environment({"TSUBAME_SENSORS_URL": "/x.csv"}).sensors_url == "/x.csv"


def test_a_wrong_zone_is_refused_at_once():
    with pytest.raises(UsageError, match="unknown time zone"):
        Settings.from_environment({"TSUBAME_TIMEZONE": "Tokyo"})


def test_env_file_counts_where_the_environment_is_silent(tmp_path, monkeypatch):
    for name in ("TSUBAME_LAKE_URL", "TSUBAME_SITE_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TSUBAME_SITE_URL", "from-environment")
    file = tmp_path / ".env"
    file.write_text("# note\nTSUBAME_LAKE_URL='a b'\nexport AWS_REGION=eu # here\nTSUBAME_SITE_URL=from-file\n")
    try:
        settings = Settings.from_environment(env_file=file)
        assert (settings.lake_url, settings.site_url, os.environ["AWS_REGION"]) == ("a b", "from-environment", "eu")
    finally:
        for name in ("TSUBAME_LAKE_URL", "AWS_REGION"):
            os.environ.pop(name, None)
