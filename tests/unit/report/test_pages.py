import dataclasses
import re
from html.parser import HTMLParser

import pytest

from tsubame.periods import Quarter
from tsubame.report.document import build_document
from tsubame.report.figures import plan_figures
from tsubame.report.pages import PublishedQuarter, render_edition, render_site
from tsubame.report.wording import WORDING

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Reader(HTMLParser):
    """Checks that elements nest, and gathers texts, links, pictures and ids."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.pictures, self.texts = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "img":
            self.pictures.append(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))


def read(page):
    reader = Reader()
    reader.feed(page.decode())
    reader.close()
    assert not reader.open
    return reader


@pytest.fixture(scope="module")
def document(analysis, context):
    return build_document(analysis, context, plan_figures(analysis))


def test_the_page_says_what_the_document_says(document):
    reader = read(render_edition(document))
    assert len(set(reader.ids)) == len(reader.ids)
    for row in document["tables"]["ports"]:
        assert row["label"] in reader.text
        assert row["label_en"] in reader.text
        assert f"{row['packets']:,}" in reader.text
    for claim in document["claims"]:
        if claim["kind"] == "reassignment":
            assert claim["text_ja"] in reader.text
            assert claim["text_en"] in reader.text
    for figure in document["figures"]:
        assert figure["title_ja"] in reader.text
        assert figure["title_en"] in reader.text
    assert "TOP5外" in reader.text
    assert "未公開の草案" in reader.text


def test_every_sentence_of_a_claim_is_on_the_page_but_for_repeated_subjects(document):
    reader = read(render_edition(document))
    for claim in document["claims"]:
        rest = claim["text_ja"].split("のパケットは", 1)[-1].lstrip("、")
        assert rest in reader.text


def test_the_page_asks_no_other_host_and_is_light(document):
    page = render_edition(document)
    reader = read(page)
    assert len(page) < 200_000
    assert b"<script" not in page
    assert b"@import" not in page
    assert b"url(" not in page
    assert all(not picture["src"].startswith(("http", "//", "/")) for picture in reader.pictures)
    # Only the references lead elsewhere, and only when clicked.
    outside = {link for link in reader.links if link.startswith("http")}
    assert {re.sub(r"https://([^/]+)/.*", r"\1", link) for link in outside} == {"www.iana.org", "www.apnic.net"}


def test_pictures_have_texts_and_fit_the_language(document):
    reader = read(render_edition(document))
    assert len(reader.pictures) == 2 * len(document["figures"])
    assert all(len(picture["alt"]) > 20 for picture in reader.pictures)


def test_what_the_numbers_rest_on_is_told(document):
    text = read(render_edition(document)).text
    for shown in ("4,812,345", "4,811,900", "1,974 / 1,980", "Asia/Tokyo", "jp-03/2023/02/14/b.pcapng.gz"):
        assert shown in text
    assert "2023-02-11（ripencc、2023-02-10の情報）" in text
    assert "20230126/delegated-ripencc-extended-20230126" in text
    assert document["notes"][0] in text


def test_what_comes_from_outside_is_escaped(analysis, layouts):
    bad = "<script>alert(1)</script>"
    context = layouts.make_context(notes=(bad,), code_version=bad, notice=(bad, bad))
    page = render_edition(build_document(analysis, context, plan_figures(analysis)))
    assert b"<script" not in page
    assert b"&lt;script&gt;" in page


def test_changes_are_listed(document):
    changes = {"previous": 1, "summary": {"ja": ["順位 2 → 1"], "en": ["rank 2 → 1"]}}
    text = read(render_edition({**document, "edition": 2}, changes)).text
    assert "第2版" in text
    assert "前の版からの変更点（第1版）" in text
    assert "rank 2 → 1" in text


def test_an_empty_quarter_has_a_page_that_claims_nothing(layouts, context):
    empty = layouts.make_analysis(Quarter(2024, 2), [], [], previous=False)
    empty = dataclasses.replace(empty, sensors=dataclasses.replace(empty.sensors, coverage={}))
    text = read(render_edition(build_document(empty, context, plan_figures(empty)))).text
    assert "該当するパケットは観測されませんでした" in text
    assert "特筆すべき変化は認められませんでした" in text


def test_both_languages_have_every_word():
    assert set(WORDING["ja"]) == set(WORDING["en"])
    for name, text in WORDING["ja"].items():
        assert set(re.findall(r"{(\w+)", text)) == set(re.findall(r"{(\w+)", WORDING["en"][name])), name


def test_the_front_page_lists_quarters_newest_first():
    page = render_site(
        [
            PublishedQuarter("2022Q4", 1, (1,), "2023-01-20T00:00:00Z"),
            PublishedQuarter("2023Q1", 3, (3, 1), "2023-04-14T00:00:00Z"),
        ]
    )
    reader = read(page)
    links = [link for link in reader.links if not link.startswith("#")]
    assert links[:3] == [
        "2023Q1/editions/3/index.html",
        "2023Q1/editions/3/index.html",
        "2023Q1/editions/1/index.html",
    ]
    assert links[3] == "2022Q4/editions/1/index.html"
    assert "まだありません" in read(render_site([])).text


def test_long_lists_are_cut_and_say_so(layouts, analysis):
    from tsubame.report.context import DamagedCapture

    damaged = tuple(DamagedCapture(f"jp-01/2023/01/01/{n:03}.pcap", "cut") for n in range(25))
    context = layouts.make_context(damaged=damaged, notes=tuple(f"note {n}" for n in range(30)))
    text = read(render_edition(build_document(analysis, context, plan_figures(analysis)))).text
    assert "25件" in text
    assert "ほか15件" in text
    assert "ほか10件" in text
    assert "note 20" not in text
