"""The explorer in a real browser, opened from a disk: what it shows and saves is what the rows say."""

import csv

import duckdb
import pytest

from tsubame.periods import Quarter

QUARTER = Quarter(2023, 1)


@pytest.fixture(scope="module")
def address(site):
    return (site / "2023Q1/editions/1/explore.html").as_uri()


@pytest.fixture(scope="module")
def rows(explored):
    return explored.rows


@pytest.fixture
def page(browser, address):
    opened = browser.new_page(viewport={"width": 1100, "height": 1200})
    opened.faults, opened.asked = [], []
    opened.on("console", lambda message: opened.faults.append(message.text))
    opened.on("pageerror", lambda error: opened.faults.append(str(error)))
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.goto(address)
    opened.wait_for_selector("#chart svg path")
    yield opened
    assert not opened.faults
    opened.close()


def totals(page):
    """The table's rows as (name, packets)."""
    cells = page.evaluate(
        "[...document.querySelectorAll('#totals tbody tr')].map(r => [...r.cells].map(c => c.innerText))"
    )
    return {name: int(packets.replace(",", "")) for name, packets, *_ in cells}


def sums(rows, by, where="domestic"):
    with duckdb.connect() as connection:
        connection.register("r", rows)
        found = connection.execute(f"SELECT {by}, sum(packets) FROM r WHERE {where} GROUP BY 1").fetchall()
    return {name: int(packets) for name, packets in found}


def test_it_asks_nobody_for_anything(page, address):
    assert page.asked == [address]


def test_the_first_view_shows_the_ports(page, rows):
    labels = {23: "23/TCP（telnet）", 37215: "37215/TCP", 53: "53/UDP（domain）", 0: "ICMP", None: "その他のポート"}
    assert totals(page) == {labels[port]: packets for port, packets in sums(rows, "port").items()}


def test_choices_narrow_what_is_added_up(page, rows):
    page.select_option("#split", "region")
    page.select_option("#port", label="37215/TCP")
    page.select_option("#tool", label="Mirai")
    page.select_option("#sensors", "1")
    page.fill("#from", "2023-02-01")
    page.dispatch_event("#from", "change")
    names = {"中国": "CN", "英国": "GB", "日本": "JP", "オランダ": "NL", "その他の地域": "other"}
    where = "NOT domestic AND port = 37215 AND tool = 'mirai' AND day >= '2023-02-01'"
    assert {names[name]: n for name, n in totals(page).items()} == sums(rows, "region", where)
    page.select_option("#basis", "pinned")
    assert {names[name]: n for name, n in totals(page).items()} == sums(rows, "region_pinned", where)


def test_what_is_saved_is_what_is_shown_and_a_gap_is_no_zero(page, rows, explored):
    down = explored.domestic_up.index(0)
    page.select_option("#split", "none")
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename == "tsubame-2023Q1-explore.csv"
    with open(download.value.path(), newline="", encoding="utf-8") as file:
        saved = list(csv.DictReader(file))
    assert len(saved) == len(QUARTER.days)
    assert [row["day"] for row in saved if not row["packets"]] == [str(QUARTER.days[down])]
    daily = {str(day): packets for day, packets in sums(rows, "day").items()}
    assert {row["day"]: int(row["packets"]) for row in saved if row["packets"]} == daily


def test_it_speaks_english_too(page, address):
    page.goto("about:blank")
    page.goto(f"{address}#en")
    page.wait_for_selector("#chart svg path")
    assert page.inner_text("h1") == "Explore the observations, January–March 2023"
    assert "Other ports" in totals(page)
    page.click("#switch")
    # The page follows its address a moment after the click.
    page.wait_for_selector("h1:has-text('観測データを調べる')")
    assert page.evaluate("document.documentElement.lang") == "ja"
    page.asked.clear()


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    page.wait_for_selector("#chart svg path")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
