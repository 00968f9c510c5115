"""Make the README's picture from a published site: the newest edition's tables and figures, side by side.

Usage: python infra/scripts/readme_picture.py SITE_FOLDER [QUARTER] [-o infra/docs/report.png]

Needs Chromium (Debian: apt-get install chromium-headless-shell) and a Japanese font (fonts-noto-cjk).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
from pathlib import Path

CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
COLUMN = 820
SCALE = 1.25
MARGIN = 24
LARGEST = 300_000
GROUND = (222, 226, 230)


def newest_page(site: Path, quarter: str | None) -> Path:
    """Return the served page of the quarter, or of the newest quarter."""
    pointers = sorted(site.glob(f"{quarter or '*'}/latest.json"))
    if not pointers:
        sys.exit(f"readme_picture: {site}: no published quarter; run `make demo` first")
    pointer = json.loads(pointers[-1].read_text(encoding="utf-8"))
    return pointers[-1].parent / pointer["url"]


def photograph(page_file: Path) -> list[bytes]:
    """Return two pictures of the page: from its top, and from the second table on."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in CHROMIUMS if (found := shutil.which(name))), None)
    if path is None:
        sys.exit("readme_picture: no Chromium found; on Debian: apt-get install chromium-headless-shell")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=arguments)
        page = browser.new_page(viewport={"width": COLUMN, "height": 1000}, device_scale_factor=SCALE)
        page.goto(page_file.resolve().as_uri())
        page.evaluate("document.querySelectorAll('img').forEach(picture => picture.loading = 'eager')")
        page.wait_for_load_state("networkidle")
        first_end, second = page.evaluate(
            """[document.querySelector('#ja-figure-1').getBoundingClientRect().bottom + scrollY,
                document.querySelector('#ja-table-2').previousElementSibling.getBoundingClientRect().top + scrollY]"""
        )
        pictures = [
            page.screenshot(full_page=True, clip={"x": 0, "y": top, "width": COLUMN, "height": first_end + MARGIN})
            for top in (0, second - 4)
        ]
        browser.close()
    return pictures


def compose(pictures: list[bytes]) -> bytes:
    """Lay the pictures side by side on a grey ground, and reduce the colours until the file is small."""
    from PIL import Image

    sheets = [Image.open(io.BytesIO(picture)).convert("RGB") for picture in pictures]
    width = MARGIN + sum(sheet.width + MARGIN for sheet in sheets)
    whole = Image.new("RGB", (width, sheets[0].height + 2 * MARGIN), GROUND)
    at = MARGIN
    for sheet in sheets:
        whole.paste(sheet, (at, MARGIN))
        at += sheet.width + MARGIN
    for colours in (256, 128, 64, 32, 16):
        stream = io.BytesIO()
        reduced = whole.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        reduced.save(stream, format="PNG", optimize=True)
        if stream.tell() <= LARGEST:
            return stream.getvalue()
    sys.exit(f"readme_picture: the picture stays above {LARGEST:,} bytes")


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path, metavar="SITE_FOLDER")
    parser.add_argument("quarter", nargs="?")
    parser.add_argument("-o", "--output", type=Path, default=Path("infra/docs/report.png"))
    arguments = parser.parse_args()
    content = compose(photograph(newest_page(arguments.site, arguments.quarter)))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_bytes(content)
    print(f"{arguments.output}: {len(content):,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
