"""Sentences of the chapter on noted ports, in Japanese and English. Nothing is decided here; see ``narrative``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tsubame.analysis.noted_results import Comparison
from tsubame.analysis.results import FEWER_PACKETS, MARK_GONE, Event, Overlap, SignatureDecay
from tsubame.report.event_text import about, days_text, onset_text
from tsubame.report.names import port_label
from tsubame.report.narrative import Bilingual, day_text, times_text

TOOL_NAMES = {
    "mirai": "Mirai",
    "zmap": "ZMap",
    "masscan": "masscan",
    "nmap": "Nmap",
    "unicornscan": "Unicornscan",
}
_MARKS = {
    "mirai": (
        "Initial Sequence NumberとDestination IP addressとが一致する",
        "the initial sequence number equals the destination address",
    ),
    "zmap": ("IPヘッダーのIdentificationが54321である", "the IP identification is 54321"),
    "masscan": (
        "Identificationが宛先アドレス、宛先ポート番号、シーケンス番号の排他的論理和に一致する",
        "the IP identification is the exclusive or of destination, port and sequence number",
    ),
}


def tool_name(tool: str) -> str:
    """Return a tool's name as its makers write it."""
    return TOOL_NAMES.get(tool, tool)


def tool_label(tool: str, language: str) -> str:
    """Return how figures name the packets of a tool: ``Mirai型``; packets without a mark have a name, too."""
    if not tool:
        return "特徴なし" if language == "ja" else "no mark"
    return f"{tool_name(tool)}型" if language == "ja" else f"{tool_name(tool)} type"


def focus_subject(region: Bilingual, tool: str | None, port: tuple[int, int | None]) -> Bilingual:
    """Return what a region's packets are called: ``日本を送信元とするMirai型の37215/TCP宛``."""
    ja, en = _target(port)
    typed = ("", "") if tool is None else (f"{tool_name(tool)}型の", f"of {tool_name(tool)} type ")
    return f"{region[0]}を送信元とする{typed[0]}{ja}", f"{typed[1]}{en} from {region[1]}"


def defined_subject(region: Bilingual, tool: str, port: tuple[int, int | None]) -> Bilingual:
    """Return the same, saying what the tool's mark is and how its packets are called from here on."""
    ja, en = _target(port)
    name = tool_name(tool)
    mark = _MARKS.get(tool)
    which_ja = f"（{mark[0]}；以下、{name}型パケットという）" if mark else f"（以下、{name}型パケットという）"
    which_en = f" ({mark[1]})" if mark else ""
    return (
        f"{region[0]}を送信元とする{name}の特徴{which_ja}を持つ{ja}の",
        f"{en} from {region[1]} that bear the mark of {name}{which_en}",
    )


def _target(port: tuple[int, int | None]) -> Bilingual:
    ja, en = port_label(*port, "ja"), port_label(*port, "en")
    return (ja, f"of {en}") if port[1] is None else (f"{ja}宛", f"to {en}")


def noted_title(port: tuple[int, int | None], regions: int, only: Bilingual | None) -> Bilingual:
    """Return the title of a noted port's section."""
    ja, en = _target(port)
    if regions > 1:
        return f"さまざまな地域を送信元とする{ja}のパケットの推移について", f"Packets {en} from various regions"
    if only is not None:
        return f"{only[0]}を送信元とする{ja}のパケットの推移について", f"Packets {en} from {only[1]}"
    return f"{ja}のパケットの推移について", f"Packets {en}"


def say_noted(port: tuple[int, int | None], ratio: float) -> Bilingual:
    """Say how a port's mean compares with that of the quarter before."""
    ja, en = _target(port)
    times = times_text(ratio)
    return (
        f"{ja}のパケットは、1センサー・1日平均で前四半期の約{times}倍となりました。",
        f"Packets {en} per sensor and day were about {times} times those of the previous quarter.",
    )


def say_domestic(port: tuple[int, int | None]) -> Bilingual:
    """Say that some of a port's packets came from Japan."""
    ja, en = _target(port)
    return (
        f"{ja}のパケットの送信元には日本国内のIPアドレスも含まれていました。",
        f"Packets {en} also came from IP addresses in Japan.",
    )


def say_tool_share(port: tuple[int, int | None], tool: str, percent: int, ends: tuple[int, int] | None) -> Bilingual:
    """Say which part of a port's packets bears a tool's mark, over the quarter and, if given, at its two ends."""
    ja, en = _target(port)
    name = tool_name(tool)
    more_ja, more_en = "", ""
    if ends is not None:
        more_ja = f"（期初の10日間では約{ends[0]}%、期末の10日間では約{ends[1]}%）"
        more_en = f" (about {ends[0]}% in the first 10 days, about {ends[1]}% in the last 10)"
    return (
        f"{ja}のパケットの約{percent}%は、{name}の特徴を持つものでした{more_ja}。",
        f"About {percent}% of the packets {en} bore the mark of {name}{more_en}.",
    )


