"""What reassignments did, and steps that none explains: which the report tells, and the sentences in both languages.

Like ``narrative`` nothing is decided here: the analysis gives the verdict, and a sentence says no more than it.
"The effect of" (影響と考えられます) is said of ``EXPLAINED`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from tsubame.analysis import results
from tsubame.analysis.results import Interval, QuarterAnalysis, Ratio, Reassignment, RegionStep
from tsubame.periods import ONE_DAY, Quarter
from tsubame.report.cutoffs import PRINTED_RANKS
from tsubame.report.narrative import Bilingual, day_text, times_text

MOST_QUIET = 3
"""So many moves without an effect are told one by one; of more, only their number."""

_SLIGHT = 0.01


def reported_reassignments(analysis: QuarterAnalysis) -> tuple[Reassignment, ...]:
    """Return the reassignments worth a sentence: those with an effect, or that touch a printed region.

    Registries move blocks nearly every day: a move that explains nothing is told only of a region in the table.
    """
    printed = printed_regions(analysis)
    told = (results.EXPLAINED, results.COINCIDES)
    open_ended = (results.NOT_EXPLAINED, results.CANNOT_TELL)
    return tuple(
        item
        for item in analysis.reassignments
        if item.verdict in told or (item.verdict in open_ended and printed & {item.from_region, item.to_region})
    )


def quiet_reassignments(analysis: QuarterAnalysis) -> tuple[Reassignment, ...]:
    """Return moves without an effect that are told one by one: those of printed regions, when they are few."""
    printed = printed_regions(analysis)
    moving = {step.region for step in analysis.region_steps}
    found = tuple(
        item
        for item in analysis.minor_reassignments
        if item.verdict == results.NO_SHIFT
        and printed & {item.from_region, item.to_region}
        and not moving & {item.from_region, item.to_region}
    )
    return found if len(found) <= MOST_QUIET else ()


def reported_steps(analysis: QuarterAnalysis) -> tuple[RegionStep, ...]:
    """Return the lasting changes of printed regions that no reassignment explains, as far as nothing else says so."""
    printed = printed_regions(analysis)
    told = {
        (item.to_region, item.date)
        for item in reported_reassignments(analysis)
        if item.verdict == results.NOT_EXPLAINED
    }
    return tuple(
        step
        for step in analysis.region_steps
        if step.region in printed
        and step.verdict == results.NOT_EXPLAINED
        and not any((to, day) in told for _, to, day in step.reassignments if to == step.region)
    )


def printed_regions(analysis: QuarterAnalysis) -> frozenset[str]:
    """Return the regions of the printed table."""
    return frozenset(row.region for row in analysis.regions[:PRINTED_RANKS])


def reassignment_figure(item: Reassignment) -> str:
    """Return the id of the figure that shows a reassignment as delegated and as pinned."""
    return f"reassignment-{item.from_region.lower()}-{item.to_region.lower()}-{item.date:%Y%m%d}"


def say_reassignment(item: Reassignment, names: tuple[Bilingual, Bilingual]) -> Bilingual:
    """Say what a reassignment did to two regions, no more strongly than its verdict.

    Args:
        item: the reassignment.
        names: names of the losing and of the gaining region.
    """
    (from_ja, from_en), (to_ja, to_en) = names
    moved_ja, moved_en = _moved(item, names)
    when_ja, when_en = span_text(*reassigned_days(item))
    if item.verdict == results.NO_SHIFT:
        return (
            f"{when_ja}に{moved_ja}ましたが、両地域のパケット観測数に目立った変化は見られませんでした。",
            f"On {when_en} the registries' data show {moved_en}; "
            "no marked change in either region's packets went with it.",
        )
    if item.verdict == results.CANNOT_TELL:
        why = _why_not_told(item, to_ja, to_en)
        return (
            f"{when_ja}に{moved_ja}ました。{why[0]}両地域のパケット観測数への影響の有無は判断できませんでした。",
            f"On {when_en} the registries' data show {moved_en}. "
            f"Whether this affected the two regions' packets cannot be told{why[1]}.",
        )
    changed = _changes(item, names)
    around = f"{when_ja}頃を境として" if when_ja == day_text(item.date, "ja") else f"{when_ja}にかけて"
    seen_ja = f"{around}、{from_ja}と{to_ja}を送信元とするパケット観測数に変化がありました{changed[0]}。"
    seen_en = f"Around {when_en} the numbers of packets from {from_en} and {to_en} changed{changed[1]}. "
    said = _verdict_text(item, moved_ja, moved_en)
    rest = [_held_apart(item, to_ja, to_en), *say_reasons(item, dict(_by_region(item, names)))]
    rest.append(_shortened(item))
    return (
        seen_ja + said[0] + "".join(ja for ja, _ in rest),
        seen_en + " ".join(en for en in (said[1], *(en for _, en in rest)) if en),
    )


def _verdict_text(item: Reassignment, moved_ja: str, moved_en: str) -> Bilingual:
    if item.verdict == results.EXPLAINED:
        return (
            f"これは、従来{moved_ja}た影響と考えられます。",
            f"This is considered to be the effect of {moved_en}.",
        )
    share_ja, share_en = _percent(item.share)
    if item.verdict == results.COINCIDES:
        interval = _percent_interval(item.share_interval)
        return (
            f"この変化は、従来{moved_ja}た時期と重なっています。"
            f"変化のうち、割り当てが変わったアドレス帯のパケットに相当する分は{share_ja}です{interval[0]}。",
            f"This coincides with {moved_en}; packets from the moved blocks amount to {share_en} of the change"
            f"{interval[1]}.",
        )
    return (
        f"同じ時期に{moved_ja}ましたが、割り当てが変わったアドレス帯のパケットは変化の{share_ja}に"
        "とどまり、変化の主な要因とは認められませんでした。",
        f"It is not explained by {moved_en}: packets from the moved blocks amount to {share_en} of it.",
    )


def _moved(item: Reassignment, names: tuple[Bilingual, Bilingual]) -> Bilingual:
    (from_ja, from_en), (to_ja, to_en) = names
    blocks, addresses = len(item.blocks), sum(block.addresses for block in item.blocks)
    plural = "" if blocks == 1 else "s"
    return (
        f"{from_ja}に割り当てられていたIPアドレス帯（{blocks:,}件、{addresses:,}アドレス）が{to_ja}に割り当てられ",
        f"{blocks:,} address block{plural} ({addresses:,} addresses) that had been delegated to {from_en} "
        f"being delegated to {to_en}",
    )


def _by_region(item: Reassignment, names: tuple[Bilingual, Bilingual]) -> tuple[tuple[str, Bilingual], ...]:
    return (item.from_region, names[0]), (item.to_region, names[1])


def _why_not_told(item: Reassignment, to_ja: str, to_en: str) -> Bilingual:
    if not len(item.before):
        return "変更前の観測がないため、", ", for no day before it was observed"
    if item.delta is None or item.observed.interval is None:
        return "変更の前後に観測日が足りないため、", ", for too few days about it were observed"
    if item.share is None:
        return (
            f"{to_ja}からのパケット観測数の変化は日々のばらつきの範囲内であり、",
            f": the change of packets from {to_en} is within the scatter of the days",
        )
    return "変化に占める割合の幅が広いため、", ", for its share of the change is too uncertain"


def say_reasons(item: Reassignment, names: Mapping[str, Bilingual]) -> list[Bilingual]:
    """Say which conditions keep a change that coincides from being called an effect; the share speaks for itself."""
    evidence = item.evidence
    if item.verdict != results.COINCIDES or evidence is None:
        return []
    said: list[Bilingual] = []
    if not evidence.alone:
        found = list(dict.fromkeys((region, event.onset) for region, event in evidence.own_events))
        ja = "、".join(f"{names[region][0]}で{day_text(onset, 'ja')}頃" for region, onset in found)
        en = ", ".join(f"from {names[region][1]} around {day_text(onset, 'en')}" for region, onset in found)
        said.append(
            (
                f"割り当てを固定した集計にも同じ時期に変化があり（{ja}）、割り当ての変更だけでは説明できません。",
                f"Packets counted so changed at that time too ({en}): the reassignment alone does not explain it.",
            )
        )
    elif not evidence.timely and evidence.shift is None:
        said.append(("変化の始まった日は特定できませんでした。", "The day on which the change began cannot be told."))
    elif not evidence.timely and evidence.shift is not None:
        onset = evidence.shift.onset
        said.append(
            (
                f"変化の始まりは{day_text(onset, 'ja')}頃と推定され、割り当てが変わった日とは一致しません。",
                f"The change is estimated to have begun around {day_text(onset, 'en')}, "
                "not on the day of the reassignment.",
            )
        )
    return said


def _shortened(item: Reassignment) -> Bilingual:
    if not item.shortened_for:
        return "", ""
    ja = "、".join(day_text(day, "ja") for day in item.shortened_for)
    en = " and ".join(day_text(day, "en") for day in item.shortened_for)
    return (
        f"比較する期間は、{ja}の別の割り当ての変更と重ならないようにしています。",
        f"The days compared are chosen to keep clear of another reassignment on {en}.",
    )


def reassigned_days(item: Reassignment) -> tuple[date, date]:
    """Return the first and the last day on which blocks of a reassignment were moved."""
    return item.date, item.last or max(item.date, item.after.first - ONE_DAY)


def span_text(first: date, last: date) -> Bilingual:
    """Return ``1月21日`` or ``1月21日から23日``; ``21 January`` or ``21–23 January``."""
    if first == last:
        return day_text(first, "ja"), day_text(first, "en")
    if first.month == last.month:
        return f"{day_text(first, 'ja')}から{last.day}日", f"{first.day}–{day_text(last, 'en')}"
    return f"{day_text(first, 'ja')}から{day_text(last, 'ja')}", f"{day_text(first, 'en')} to {day_text(last, 'en')}"


def _changes(item: Reassignment, names: tuple[Bilingual, Bilingual]) -> Bilingual:
    """Return （オランダが10日間平均で約8倍、英国が約0.4倍）, as far as the ratios are known."""
    (from_ja, from_en), (to_ja, to_en) = names
    known = [
        (ja, en, times_text(ratio.value))
        for ja, en, ratio in ((to_ja, to_en, item.observed), (from_ja, from_en, item.observed_from))
        if ratio.value is not None
    ]
    if not known:
        return "", ""
    means = _means_text(len(item.before), len(item.after))
    ja = [f"{name}が{means[0] if place == 0 else ''}約{times}倍" for place, (name, _, times) in enumerate(known)]
    en = [f"{name} to about {times} times" for _, name, times in known]
    return f"（{'、'.join(ja)}）", f" ({', '.join(en)}, by {means[1]})"


def _means_text(before: int, after: int) -> Bilingual:
    """Say which means were compared; near the quarter's ends the windows are shorter than ten days."""
    if before == after:
        return f"{after}日間平均で", f"{after}-day means"
    return f"前{before}日間と後{after}日間の平均で", f"the means of the {before} days before and the {after} days after"


