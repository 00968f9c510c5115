"""A person's decision holds for the verdict that was shown, and for no other."""

import json
from datetime import UTC, datetime

import pytest

from tsubame.errors import NotReady, UsageError
from tsubame.keys import verdict_key
from tsubame.periods import Quarter
from tsubame.pipeline.approval import APPROVED, REJECTED, decide, read_decision, read_refusal, standing_approval
from tsubame.settings import Settings
from tsubame.stores import Store

Q1 = Quarter(2023, 1)
NOW = datetime(2023, 4, 6, 3, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path):
    return Settings(lake_url=str(tmp_path / "lake"))


def validated(settings: Settings, inputs: str, *, refused: bool = True) -> None:
    suites = [
        {"suite": "counts", "failures": ["critical: packets do not add up: 3 missing"] * refused},
        {"suite": "delegations", "failures": ["warning: arin is 2 days old"]},
    ]
    content = {"inputs": inputs, "verdict": {"refused": refused, "suites": suites}}
    Store(settings.lake_url).put(verdict_key(Q1), json.dumps(content).encode())


def test_what_is_refused_is_shown_with_its_reasons(settings):
    with pytest.raises(NotReady, match="2023Q1: has not been validated"):
        read_refusal(settings, Q1)
    validated(settings, "one")
    refusal = read_refusal(settings, Q1)
    assert refusal.failed == ("counts: packets do not add up: 3 missing",)
    assert refusal.others == ("delegations: arin is 2 days old",)
    assert "- counts: packets do not add up: 3 missing" in refusal.as_markdown()
    validated(settings, "one", refused=False)
    assert read_refusal(settings, Q1) is None


def test_a_decision_is_about_the_verdict_that_was_shown(settings):
    validated(settings, "one")
    assert read_decision(settings, Q1, "one") is None
    made = decide(settings, Q1, APPROVED, inputs="one", author="hanako", at=NOW, comment="地震")
    assert read_decision(settings, Q1, "one") == made
    assert read_decision(settings, Q1, "two") is None
    assert made.as_dict() == {
        "decision": "approved", "author": "hanako", "at": "2023-04-06T03:00:00+00:00", "comment": "地震",
        "failed": ["counts: packets do not add up: 3 missing"],
    }  # fmt: skip


def test_a_verdict_that_changed_meanwhile_is_not_decided_upon(settings):
    validated(settings, "two")
    with pytest.raises(NotReady, match="validated again while the decision was awaited"):
        decide(settings, Q1, APPROVED, inputs="one", author="hanako", at=NOW)
    with pytest.raises(UsageError, match="not a decision"):
        decide(settings, Q1, "perhaps", inputs="two", author="hanako", at=NOW)


def test_an_approval_stands_while_its_verdict_is_the_newest(settings):
    validated(settings, "one")
    assert standing_approval(settings, Q1) is None
    decide(settings, Q1, REJECTED, inputs="one", author="hanako", at=NOW)
    assert standing_approval(settings, Q1) is None
    made = decide(settings, Q1, APPROVED, inputs="one", author="hanako", at=NOW)
    assert standing_approval(settings, Q1) == made
    validated(settings, "two")
    assert standing_approval(settings, Q1) is None
