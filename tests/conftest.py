"""A realistic quarter, as the analysis gives it, and a browser, for all that renders, publishes or shows it."""

import os
import shutil

import pytest

CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


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


@pytest.fixture(scope="session")
def browser():
    """A Chromium for the whole session: a second one beside it would find the event loop taken."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next((found for name in CHROMIUMS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium-headless-shell")
    # Chromium's sandbox refuses to run as root.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=arguments)
        yield opened
        opened.close()
