"""The published page in a real browser: complete, readable in both languages, asking no other host."""

from itertools import pairwise

import pytest

PAGE = "2023Q1/editions/1/index.html"


@pytest.fixture(scope="session")
def url(site, serve):
    return serve(site)


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 1000, "height": 1200})
    opened.faults, opened.asked = [], []
    opened.on("console", lambda message: opened.faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on("requestfailed", lambda request: opened.faults.append(request.url))
    opened.on("request", lambda request: opened.asked.append(request.url))
    yield opened
    opened.close()


def open_whole(page, address):
    page.goto(address)
    page.evaluate("document.querySelectorAll('img').forEach(picture => picture.loading = 'eager')")
    page.wait_for_load_state("networkidle")


def test_everything_loads_and_only_from_this_host(page, url):
    open_whole(page, f"{url}/{PAGE}")
    assert not page.faults
    assert {address.split("/")[2] for address in page.asked if address.startswith("http")} == {url.split("/")[2]}
    shown = page.evaluate("[...document.querySelectorAll('#ja img')].map(picture => picture.naturalWidth)")
    assert len(shown) == 4
    assert min(shown) > 0


def test_it_opens_from_a_file_as_well(page, site):
    open_whole(page, (site / PAGE).as_uri())
    assert not page.faults
    assert page.is_visible("text=概況")


def test_the_page_is_light(page, url):
    sizes = []
    page.on("response", lambda response: sizes.append(len(response.body())))
    open_whole(page, f"{url}/{PAGE}")
    assert 0 < sum(sizes) <= 1_500_000


def test_one_language_is_shown_and_the_link_switches(page, url):
    page.goto(f"{url}/{PAGE}")
    assert page.is_visible("#ja h1")
    assert not page.is_visible("#en h1")
    page.click("#ja nav >> text=English")
    assert page.is_visible("#en h1")
    assert not page.is_visible("#ja h1")
    page.click("#en nav >> text=日本語")
    assert page.is_visible("#ja h1")
    assert not page.is_visible("#en h1")


def test_a_place_in_the_english_text_can_be_linked_to(page, url):
    page.goto(f"{url}/{PAGE}#en-basis")
    assert page.is_visible("text=3. What the numbers rest on")
    assert not page.is_visible("#ja h1")


@pytest.mark.parametrize("width", [360, 768, 1400])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_nothing_is_wider_than_the_screen(page, url, width, language):
    page.set_viewport_size({"width": width, "height": 800})
    open_whole(page, f"{url}/{PAGE}#{language}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width > 1000:
        overflowing = (
            "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length"
        )
        assert page.evaluate(overflowing) == 0


def test_pictures_have_the_shape_the_page_reserves(page, url):
    open_whole(page, f"{url}/{PAGE}")
    ratios = page.evaluate("""[...document.querySelectorAll('#ja img[width]')].map(
        p => (p.naturalWidth / p.naturalHeight) / (p.getAttribute('width') / p.getAttribute('height'))
    )""")
    assert len(ratios) == page.evaluate("document.querySelectorAll('#ja img').length") > 2
    assert all(0.98 < ratio < 1.02 for ratio in ratios)


def test_text_stands_out_from_its_ground(page, url):
    page.goto(f"{url}/{PAGE}")
    colours = page.evaluate("""() => {
        const ground = element => {
            for (let at = element; at; at = at.parentElement) {
                const colour = getComputedStyle(at).backgroundColor;
                if (!/rgba\\(0, 0, 0, 0\\)/.test(colour)) return colour;
            }
            return 'rgb(255, 255, 255)';
        };
        return [...document.querySelectorAll('#ja *')]
            .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
            .map(e => [e.tagName, getComputedStyle(e).color, ground(e)]);
    }""")
    assert len(colours) > 100
    for tag, ink, ground in colours:
        assert contrast(ink, ground) >= 4.5, (tag, ink, ground)


def test_tables_name_their_rows_and_columns(page, url):
    page.goto(f"{url}/{PAGE}")
    assert page.evaluate("[...document.querySelectorAll('th')].every(cell => cell.scope)")
    assert page.evaluate("[...document.querySelectorAll('img')].every(picture => picture.alt.length > 20)")
    levels = page.evaluate("[...document.querySelectorAll('#ja h1, #ja h2, #ja h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_it_prints_one_language_on_a4(page, url, language):
    open_whole(page, f"{url}/{PAGE}#{language}")
    page.emulate_media(media="print")
    assert not page.is_visible(f"#{language} nav")
    assert page.is_visible(f"#{language} h1")
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF-")
    assert 3 <= printed.count(b"/Type /Page\n") <= 8


def test_every_link_leads_somewhere(page, url):
    page.goto(f"{url}/{PAGE}")
    links = page.evaluate("[...document.querySelectorAll('a')].map(link => link.href)")
    inside = {link.split("#")[0] for link in links if link.startswith(url)}
    assert len(inside) > 15
    for link in sorted(inside):
        assert page.request.get(link).ok, link
    anchors = page.evaluate("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    for anchor in {name for name in anchors if name.startswith("#")}:
        assert page.query_selector(anchor), anchor


def test_the_front_page_leads_to_the_edition_in_the_same_language(page, url):
    page.goto(f"{url}/index.html#en")
    page.click("#en table a >> nth=0")
    page.wait_for_url(f"**/{PAGE}#en")
    assert page.is_visible("text=January–March 2023")


def contrast(ink, ground):
    """WCAG 2.1's contrast ratio."""

    def luminance(colour):
        parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
