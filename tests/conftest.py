"""A realistic quarter, as the analysis gives it, for all that renders, publishes or shows it."""

import pytest


@pytest.fixture(scope="session")
def layouts():
    from tests.golden import layouts

    return layouts


@pytest.fixture(scope="session")
def analysis(layouts):
    return layouts.analysis_2023q1()


@pytest.fixture(scope="session")
def context(layouts):
    return layouts.make_context()