def say_overlap(overlap: Overlap, region: Bilingual) -> Bilingual:
    """Say how many of the sources of a port also sent to another."""
    port, companion = port_label(*overlap.port, "ja"), port_label(*overlap.companion, "ja")
    port_en, companion_en = port_label(*overlap.port, "en"), port_label(*overlap.companion, "en")
    share = round(100 * (overlap.share or 0.0))
    every = overlap.also == overlap.sources
    counted_ja = (
        f"（{overlap.sources:,}アドレスすべて）"
        if every
        else f"（{overlap.sources:,}アドレス中{overlap.also:,}アドレス、約{share}%）"
    )
    who_ja = "" if every else "の多く"
    ja = f"これらのパケットの送信元{who_ja}は{port}宛だけでなく{companion}宛のパケットも送信していました{counted_ja}。"
    who_en = f"All {overlap.sources:,} sources" if every else f"{overlap.also:,} of the {overlap.sources:,} sources"
    part_en = "" if every else f" (about {share}%)"
    en = f"{who_en} of these packets{part_en} sent to {companion_en} as well as {port_en}."
    if overlap.baseline is None:
        return ja, en
    if not overlap.baseline_also:
        return (
            f"{ja}{region[0]}のそのほかの送信元に、{companion}宛にも送信していたものはありませんでした。",
            f"{en} None of the other sources in {region[1]} sent to {companion_en}.",
        )
    other = round(100 * overlap.baseline)
    return (
        f"{ja}{region[0]}のそのほかの送信元では、{companion}宛にも送信していたものは約{other}%でした。",
        f"{en} Of the other sources in {region[1]} about {other}% sent to {companion_en}.",
    )


def say_comparison(
    comparison: Comparison, companion: tuple[int, int | None], region: Bilingual, figures: tuple[int, int]
) -> Bilingual:
    """Say whether the companion port's packets changed along, no more strongly than the verdict.

    Args:
        comparison: what the test found.
        companion: protocol and port.
        region: whose packets.
        figures: numbers of the noted port's figure and of the companion's.
    """
    ja, en = _target(companion)
    shown_ja = f"［図{figures[1]}］に{region[0]}を送信元とする{ja}のパケットの推移を示します。"
    shown_en = f"Figure {figures[1]} shows the packets {en} from {region[1]}."
    if comparison.verdict == "none":
        return (
            f"{shown_ja}［図{figures[0]}］に示した増減と相関するような特徴的な変化を見出すことはできませんでした。",
            f"{shown_en} No characteristic change that would correlate with that of Figure {figures[0]} was found.",
        )
    if comparison.verdict == "changed" and comparison.factor is not None:
        times = times_text(comparison.factor)
        return (
            f"{shown_ja}［図{figures[0]}］に示した増減と時期を同じくして、約{times}倍の変化が見られました。",
            f"{shown_en} It changed at the same time as that of Figure {figures[0]}, to about {times} times.",
        )
    return (
        f"{shown_ja}［図{figures[0]}］に示した増減と相関する変化の有無は、観測数のばらつきが大きく判断できませんでした。",
        f"{shown_en} Whether it changed along with that of Figure {figures[0]} cannot be told from these numbers.",
    )


def say_regions(
    port: tuple[int, int | None], rises: Sequence[tuple[Bilingual, Event]], figure: int, last_day: date
) -> Bilingual:
    """Say when the packets from some regions rose, and how much.

    Args:
        port: protocol and port.
        rises: name of each region and its surest rise, in order of onset.
        figure: number of the figure that shows them.
        last_day: of the quarter.
    """
    ja, en = _target(port)
    items = [_rise(name, event, last_day) for name, event in rises]
    varied = len(rises) > 1
    passing = "一時的な" if all(event.peak is not None for _, event in rises) else ""
    head_ja = f"さまざまな地域から送信された{ja}のパケットで" if varied else f"{rises[0][0][0]}からの{ja}のパケットでも"
    head_en = f"Packets {en} rose in various regions." if varied else f"Packets {en} from {rises[0][0][1]} rose, too."
    return (
        f"{head_ja}{passing}増加の現象が観測されました。増加の時期と、最多の日の増加前の平均に対する倍率は、"
        f"{'、'.join(item[0] for item in items)}でした。増加の様子を［図{figure}］に示します。",
        f"{head_en} When, and how many times the mean before on the highest day: "
        f"{'; '.join(item[1] for item in items)}. See Figure {figure}.",
    )


def _rise(name: Bilingual, event: Event, last_day: date) -> Bilingual:
    onset_ja, onset_en = onset_text(event)
    end = event.end or last_day
    if event.kind in ("gradual", "shift") or event.end is None:
        when_ja, when_en = f"{onset_ja}から", f"from {onset_en} on"
    elif event.kind == "spike_and_decay" or about(event):
        when_ja = f"{onset_ja}から{day_text(end, 'ja')}頃"
        when_en = f"{onset_en} to about {day_text(end, 'en')}"
    else:
        when_ja, when_en = days_text(event.onset, end)
    # Of a lasting change there is no highest day to compare.
    known = event.peak is not None and event.ratio is not None and event.ratio.value is not None
    times = times_text(event.ratio.value) if known else ""  # type: ignore[union-attr,arg-type]
    of_ja = f"（約{times}倍）" if times else ""
    of_en = f" (about {times} times)" if times else ""
    return f"{name[0]}が{when_ja}{of_ja}", f"{name[1]} {when_en}{of_en}"


