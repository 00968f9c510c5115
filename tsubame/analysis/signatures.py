"""Signature decay: a tool's share of a port collapses because its mark is gone, not because its packets are.

Rules that tell tools apart go out of date (ZMap's fixed IP identification ended with 4.1.0): then a tool's series
falls while the port's total does not. That is a statement about the rule, not about attacks. The share's fall is
found as any event is, with the port's total in the place of the sensors: the exposure of a tool's packets. What the
total did then decides between two readings: had the tool's packets stopped, the total would have fallen to
1 − s(1 − r), s the tool's share before and r its own ratio; had only the mark gone, it would have stayed.
"""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np

from tsubame.analysis.events import THRESHOLD, detect_events
from tsubame.analysis.ratios import WINDOW_DAYS, ratio_of_means, values_in
from tsubame.analysis.results import (
    CANNOT_TELL,
    FEWER_PACKETS,
    MARK_AND_PACKETS,
    MARK_GONE,
    DailySeries,
    Event,
    SignatureDecay,
)
from tsubame.analysis.templates import GRADUAL, SHIFT
from tsubame.periods import Window

COLLAPSE = 0.5
"""A share that keeps more than this part of itself has not collapsed."""


def find_signature_decay(
    tool: DailySeries, total: DailySeries, *, threshold: float = THRESHOLD
) -> SignatureDecay | None:
    """Say whether a tool's share of a port collapsed, and whether its packets did.

    Args:
        tool: packets of one tool to a port.
        total: all packets to that port, on the same days.
        threshold: how sure the share's fall must be, see ``events.THRESHOLD``.

    Returns:
        The largest lasting fall of the share to ``COLLAPSE`` or less; None when there is none.

    Raises:
        ValueError: the two series are of different days.
    """
    if tool.days != total.days:
        raise ValueError(f"series of different days: from {tool.days[:1]} and from {total.days[:1]}")
    falls = [
        event
        for event in detect_events(share_of(tool, total), threshold=threshold)
        if event.kind in (SHIFT, GRADUAL) and event.factor <= COLLAPSE
    ]
    if not falls:
        return None
    return _explain(tool, total, min(falls, key=lambda event: (event.factor, event.onset)))


def share_of(tool: DailySeries, total: DailySeries) -> DailySeries:
    """Return a tool's packets with its share of the total as value; days without any packet have none."""
    pairs = [
        (part, whole) if part is not None and whole else None
        for part, whole in zip(tool.packets, total.packets, strict=True)
    ]
    return DailySeries(
        tool.days,
        tuple(pair[0] if pair else None for pair in pairs),
        tuple(pair[0] / pair[1] if pair else None for pair in pairs),
    )


def _explain(tool: DailySeries, total: DailySeries, fall: Event) -> SignatureDecay:
    one, span = timedelta(days=1), timedelta(days=WINDOW_DAYS)
    before = Window(fall.onset - span, fall.onset - one)
    settled = fall.end + one if fall.kind == GRADUAL and fall.end and fall.end < tool.days[-1] else None
    if settled is None or settled + span - one > tool.days[-1]:
        settled = fall.onset if fall.kind == SHIFT else tool.days[-1] - span + one
    after = Window(settled, settled + span - one)
    own, whole = ratio_of_means(tool, after, before), ratio_of_means(total, after, before)
    share_before, share_after = _share(tool, total, before), _share(tool, total, after)
    stopped = None
    verdict = CANNOT_TELL
    if share_before is not None and own.value is not None and whole.interval is not None:
        stopped = 1 - share_before * (1 - own.value)
        verdict = _verdict(whole.interval, stopped)
    return SignatureDecay(
        onset=fall.onset,
        onset_interval=fall.onset_interval,
        share_factor=fall.factor,
        share_factor_interval=fall.factor_interval,
        share_before=share_before,
        share_after=share_after,
        tool=own,
        total=whole,
        total_if_stopped=stopped,
        verdict=verdict,
    )


def _verdict(interval: tuple[float, float], stopped: float) -> str:
    """Compare the total's ratio with 1 and with what it would be without the tool's packets."""
    low, high = interval
    gone, stayed = low <= stopped <= high, low <= 1.0 <= high or low > 1.0
    if gone == stayed:
        # Both: the share was too small, or the total too uneven. Neither: it fell by part, or by more.
        return CANNOT_TELL if gone else FEWER_PACKETS if high < stopped else MARK_AND_PACKETS
    return FEWER_PACKETS if gone else MARK_GONE


def _share(tool: DailySeries, total: DailySeries, window: Window) -> float | None:
    part, whole = (float(np.sum(values_in(series, window)[1])) for series in (tool, total))
    share = part / whole if whole else math.nan
    return None if math.isnan(share) else share
