import pytest

from tsubame.report.context import SuiteOutcome, suite_outcomes


class Verdict:
    def as_dict(self):
        return {
            "passed": False,
            "suites": [{"suite": "counts", "passed": 3, "failed": 1, "severity": "warning", "failures": ["a"]}],
        }


def test_a_verdict_is_read_in_every_form():
    expected = (SuiteOutcome("counts", 3, 1, "warning", ("a",)),)
    assert suite_outcomes(Verdict()) == expected
    assert suite_outcomes(Verdict().as_dict()) == expected
    assert suite_outcomes(Verdict().as_dict()["suites"]) == expected
    assert suite_outcomes(expected) == expected
    assert suite_outcomes(()) == ()


def test_results_of_one_suite_are_added_up():
    days = [
        SuiteOutcome("counts", 3, 0),
        SuiteOutcome("quarter", 1, 0),
        SuiteOutcome("counts", 2, 1, "critical", ("b",)),
        SuiteOutcome("counts", 2, 1, "warning", ("c",)),
    ]
    assert suite_outcomes(days) == (
        SuiteOutcome("counts", 7, 2, "critical", ("b", "c")),
        SuiteOutcome("quarter", 1, 0),
    )


@pytest.mark.parametrize("verdict", ["passed", 3, [1], object()])
def test_another_form_is_refused(verdict):
    with pytest.raises(TypeError, match=r"verdict|outcome"):
        suite_outcomes(verdict)
