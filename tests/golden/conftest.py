"""Two scenarios analysed from their packets, once a session."""

import pytest

from tsubame.periods import Quarter


@pytest.fixture(scope="session")
def simulated_2023q1(tmp_path_factory):
    from tests.golden.simulated import analyse_scenario

    folder = tmp_path_factory.mktemp("2023Q1")
    return analyse_scenario("2023Q1", Quarter(2023, 1), str(folder), scale=0.25, previous=True)


@pytest.fixture(scope="session")
def simulated_quiet(tmp_path_factory):
    from tests.golden.simulated import analyse_scenario

    folder = tmp_path_factory.mktemp("quiet")
    return analyse_scenario("quiet-2024Q2", Quarter(2024, 2), str(folder), scale=1.0, previous=False)
