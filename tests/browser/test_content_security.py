"""Every published page under a strict policy: nothing from another host, no script or style but its own, no eval.

The policy is read as text and then believed to the browser, which reports each thing that it refuses. The Data Docs'
pages are read in ``tests/unit/validation``, where they are made.
"""

import re

from tests.content_policy import Elements, page_faults


def test_each_page_allows_only_what_is_its_own(site):
    # Below validation/ the made-up edition has a word instead of Data Docs.
    pages = [page for page in sorted(site.rglob("*.html")) if page.parent.name != "validation"]
    assert {"index.html", "explore.html", "regions.html"} <= {page.name for page in pages}
    assert [fault for page in pages for fault in page_faults(page)] == []


def test_the_reading_finds_what_it_is_for(site, tmp_path):
    text = (site / "2023Q1/editions/1/explore.html").read_text(encoding="utf-8")
    for old, new, says in (
        ("; style-src", " 'unsafe-eval'; style-src", "'unsafe-eval'"),
        ("default-src 'none'", "default-src *", "default-src"),
        ("</head>", '<script src="https://cdn.example/x.js"></script></head>', "loads https://cdn.example/x.js"),
        ('"use strict";', '"use strict"; fetch("/");', "a script that the policy does not name"),
        ("<body>", '<body onload="x()">', "<body onload>"),
        ("<style>", "<style>@import 'x';", "a style"),
    ):
        assert old in text
        (tmp_path / "changed.html").write_text(text.replace(old, new, 1), encoding="utf-8")
        assert any(says in fault for fault in page_faults(tmp_path / "changed.html")), says


def test_the_pictures_load_nothing_and_run_nothing(site):
    for picture in sorted(site.rglob("*.svg")):
        for tag, attributes, texts in Elements(picture.read_text(encoding="utf-8")).found:
            assert tag not in ("script", "foreignobject", "iframe"), picture
            assert not [name for name in attributes if name.startswith("on")], (picture, tag)
            links = [value for name, value in attributes.items() if name in ("href", "xlink:href")]
            assert not [link for link in links if link and not link.startswith(("#", "data:"))], (picture, tag)
            assert not re.search(r"@import|url\((?!#)", "".join(texts)), picture


def test_the_browser_refuses_nothing_and_asks_no_other_host(site, browser, serve):
    root = serve(site)
    page = browser.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in sorted(site.rglob("*.html")):
        page.goto(f"{root}/{path.relative_to(site)}")
        if path.name == "explore.html":
            page.wait_for_selector("#chart svg path")
            page.hover("#chart svg")
    page.close()
    assert said == []
    assert not [url for url in asked if not url.startswith((root, "data:"))]


def test_a_script_that_someone_adds_does_not_run(site, browser, serve, tmp_path):
    """The control: what the policy is for is refused by this browser."""
    for name in ("index.html", "explore.html"):
        text = (site / "2023Q1" / "editions" / "1" / name).read_text(encoding="utf-8")
        hostile = "<script>document.title = 'stolen'</script><img src=x onerror=\"document.title='stolen'\">"
        (tmp_path / name).write_text(text.replace("</body>", f"{hostile}</body>"), encoding="utf-8")
    root = serve(tmp_path)
    for name in ("index.html", "explore.html"):
        page = browser.new_page()
        said = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.goto(f"{root}/{name}", wait_until="load")
        assert page.title() != "stolen"
        assert [text for text in said if "Content Security Policy" in text], name
        page.close()