def say_others(number: int, *, passing: bool) -> Bilingual:
    """Say that more regions than are shown had rises; ``passing``: of some days each."""
    more = "一時的な" if passing else ""
    return (
        f"これらの地域以外の{number}地域からも、時期は異なるものの{more}増加が見られました。",
        f"Rises, not all at the same time, were seen from {number} more region{'' if number == 1 else 's'}.",
    )


def say_superposition(
    port: tuple[int, int | None], figure: int | None, percent: int, regions: int, rest_seen: bool
) -> Bilingual:
    """Say that a port's change is that of some regions taken together.

    Args:
        port: protocol and port.
        figure: number of the figure that shows the port; None when none does.
        percent: of the excess that the regions carry.
        regions: how many they are.
        rest_seen: whether the other regions' packets were enough to be searched for rises.
    """
    name_ja, name_en = port_label(*port, "ja"), port_label(*port, "en")
    where_ja = f"［図{figure}］の" if figure else ""
    where_en = f" in Figure {figure}" if figure else ""
    rest_ja = "、そのほかの地域からのパケットには増加の現象が認められません" if rest_seen else "ます"
    rest_en = "; packets from all other regions show no rise" if rest_seen else ""
    return (
        f"{where_ja}{name_ja}の変化はこれらの一時的な増減が重なり合ったものと考えられます"
        f"（{regions}地域が増加分の約{percent}%を占め{rest_ja}）。",
        f"The change of {name_en}{where_en} is considered to be these rises and falls laid upon each other "
        f"({regions} regions carry about {percent}% of the excess{rest_en}).",
    )


def say_sensors(port: tuple[int, int | None], seen: int, domestic: int, percent: int) -> Bilingual:
    """Say how many of the domestic sensors saw a port's packets, and the largest part of one."""
    ja, en = _target(port)
    all_ja = f"国内の{domestic}台すべての" if seen == domestic else f"国内の{domestic}台のうち{seen}台の"
    all_en = f"all {domestic} sensors" if seen == domestic else f"{seen} of the {domestic} sensors"
    return (
        f"{ja}のパケットは、{all_ja}センサーで観測され、1台あたりの割合は最大で約{percent}%でした。",
        f"Packets {en} reached {all_en} in Japan; no sensor saw more than about {percent}% of them.",
    )


def say_sources(
    port: tuple[int, int | None], total: int, returning: int | None, most: tuple[date, int] | None
) -> Bilingual:
    """Say how many sources a port had, how many of the quarter before, and on which day the most."""
    ja, en = _target(port)
    before_ja = "" if returning is None else f"（うち{returning:,}件は前四半期にも観測）"
    before_en = "" if returning is None else f" ({returning:,} of them seen in the previous quarter, too)"
    most_ja = most_en = ""
    if most is not None:
        most_ja = f"、1日あたりでは{day_text(most[0], 'ja')}の{most[1]:,}件が最多"
        most_en = f"; the most on a day were {most[1]:,} on {day_text(most[0], 'en')}"
    return (
        f"{ja}のパケットの送信元IPアドレスは、四半期を通じて{total:,}件{before_ja}{most_ja}でした。",
        f"Packets {en} came from {total:,} IP addresses over the quarter{before_en}{most_en}.",
    )


def say_decay(port: tuple[int, int | None], tool: str, decay: SignatureDecay, shares: tuple[int, int]) -> Bilingual:
    """Say that a tool's share collapsed, and what that means as far as it can be told.

    Args:
        port: protocol and port.
        tool: whose mark.
        decay: what was found.
        shares: percent before and after.
    """
    ja, en = _target(port)
    name = tool_name(tool)
    when_ja, when_en = day_text(decay.onset, "ja"), day_text(decay.onset, "en")
    fell_ja = (
        f"{ja}のパケットのうち{name}の特徴を持つものの割合は、"
        f"{when_ja}頃を境に約{shares[0]}%から約{shares[1]}%に下がりました"
    )
    fell_en = (
        f"The part of the packets {en} that bears the mark of {name} fell from about {shares[0]}% to about "
        f"{shares[1]}% from about {when_en} on"
    )
    if decay.verdict == MARK_GONE:
        return (
            f"{fell_ja}が、パケットの総数にこれに見合う減少は見られません。"
            "特徴による判別ができなくなったものと考えられ、攻撃の減少を示すものではありません。",
            f"{fell_en}, while the number of packets did not fall accordingly: the mark is considered to have "
            "vanished, not the packets.",
        )
    if decay.verdict == FEWER_PACKETS:
        return (
            f"{fell_ja}。パケットの総数もこれに見合って減少しました。",
            f"{fell_en}, and the packets fell accordingly.",
        )
    return f"{fell_ja}。", f"{fell_en}."
