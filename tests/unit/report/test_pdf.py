"""The printed report, read back with pdfium: what is set is what ``report.json`` says."""

import re

import pypdfium2
import pytest

from tsubame.report.document import build_document
from tsubame.report.figures import draw_figures, plan_figures
from tsubame.report.names import LANGUAGES
from tsubame.report.pdf import PDFS, render_pdfs


@pytest.fixture(scope="module")
def document(analysis, context):
    return build_document(analysis, context, plan_figures(analysis))


@pytest.fixture(scope="module")
def figures(analysis):
    return draw_figures(analysis, plan_figures(analysis))


@pytest.fixture(scope="module")
def printed(document, figures):
    return render_pdfs(document, figures)


def squeezed(text):
    """Without spaces: lines break anywhere in Japanese, and a hyphen may end a line of English."""
    return re.sub(r"[\s\u00ad\ufffe]", "", text).replace("-", "")


def text_of(pdf):
    return squeezed("".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_claim_caption_and_row_is_printed(document, printed, language):
    text = text_of(printed[f"report.{language}.pdf"])
    for figure in document["figures"]:
        assert squeezed(figure[f"title_{language}"]) in text
    for row in (*document["tables"]["ports"], *document["tables"]["regions"]):
        assert f"{row['packets']:,}{row['per_sensor_day']:,.1f}{row['sources']:,}" in text
    for item in document["reassignments"]:
        for block in item["blocks"]:
            assert squeezed(f"{block['cidr']}{block['addresses']:,}") in text
    for claim in document["claims"]:
        # A sentence after another of the same subject begins without it.
        ending = claim[f"text_{language}"][-20:]
        assert squeezed(ending) in text, claim["id"]


@pytest.mark.parametrize("name", PDFS)
def test_every_page_bears_ink_and_every_figure_is_drawn(document, printed, name):
    pdf = pypdfium2.PdfDocument(printed[name])
    for page in pdf:
        assert page.render(scale=0.3).to_numpy().min() < 128
    paths = sum(1 for page in pdf for item in page.get_objects() if item.type == pypdfium2.raw.FPDF_PAGEOBJ_PATH)
    assert paths > 50 * len(document["figures"])


def test_same_document_same_bytes(document, figures, printed):
    assert render_pdfs(document, figures) == printed


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_screen_reader_is_told_the_language_and_the_structure(printed, language):
    pdf = printed[f"report.{language}.pdf"]
    assert pypdfium2.raw.FPDFCatalog_IsTagged(pypdfium2.PdfDocument(pdf))
    assert f"/Lang({language})".encode() in pdf


def test_a_figure_that_was_not_drawn_is_an_error(document):
    with pytest.raises(KeyError, match=r"figures/"):
        render_pdfs(document, {})
