"""The S3 service in a test's environment, and a bucket of the test's own."""

import uuid

import pytest


def point_at(monkeypatch, environment):
    """Let this process use an S3 service: what s3fs remembers of another one is forgotten."""
    import s3fs

    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("tsubame.s3.ATTEMPTS", 3)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def s3(s3_service, monkeypatch):
    """The service, with its administrator's keys in the environment."""
    point_at(monkeypatch, s3_service.environment())
    yield s3_service
    monkeypatch.undo()
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(s3):
    """A new, empty bucket's URL."""
    from infra.s3.buckets import make_buckets

    name = f"test-{uuid.uuid4().hex}"
    make_buckets(s3.environment(), [name])
    return f"s3://{name}"


@pytest.fixture
def relay(s3, monkeypatch):
    """A relay in front of the service, which the environment points at."""
    from tests.integration.s3.breaking import Relay

    with Relay(s3.endpoint) as between:
        point_at(monkeypatch, {**s3.environment(), "AWS_ENDPOINT_URL_S3": between.endpoint})
        yield between
