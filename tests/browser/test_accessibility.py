"""Every page of a site as axe sees it: nothing that keeps a reader out."""

from importlib.resources import files

import pytest

PAGES = (
    "index.html",
    "2023Q1/editions/1/index.html",
    "2023Q1/editions/1/explore.html",
    "2023Q1/editions/1/regions.html",
)
RUN = "axe.run(document, {resultTypes: ['violations']})"


@pytest.fixture(scope="module")
def axe():
    return files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(browser, site, axe, path, language):
    context = browser.new_context(viewport={"width": 1100, "height": 1000}, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{(site / path).as_uri()}#{language}")
    if path.endswith("explore.html"):
        page.wait_for_selector("#chart svg path")
    page.add_script_tag(content=axe)
    found = page.evaluate(RUN)["violations"]
    context.close()
    serious = [
        f"{item['id']} ({item['impact']}): {node['html'][:120]}"
        for item in found
        for node in item["nodes"]
        if item["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_axe_would_find_a_picture_without_words(browser, axe):
    page = browser.new_page()
    page.set_content('<html lang="en"><title>t</title><main><img src="data:,"></main></html>')
    page.add_script_tag(content=axe)
    assert [item["id"] for item in page.evaluate(RUN)["violations"] if item["impact"] == "critical"] == ["image-alt"]
    page.close()
