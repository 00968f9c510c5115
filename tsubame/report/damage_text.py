"""What is wrong with a capture, in Japanese; its account says it in English, see ``capture.accounting``."""

from __future__ import annotations

import re

_SAID = tuple(
    (re.compile(pattern), ja)
    for pattern, ja in (
        (r"(\d+) damaged records", r"破損した記録\1件"),
        (r"ends inside a record", r"記録の途中で終わっている"),
        (r"(\d+) bytes not read", r"\1バイトを読み取れず"),
        (r"record with a captured length above (\d+) bytes at byte (\d+)", r"\2バイト目の記録の長さが\1バイトを超える"),
        (
            r"section header without the byte-order magic at byte (\d+)",
            r"\1バイト目のセクションヘッダーにバイト順の印がない",
        ),
        (
            r"block length (\d+), expected (\d+) to (\d+) at byte (\d+)",
            r"\4バイト目のブロックの長さ\1が\2〜\3の範囲にない",
        ),
        (
            r"block of type (\w+) with length (\d+), expected (\d+) to (\d+) at byte (\d+)",
            r"\5バイト目のブロック（種類\1）の長さ\2が\3〜\4の範囲にない",
        ),
        (
            r"block of length (\d+) that does not end with its length at byte (\d+)",
            r"\2バイト目のブロック（長さ\1）の末尾に同じ長さの記載がない",
        ),
        (
            r"block of type (\w+) and length (\d+) that does not end with its length at byte (\d+)",
            r"\3バイト目のブロック（種類\1、長さ\2）の末尾に同じ長さの記載がない",
        ),
        (
            r"limit of (\d+) records reached, the rest not read, at byte (\d+)",
            r"記録数の上限\1件に達したため、\2バイト目以降を読み取らず",
        ),
    )
)


def damage_in_japanese(error: str) -> str:
    """Return the faults of a capture in Japanese; what a library said of a packed stream is quoted."""
    return "、".join(_in_japanese(fault) for fault in error.split("; ") if fault)


def _in_japanese(fault: str) -> str:
    for pattern, ja in _SAID:
        match = pattern.fullmatch(fault)
        if match:
            return match.expand(ja)
    return f"圧縮データを展開できない箇所がある（{fault}）"
