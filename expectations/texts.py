"""Every sentence of validation, in English and in Japanese.

``EXPECTED`` has the Japanese of each description in the suites; ``LINES`` has, in both languages, what the custom
expectations say when something is wrong.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One statement in both languages."""

    en: str
    ja: str


EXPECTED = {
    # delegations
    "The registry is one of the five RIRs": "レジストリは5つのRIRのいずれかである",
    "One snapshot of a registry is in force on a day": "1日に有効な割り当て情報はレジストリごとに1つである",
    "Every registry has a snapshot on every day": "毎日、すべてのレジストリの割り当て情報がある",
    "Snapshots are carried forward over a few days at most": "割り当て情報を前日以前のもので補うのは数日までである",
    "No snapshot is older than a quarter, and none is of a later day": (
        "割り当て情報は3か月より古くなく、後日のものでもない"
    ),
    "Every line of the snapshots can be read": "割り当て情報のすべての行を読み取れる",
    "A snapshot in force holds addresses": "有効な割り当て情報にはアドレスが含まれる",
    "A snapshot has the MD5 that its registry gives for it": "割り当て情報のMD5は、レジストリが示す値と一致する",
    "The MD5 file beside a snapshot names an MD5": "割り当て情報に添えられたMD5ファイルにMD5の値が記載されている",
    "No snapshot is contradicted by its neighbours": "割り当て情報は前後の日の情報と矛盾しない",
    "No registry loses much space from one snapshot to the next": "レジストリのアドレス数は大きく減らない",
    "No snapshot is a part of a file": "割り当て情報のファイルが途中で切れていない",
    # captures
    "A capture is of a sensor": "キャプチャにはセンサーの名前がある",
    "A capture is counted once": "キャプチャは一度だけ集計される",
    "Every record read has exactly one fate": "読み取ったすべての記録の扱いが1つに定まる",
    "Every capture is read to its end": "すべてのキャプチャを末尾まで読み取れる",
    "Most captures are read to their end": "大半のキャプチャを末尾まで読み取れる",
    "Hardly any record is damaged": "破損した記録がほとんどない",
    "The damaged records leave the numbers standing": "破損した記録が数値を損なうほど多くない",
    "The records are the sensors' own": "記録はセンサー宛のものである",
    # days
    "Every record of a day has exactly one fate": "1日のすべての記録の扱いが1つに定まる",
    "A day's counts hold every packet kept, and no other": "1日の集計は、残したパケットのすべてであり、それだけである",
    "Pinning regions to the quarter's first day neither adds nor drops a packet": (
        "地域を四半期初日の割り当てに固定してもパケット数は変わらない"
    ),
    "The packets of all ports are those of all regions": "全ポートのパケット数は全地域のパケット数に等しい",
    "The packets of all sources are those of all regions": "全送信元のパケット数は全地域のパケット数に等しい",
    "On the quarter's first day every region is its pinned region": "四半期初日には固定した地域と当日の地域が一致する",
    "Each row has at least one source, and no more sources than packets": (
        "各行の送信元は1つ以上であり、パケット数を超えない"
    ),
    "Some domestic sensor is up on every day": "毎日、国内のセンサーが1台以上稼働している",
    "Most of the sensors expected are up on every day": "毎日、対象のセンサーの大半が稼働している",
    "Few packets come from space in no delegation file": "割り当て情報にないアドレスからのパケットは少ない",
    "Most packets have a region": "大半のパケットの地域が定まる",
    # counts
    "Counts have the columns that the schema declares": "集計表の列は定義のとおりである",
    "Each column is there once a day": "各列は1日に1つである",
    # regions, moves, reassignments, steps, verdicts
    "A region is a two-letter code, or a kind of space without one": (
        "地域は2文字の符号、または割り当てのない領域の種別である"
    ),
    "A region has one number a day": "地域の数値は1日に1つである",
    "What one region loses by reassignment others gain, every day": (
        "割り当ての変更で1つの地域が失う分は、毎日、他の地域が得る分に等しい"
    ),
    "Where a region's two series part, named moved blocks carry the difference": (
        "地域の2つの集計の差は、割り当てが変わったアドレス帯のパケットに等しい"
    ),
    "A reassignment that matters is recognised, dated by its first snapshot, and named": (
        "影響のある割り当ての変更が、日付とアドレス帯とともに認識されている"
    ),
    "Every step of a first region is explained by a reassignment or flagged": (
        "上位地域の段階的な変化は、割り当ての変更で説明されるか、説明されないと明記されている"
    ),
    "The explained part of a change is a part of it": "変化のうち説明された割合は、変化の大きさに見合っている",
    "Steps that no reassignment explains": "割り当ての変更では説明されない段階的な変化がない",
    "The words follow the numbers": "記述は数値の範囲を超えない",
    "What the reassignments that matter did can be told": "影響のある割り当ての変更について判断できる",
    # ranking
    "Ranks count from 1, and packets fall with the rank": "順位は1から始まり、パケット数は順位とともに減る",
    "What is ranked has at least one source": "順位のあるものには送信元が1つ以上ある",
    "There are no more sources than packets": "送信元の数はパケット数を超えない",
}

_PATTERNS = (
    (r"(\w+) is a number of records", r"\1は記録の数である"),
    (r"(\w+) is never missing", r"\1は欠けない"),
    (r"(\w+) is at least (\d+)", r"\1は\2以上である"),
    (r"(\w+) is ([^:]+): .*", r"\1の型は\2である"),
)

