"""What Airflow serves of buckets runs no script as who reads it; its own page runs its own script alone."""

import base64
import hashlib
import re
import warnings

import pytest


@pytest.fixture(scope="module")
def pages(in_process):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tsubame_airflow import pages

        return pages


@pytest.mark.parametrize("name", ["index.html", "explore.html", "figures/a.svg", "report.ja.pdf", "data/x.parquet"])
def test_an_object_of_the_site_comes_sandboxed(pages, tmp_path, name):
    path = tmp_path / "2023Q1" / "editions" / "1" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<script>alert(1)</script>")
    headers = pages._answer(str(tmp_path), "2023Q1", f"editions/1/{name}").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers.get("Content-Security-Policy", "")
    if name.endswith(".pdf"):
        assert policy == ""
        return
    words = policy.split()
    assert words[0] == "sandbox"
    # Scripts and the reader's origin together would be the reader's rights.
    assert ("allow-scripts" in words) == (name == "explore.html")
    assert not {"allow-scripts", "allow-same-origin"} <= set(words)
    assert "allow-top-navigation" not in words
    assert "allow-forms" not in words


def test_the_observation_page_runs_its_own_script_alone(pages):
    answer = pages.read_page()
    text = answer.body.decode()
    policy = {name: values for name, *values in map(str.split, answer.headers["Content-Security-Policy"].split(";"))}
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = [f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts]
    assert digests
    assert policy["script-src"] == digests
    assert text.count("<script") == len(scripts)
    assert policy["default-src"] == policy["form-action"] == policy["base-uri"] == ["'none'"]
    assert policy["connect-src"] == policy["frame-ancestors"] == ["'self'"]
    assert not re.search(r"\son\w+=[\"']", text), "a handler in an attribute would not run"
