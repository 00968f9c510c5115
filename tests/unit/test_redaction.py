"""No secret of a URL stands in an error's line, wherever in the line the URL is."""

import pytest

from tsubame.errors import Unavailable, UsageError
from tsubame.pipeline.delegation_sources import base_urls_from_environment
from tsubame.redaction import redact
from tsubame.stores import Store


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://key:canary@bucket/a", "s3://***@bucket/a"),
        ("at https://me:can@ry@host:9/x?y=1: no", "at https://***@host:9/x?y=1: no"),
        ("https://host/hook?token=canary&n=1", "https://host/hook?token=***&n=1"),
        ("'https://h/?X-Amz-Signature=canary'", "'https://h/?X-Amz-Signature=***'"),
        (
            "https://h/a?apikey=canary#b https://h/?Secret_Key=canary",
            "https://h/a?apikey=***#b https://h/?Secret_Key=***",
        ),
        ("mail to me@example.org, s3://bucket/a@b", "mail to me@example.org, s3://bucket/a@b"),
        ("jp-1/2023/01/01/a.pcap: cut at byte 7", "jp-1/2023/01/01/a.pcap: cut at byte 7"),
    ],
)
def test_what_is_hidden_and_what_stays(text, shown):
    assert redact(text) == shown


def test_every_part_of_an_errors_line_is_covered():
    url = "http://me:canary@host/?token=canary"
    error = Unavailable(f"no {url}", key=url, expected=url, actual=ValueError(url), hint=f"Try {url}.")
    assert "canary" not in str(error)
    assert str(error).count("***@host/?token=***") == 5


@pytest.mark.parametrize("endpoint", ["http://me:canary@host:9000", "https://host/?token=canary"])
def test_an_endpoint_with_a_secret_is_refused_before_anyone_logs_it(monkeypatch, endpoint):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL_S3 holds more than") as error:
        Store("s3://bucket")
    assert "canary" not in str(error.value)


def test_a_registrys_url_has_no_password():
    with pytest.raises(UsageError, match="TSUBAME_RIR_BASE_URL_ARIN holds a user or password") as error:
        base_urls_from_environment({"TSUBAME_RIR_BASE_URL_ARIN": "https://me:canary@mirror/arin"})
    assert "canary" not in str(error.value)
