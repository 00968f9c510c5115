"""A tool's share that collapses is told as such, and not as fewer attacks: from the numbers to the sentence."""

import dataclasses

import numpy as np
import pytest

from tests.golden import layouts
from tsubame.analysis.results import DailySeries
from tsubame.analysis.signatures import find_signature_decay
from tsubame.periods import Quarter
from tsubame.publish.opendata import build_data
from tsubame.report.claims import derive_claims
from tsubame.report.document import build_document, validate_document
from tsubame.report.figures import plan_figures
from tsubame.report.linter import lint_edition

Q = Quarter(2024, 2)
SSH = (6, 22)


def series(means, seed):
    counts = np.random.default_rng(seed).poisson(9 * means).tolist()
    return DailySeries(Q.days, tuple(counts), tuple(count / 9 for count in counts))


def step(before, after):
    return np.where(np.arange(len(Q.days)) < 40, before, after).astype(float)


def with_decay(marked, rest):
    """An analysis in which ZMap's packets to 22/TCP are ``marked`` and all others ``rest``."""
    tool, other = series(marked, 1), series(rest, 2)
    packets = tuple(a + b for a, b in zip(tool.packets, other.packets, strict=True))
    total = DailySeries(Q.days, packets, tuple(count / 9 for count in packets))
    decay = find_signature_decay(tool, total)
    assert decay is not None
    analysis = layouts.make_analysis(Q, [(6, 23, 1), (*SSH, 2)], [("US", 1), ("CN", 2)])
    return dataclasses.replace(analysis, decays={(SSH, "zmap"): decay})


def told(analysis):
    (claim,) = [claim for claim in derive_claims(analysis) if claim.kind == "signature_decay"]
    return claim


def test_a_mark_that_vanished_is_not_told_as_fewer_attacks():
    claim = told(with_decay(step(600, 30), step(400, 970)))
    assert claim.text_ja == (
        "22/TCP（ssh）宛のパケットのうちZMapの特徴を持つものの割合は、5月11日頃を境に約60%から約3%に下がりましたが、"
        "パケットの総数にこれに見合う減少は見られません。"
        "特徴による判別ができなくなったものと考えられ、攻撃の減少を示すものではありません。"
    )
    assert "the mark is considered to have vanished, not the packets" in claim.text_en
    assert claim.onset.isoformat() == "2024-05-11"
    assert "減少しました" not in claim.text_ja


def test_packets_that_stopped_are_told_as_fewer():
    claim = told(with_decay(step(600, 30), step(400, 400)))
    assert claim.text_ja.endswith("約60%から約7%に下がりました。パケットの総数もこれに見合って減少しました。")
    assert "the packets fell accordingly" in claim.text_en


def test_what_cannot_be_told_is_not_told():
    claim = told(with_decay(step(600, 30), step(400, 650)))
    assert claim.text_ja.endswith("に下がりました。")
    for word in ("攻撃", "総数"):
        assert word not in claim.text_ja


@pytest.mark.parametrize("rest", [(400, 970), (400, 400), (400, 650)])
def test_the_sentence_stands_in_the_report_and_passes_the_proof_reader(rest, context):
    analysis = with_decay(step(600, 30), step(*rest))
    plans = plan_figures(analysis)
    document = build_document(analysis, context, plans)
    validate_document(document)
    (claim,) = [each for each in document["claims"] if each["kind"] == "signature_decay"]
    assert claim["section"] == "ports"
    assert list(lint_edition(document, build_data(analysis, plans))) == []
    wrong = {**document, "claims": [{**each, "text_ja": each["text_ja"].replace("約60%", "約61%")} for each in [claim]]}
    assert list(lint_edition(wrong, build_data(analysis, plans)))
