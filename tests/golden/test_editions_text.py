"""The words and tables of editions, kept as text: what a reader would see change is seen in review.

Run with ``TSUBAME_WRITE_GOLDEN=1`` to write the files anew, and read the difference before committing it.
"""

import os
from pathlib import Path

import pytest

from tsubame.report.document import build_document
from tsubame.report.figures import plan_figures

FOLDER = Path(__file__).parent / "editions"


def as_text(document):
    lines = [document["quarter"], "", "表1"]
    for row in document["tables"]["ports"]:
        lines.append(f"{row['rank']}\t{row['label']}\t{row['previous_label']}\t{row['previous_label_en']}")
    lines += ["", "表2"]
    for row in document["tables"]["regions"]:
        lines.append(
            f"{row['rank']}\t{row['name_ja']}\t{row['name_en']}\t{row['previous_label']}\t{row['previous_label_en']}"
        )
    for figure in document["figures"]:
        lines += ["", f"図{figure['number']} {figure['title_ja']}", f"Figure {figure['number']} {figure['title_en']}"]
        lines += [figure["alt_ja"], figure["alt_en"]]
    for claim in document["claims"]:
        lines += ["", f"{claim['id']} ({claim['kind']})", claim["text_ja"], claim["text_en"]]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("edition", ["2015Q4", "2019Q2", "2019Q3", "2021Q4", "2023Q1", "2025Q2"])
def test_an_edition_reads_as_it_did(layouts, context, edition):
    analysis = layouts.analysis_2023q1() if edition == "2023Q1" else layouts.analysis_of(edition)
    text = as_text(build_document(analysis, context, plan_figures(analysis)))
    kept = FOLDER / f"{edition}.txt"
    if os.environ.get("TSUBAME_WRITE_GOLDEN"):
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")
