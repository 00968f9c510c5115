"""What an S3 service's answers mean, and what s3fs is told."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tsubame import s3
from tsubame.errors import BadInput, Unavailable


class Answered(Exception):
    def __init__(self, status, code):
        super().__init__("canary-of-a-secret")
        self.response = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("status", "code", "kind", "says"),
    [
        (404, "NoSuchBucket", BadInput, "the bucket does not exist. Create it, or check the URL."),
        (404, "NoSuchKey", BadInput, "does not exist"),
        (404, "404", BadInput, "does not exist"),
        (
            403,
            "SignatureDoesNotMatch",
            Unavailable,
            "cannot be read: found 403 SignatureDoesNotMatch. Check AWS_ACCESS",
        ),
        (403, "AccessDenied", Unavailable, "found 403 AccessDenied. Check the keys, and what they may do."),
        (403, "403", Unavailable, "found 403. Check the keys"),
        (503, "SlowDown", Unavailable, "found 503 SlowDown. Try again later."),
        (500, "InternalError", Unavailable, "found 500 InternalError. Try again later."),
        (400, "AuthorizationHeaderMalformed", Unavailable, "Check the endpoint, the region and the bucket."),
    ],
)
def test_an_answer_is_named_by_what_to_do_about_it(status, code, kind, says):
    translated = OSError(16, "busy")
    translated.__cause__ = Answered(status, code)
    with pytest.raises(kind) as caught, s3.refusals("s3://b/k", "cannot be read"):
        raise translated
    assert str(caught.value).startswith("s3://b/k: ")
    assert says in str(caught.value)
    assert "canary" not in str(caught.value)


def test_an_error_without_an_answer_stays_what_it_is():
    with pytest.raises(ZeroDivisionError), s3.refusals("s3://b/k", "cannot be read"):
        raise ZeroDivisionError
    with pytest.raises(Unavailable, match=r"^ours$"), s3.refusals("s3://b/k", "cannot be read"):
        raise Unavailable("ours") from Answered(404, "NoSuchKey")


def test_an_earlier_answer_that_was_dealt_with_does_not_count():
    def answer():
        raise Answered(404, "NoSuchBucket")

    def fail():
        try:
            answer()
        except Answered:
            raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError), s3.refusals("s3://b/k", "cannot be read"):
        fail()


def test_limits_of_the_environment_go_before_ours(monkeypatch):
    for name in ("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert s3.options()["config_kwargs"]["retries"] == {"mode": "standard", "total_max_attempts": s3.ATTEMPTS}
    assert "client_kwargs" not in s3.options()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    assert "retries" not in s3.options()["config_kwargs"]
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert s3.options()["client_kwargs"] == {"region_name": "eu-west-1"}


@pytest.mark.parametrize(("minutes", "says"), [(130, "2 h 10 min behind"), (-130, "2 h 10 min ahead of"), (10, None)])
@pytest.mark.parametrize("code", ["RequestTimeTooSkewed", "403", "AccessDenied"])
def test_a_refusal_across_clocks_that_differ_names_the_clock(code, minutes, says):
    answered = Answered(403, code)
    there = datetime.now(UTC) + timedelta(minutes=minutes)
    answered.response["ResponseMetadata"]["HTTPHeaders"] = {"date": format_datetime(there, usegmt=True)}
    told = str(s3.refusal(answered, "s3://b/k", "cannot be read"))
    assert (says is not None) == told.endswith("Check this machine's clock.")
    assert says is None or f"a clock {says} the service's" in told


def test_a_refused_clock_is_named_without_the_services_time():
    told = str(s3.refusal(Answered(403, "RequestTimeTooSkewed"), "s3://b/k", "cannot be read"))
    assert told.endswith(
        "found 403 RequestTimeTooSkewed, and a clock too far from the service's. Check this machine's clock."
    )