def _held_apart(item: Reassignment, to_ja: str, to_en: str) -> Bilingual:
    ratio = item.pinned.value
    if ratio is None:
        return "", ""
    times = times_text(ratio)
    unchanged = item.pinned.interval is not None and item.pinned.interval[0] <= 1 <= item.pinned.interval[1]
    if item.reference is None or item.reference < item.date - ONE_DAY:
        pinned_ja, pinned_en = (
            "四半期初日の割り当てに固定して集計すると、",
            "the delegations of the quarter's first day",
        )
    else:
        pinned_ja, pinned_en = "変更前日の割り当てに固定して集計すると、", "the delegations of the day before"
    counted = f"Counted by {pinned_en}, packets from {to_en}"
    if unchanged:
        return (
            f"{pinned_ja}{to_ja}からのパケットは約{times}倍で、変化は認められません。",
            f"{counted} did not change (about {times} times).",
        )
    return f"{pinned_ja}{to_ja}からのパケットは約{times}倍でした。", f"{counted} went to about {times} times."


def say_step(step: RegionStep, name: Bilingual) -> Bilingual:
    """Say of a lasting change of a region that no reassignment explains it."""
    ja, en = name
    event, ratio = step.event, step.event.ratio
    rises = event.factor > 1
    times = "" if ratio is None or ratio.value is None else times_text(ratio.value)
    about_ja, about_en = _about(ratio, times) if ratio and times else ("", "")
    own = (
        (
            "四半期初日の割り当てに固定した集計でも同じ変化が見られます。",
            "Counted by the delegations of the quarter's first day it shows all the same.",
        )
        if step.own is not None
        else ("", "")
    )
    near_ja = "この時期に同地域で割り当てが変わったIPアドレス帯はなく、"
    near_en = f"No address block was delegated to or from {en} at that time"
    if step.blocks_near:
        percent_ja, percent_en = _percent(None if step.moved_share is None else abs(step.moved_share))
        near_ja = (
            f"この時期に同地域で割り当てが変わったIPアドレス帯（{step.blocks_near:,}件）の"
            f"パケットは変化の{percent_ja}であり、"
        )
        plural = "" if step.blocks_near == 1 else "s"
        near_en = (
            f"Packets from the {step.blocks_near:,} address block{plural} delegated to or from {en} at that time "
            f"amount to {percent_en} of the change"
        )
    return (
        f"{day_text(event.onset, 'ja')}頃から、{ja}を送信元とするパケット観測数が"
        f"{'増加' if rises else '減少'}しました{about_ja}。{near_ja}"
        f"IPアドレス帯の割り当ての変更では説明できません。{own[0]}",
        f"From about {day_text(event.onset, 'en')} packets from {en} {'rose' if rises else 'fell'}{about_en}. "
        f"{near_en}: it is not explained by a reassignment. {own[1]}".strip(),
    )