COLUMNS = {
    "sensors_up": "稼働したセンサーの数",
    "sensors_up_share": "対象のセンサーのうち稼働したものの割合",
    "age_days": "経過日数",
    "addresses": "アドレス数",
    "packets": "パケット数",
    "sources": "送信元IPアドレス数",
    "source_rows_wrong": "読み取れなかった行の数",
    "parted_on_first_day": "初日の差",
    "faults": "破損の数",
    "capture": "キャプチャ",
    "registry": "レジストリ",
    "region": "地域",
    "sensor_id": "センサー",
    "verdict": "判定",
    "glitch": "前後の日との矛盾",
    "md5_ok": "MD5の一致",
    "md5_unreadable": "読み取れないMD5",
    "error": "エラー",
}
"""What the columns that a note names are called in Japanese."""

LINES = {
    "more": Line("and {n} more", "ほか{n}件"),
    "rows": Line("{n} of {m} rows, such as {rows}", "{m}件中{n}件（例：{rows}）"),
    "found": Line("found {value}", "実際の値は{value}"),
    "unchecked": Line("could not be checked ({problem})", "検査できませんでした（{problem}）"),
    "fates": Line(
        "{name}: {read} records read, but their fates add up to {total}",
        "{name}：読み取った{read}件に対し、扱いの合計が{total}件",
    ),
    "unequal": Line("{name}: {left} {a}, {right} {b}", "{name}：{left}は{a}、{right}は{b}"),
    "gain": Line(
        "{day}: regions gain {total:+d} packets on the whole", "{day}：全地域の合計で{total:+d}パケットの過不足"
    ),
    "parted": Line(
        "{source} -> {target}: {parted} packets parted on {days} days from {first}, moved blocks carry {carried}",
        "{source}→{target}：{first}以降の{days}日間で差が{parted}パケット、変更されたアドレス帯の分は{carried}パケット",
    ),
    "ranks_gap": Line("{table}: ranks do not count from 1 to {n}", "{table}：順位が1から{n}まで続いていない"),
    "ranks_rise": Line("{table}: packets rise from one rank to the next", "{table}：下位のパケット数が上位を上回る"),
    "ranks_twice": Line("{table}: {name} is ranked twice", "{table}：{name}の順位が2つある"),
    "ranks_outside": Line("{table}: rank {rank} outside its interval", "{table}：{rank}位が区間の外にある"),
    "unrecognised": Line(
        "{pair}: {packets:.1f} packets per sensor and day parted from {first}, but no reassignment is recognised",
        "{pair}：{first}から1センサー・1日あたり{packets:.1f}パケットの差があるが、割り当ての変更が認識されていない",
    ),
    "dated_late": Line(
        "{pair}: first seen {seen}, but packets parted from {first} on",
        "{pair}：最初の確認は{seen}だが、{first}から差がある",
    ),
    "absent": Line(
        "{registry}: no snapshot on {missing} of {days} days; its space counts as undelegated",
        "{registry}：{days}日中{missing}日の割り当て情報がなく、そのアドレスは割り当てなしとして集計",
    ),
    "share": Line(
        "{part} is {share:.2%} of {whole}, more than {maximum:.2%}",
        "{part}が{whole}の{share:.2%}で、上限の{maximum:.2%}を超える",
    ),
    "space_lost": Line(
        "{registry} {day}: {after:,} addresses, {loss:.1%} fewer than in the snapshot before ({before:,})",
        "{registry} {day}：{after:,}アドレスで、前の情報（{before:,}アドレス）より{loss:.1%}少ない",
    ),
    "verdict_unknown": Line("{name}: unknown verdict {verdict!r}", "{name}：未知の判定{verdict!r}"),
    "verdict_low": Line(
        "{name}: said to be explained with a share from {low}", "{name}：割合の下限が{low}であるのに説明されると判定"
    ),
    "verdict_interval": Line(
        "{name}: share {share:.3f} outside {low:.3f} to {high:.3f}",
        "{name}：割合{share:.3f}が区間{low:.3f}〜{high:.3f}の外にある",
    ),
    "verdict_packets": Line(
        "{name}: said to be explained by blocks without packets",
        "{name}：パケットのないアドレス帯で説明されると判定",
    ),
    "verdict_condition": Line(
        "{name}: said to be explained although {failed} does not hold",
        "{name}：条件（{failed}）を満たさないのに説明されると判定",
    ),
    "step_unflagged": Line(
        "{region} on {day}: {ratio:.2f} times by ten-day means, neither explained nor flagged",
        "{region} {day}：10日間平均で{ratio:.2f}倍の変化が、説明も明記もされていない",
    ),
    "step_share": Line(
        "{region} on {day}: said to be explained, but moved blocks carry {share:.0%} of the change",
        "{region} {day}：説明されると判定したが、変更されたアドレス帯の分は変化の{share:.0%}",
    ),
    "step_unexplained": Line(
        "{region} on {day}: {ratio:.2f} times by ten-day means, not explained by a reassignment",
        "{region} {day}：10日間平均で{ratio:.2f}倍の変化は、割り当ての変更では説明されない",
    ),
}


def line(key: str, **values: Any) -> Line:
    """Fill in one of ``LINES``."""
    template = LINES[key]
    return Line(template.en.format(**values), template.ja.format(**values))


def in_japanese(description: str) -> str:
    """Return the Japanese of an expectation's description; the description itself where there is none."""
    if description in EXPECTED:
        return EXPECTED[description]
    for pattern, replacement in _PATTERNS:
        if re.fullmatch(pattern, description):
            return re.sub(pattern, replacement, description)
    return description
