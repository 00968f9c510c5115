"""Sentences in Japanese and English, made from numbers; the register is that of a CSIRT's quarterly report.

Every function returns the same statement twice: (Japanese, English). Nothing is decided here: ``claims``
decides what is said, and each sentence says no more than its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tsubame.periods import Quarter
from tsubame.report.names import Language

Bilingual = tuple[str, str]

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def quarter_title(quarter: Quarter, language: Language) -> str:
    """Return ``2023年1〜3月`` or ``January–March 2023``."""
    first, last = quarter.first_day.month, quarter.last_day.month
    if language == "ja":
        return f"{quarter.year}年{first}〜{last}月"
    return f"{MONTHS[first - 1]}–{MONTHS[last - 1]} {quarter.year}"


def day_text(day: date, language: Language, *, with_year: bool = False) -> str:
    """Return ``1月21日`` or ``21 January``."""
    if language == "ja":
        return (f"{day.year}年" if with_year else "") + f"{day.month}月{day.day}日"
    return f"{day.day} {MONTHS[day.month - 1]}" + (f" {day.year}" if with_year else "")


def times_text(ratio: float) -> str:
    """Return a ratio as the report rounds it: one decimal below 5, none above; ``8``, ``1.5``, ``0.04``."""
    if ratio >= 5:
        return f"{ratio:,.0f}"
    if ratio >= 0.095 or ratio == 0:
        return f"{ratio:.1f}".removesuffix(".0")
    return f"{ratio:.1g}"


def previous_text(previous: int | None, cutoff: int, has_previous: bool, language: Language) -> str:
    """Return a previous rank as the tables print it: its number, ``TOP10外``, or ``－`` without a quarter."""
    if not has_previous:
        return "－" if language == "ja" else "–"
    if previous is not None and previous <= cutoff:
        return str(previous)
    return f"TOP{cutoff}外" if language == "ja" else f"outside top {cutoff}"


def ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``3rd``, ``4th`` … ``11th``."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def say_first(
    subject: Bilingual, previous: int | None, cutoff: int, has_previous: bool, *, throughout: bool = False
) -> Bilingual:
    """Say which port or region led, and whether it did before.

    Args:
        subject: 23/TCP宛 / to 23/TCP.
        previous: its rank in the quarter before.
        cutoff: of the table.
        has_previous: whether there is a quarter before.
        throughout: whether it led on every day.
    """
    en = f"Packets {subject[1]} were the most numerous" + (" throughout the quarter" if throughout else "")
    before_ja, before_en = _place(previous, cutoff)
    if previous == 1:
        return (
            f"前四半期に引き続き、{subject[0]}のパケットが期間を通して一番多く観測されました。"
            if throughout
            else f"最も多く観測されたのは、前四半期に引き続き{subject[0]}のパケットでした。",
            f"{en}, as in the previous quarter.",
        )
    if not has_previous:
        return (
            f"{subject[0]}のパケットが期間を通して一番多く観測されました。"
            if throughout
            else f"最も多く観測されたのは、{subject[0]}のパケットでした。",
            f"{en}.",
        )
    return (
        f"{subject[0]}のパケットが期間を通して一番多く観測され、前四半期の{before_ja}から順位を上げました。"
        if throughout
        else f"最も多く観測されたのは{subject[0]}のパケットで、前四半期の{before_ja}から順位を上げました。",
        f"{en}, up from {before_en} in the previous quarter.",
    )


def say_fluctuation(subject: Bilingual, ratio: float, days: int) -> Bilingual:
    """Say that a series rose and fell again and again, and how far its highest days are above its lowest."""
    times = times_text(ratio)
    return (
        f"{subject[0]}のパケットは、期間中に増減を繰り返していました"
        f"（{days}日間平均で、最も多い時期は最も少ない時期の約{times}倍）。",
        f"Packets {subject[1]} rose and fell repeatedly during the quarter "
        f"(by {days}-day means, the highest was about {times} times the lowest).",
    )


def say_rank_change(subject: Bilingual, rank: int, previous: int | None, cutoff: int) -> Bilingual:
    """Say from which rank to which a port or region went; the two differ."""
    before_ja, before_en = _place(previous, cutoff)
    up = previous is None or rank < previous
    return (
        f"{subject[0]}のパケットは、前四半期の{before_ja}から{rank}番目に順位を{'上' if up else '下'}げました。",
        f"Packets {subject[1]} {'rose' if up else 'fell'} from {before_en} to {ordinal(rank)} place.",
    )


def rank_clause(rank: int, previous: int | None, cutoff: int) -> Bilingual:
    """Say to which rank a port rose, as the closing clause of a sentence."""
    before_ja, before_en = _place(previous, cutoff)
    return (
        f"順位も前四半期の{before_ja}から{rank}番目に上がりました",
        f"moved up from {before_en} to {ordinal(rank)} place",
    )


def _place(previous: int | None, cutoff: int) -> Bilingual:
    if previous is None:
        return f"TOP{cutoff}外", f"outside the top {cutoff}"
    if previous <= cutoff:
        return f"{previous}番目", f"{ordinal(previous)} place"
    return f"TOP{cutoff}外（{previous}番目）", f"outside the top {cutoff} ({ordinal(previous)})"


def say_unchanged(count: int) -> Bilingual:
    """Say that the first ``count`` ranks are those of the previous quarter."""
    return (
        f"トップ{count}の順位は前四半期から変わっていません。",
        f"The order of the top {count} is that of the previous quarter.",
    )


def say_common(
    rows: Sequence[tuple[Bilingual, int, int | None]], common: int, added: int, removed: int, count: int
) -> Bilingual:
    """Say what ranks are on the sensors that two quarters have in common.

    Args:
        rows: name, rank and previous rank of those whose ranks differ from the table's; empty where none does.
        common, added, removed: sensors of both quarters, of this one alone, of the one before alone.
        count: rows of the table.
    """
    sensors = [f" domestic sensor{'' if n == 1 else 's'}" for n in (added, removed)]
    moved = [(f"{added}台増", f"{added}{sensors[0]} {'was' if added == 1 else 'were'} added")] if added else []
    moved += [(f"{removed}台減", f"{removed}{'' if added else sensors[1]} went away")] if removed else []
    ja = f"国内センサーは前四半期から{'・'.join(part for part, _ in moved)}となっています。"
    en = f"Since the previous quarter, {' and '.join(part for _, part in moved)}; "
    basis_ja, basis_en = f"両四半期に共通する{common}台だけで", f"on the {common} that both quarters have"
    if not rows:
        return (
            f"{ja}{basis_ja}見ても、トップ{count}の順位とその前四半期の順位は同じです。",
            f"{en}{basis_en}, the top {count} and their previous ranks are the same.",
        )
    said_ja, said_en = [], []
    for name, rank, previous in rows:
        before_ja, before_en = (f"{previous}番目", ordinal(previous)) if previous else ("観測なし", "not observed")
        said_ja.append(f"{name[0]}は{rank}番目（前四半期は{before_ja}）")
        said_en.append(f"{name[1]} is {ordinal(rank)} (in the previous quarter {before_en})")
    return f"{ja}{basis_ja}見ると、{'、'.join(said_ja)}です。", f"{en}{basis_en}, {', '.join(said_en)}."


def say_close(names: Sequence[Bilingual]) -> Bilingual:
    """Say that neighbouring ranks could as well be in another order."""
    ja, en = "、".join(name for name, _ in names[:-1]), ", ".join(name for _, name in names[:-1])
    return (
        f"{ja}と{names[-1][0]}の差は観測のばらつきの範囲内であり、順位が入れ替わる可能性があります。",
        f"The differences between {en} and {names[-1][1]} are within the scatter of the observation, "
        "so their order is not certain."
        if len(names) > 2
        else f"The difference between {en} and {names[-1][1]} is within the scatter of the observation, "
        "so their order is not certain.",
    )


def say_growth(subject: Bilingual, ratio: float, days: int, *, gradual: bool) -> Bilingual:
    """Say how the quarter's last days compare with its first; ``gradual`` when the series went there evenly."""
    times, rising = times_text(ratio), ratio > 1
    mean_en = f"the mean of the last {days} days was about {times} times that of the first {days}"
    if gradual and 1 / 1.3 < ratio < 1.3:
        return (
            f"{subject[0]}のパケットは本四半期を通じて微{'増' if rising else '減'}傾向が続きました"
            f"（期末の{days}日間平均は、期初の{days}日間平均の約{times}倍）。",
            f"Packets {subject[1]} kept {'rising' if rising else 'falling'} slightly through the quarter ({mean_en}).",
        )
    if gradual:
        return (
            f"{subject[0]}のパケットは期間中に徐々に{'増えて' if rising else '減って'}、"
            f"期初と比べて期末には（{days}日間平均で）約{times}倍となりました。",
            f"Packets {subject[1]} gradually {'increased' if rising else 'decreased'}: {mean_en}.",
        )
    return (
        f"{subject[0]}のパケットは、期末の{days}日間平均が期初の{days}日間平均の約{times}倍でした。",
        f"Packets {subject[1]} ended the quarter at another level than they began it: {mean_en}.",
    )


def join_sentences(texts: Sequence[Bilingual], language: Language) -> str:
    """Join sentences to a paragraph; one that repeats the subject of the sentence before it leaves it out.

    Args:
        texts: (subject as the sentence begins with it, sentence), in one language.
        language: decides what stands for the subject that is left out.
    """
    joined: list[str] = []
    previous = ""
    for subject, text in texts:
        if subject and subject == previous and text.startswith(subject):
            rest = text[len(subject) :].lstrip("、 ")
            text = rest if language == "ja" else f"They {rest}"
        joined.append(text)
        previous = subject
    return ("" if language == "ja" else " ").join(joined)