def _about(ratio: Ratio, times: str) -> Bilingual:
    """Say how large a step is, and where its figure cannot show it: against days of the quarter before."""
    days = len(ratio.numerator)
    if Quarter.of(ratio.denominator.last) == Quarter.of(ratio.numerator.first):
        return f"（{days}日間平均で約{times}倍）", f" to about {times} times (by {days}-day means)"
    return (
        f"（{days}日間平均で、前四半期末の約{times}倍）",
        f" to about {times} times the end of the previous quarter (by {days}-day means)",
    )


def say_quiet(items: Sequence[Reassignment]) -> Bilingual:
    """Say how many blocks moved without an effect."""
    blocks = sum(len(item.blocks) for item in items)
    addresses = sum(block.addresses for item in items for block in item.blocks)
    plural, were = ("", "was") if blocks == 1 else ("s", "were")
    return (
        f"このほか、本四半期に割り当て先の地域が変わったIPアドレス帯は{blocks:,}件（{addresses:,}アドレス）ありましたが、"
        "パケット観測数への目立った影響は認められませんでした。",
        f"Another {blocks:,} address block{plural} ({addresses:,} addresses) {were} delegated to another region in "
        "the quarter without a marked effect on the numbers of packets.",
    )


def _percent(share: float | None) -> Bilingual:
    if share is not None and 0 < share < _SLIGHT:
        return "1%未満", "less than 1%"
    percent = f"{round(100 * (share or 0.0))}%"
    return f"約{percent}", f"about {percent}"


def _percent_interval(interval: Interval | None) -> Bilingual:
    if interval is None:
        return "", ""
    low, high = (round(100 * end) for end in interval)
    return f"（95%信頼区間 {low}〜{high}%）", f" (95% interval {low}–{high}%)"
