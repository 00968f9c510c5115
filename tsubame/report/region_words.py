"""The fixed words of the regions page, in Japanese and English."""

from __future__ import annotations

from collections.abc import Mapping

from tsubame.analysis import results
from tsubame.report.names import Language

VERDICTS: Mapping[Language, Mapping[str, str]] = {
    "ja": {
        results.EXPLAINED: "割り当て変更の影響と考えられる",
        results.COINCIDES: "割り当て変更と時期が重なる",
        results.NOT_EXPLAINED: "割り当て変更では説明できない",
        results.NO_SHIFT: "変化なし",
        results.CANNOT_TELL: "判断できない",
    },
    "en": {
        results.EXPLAINED: "effect of the reassignment",
        results.COINCIDES: "coincides with the reassignment",
        results.NOT_EXPLAINED: "not explained by a reassignment",
        results.NO_SHIFT: "no change",
        results.CANNOT_TELL: "cannot be told",
    },
}

CONDITIONS: Mapping[Language, Mapping[str, str]] = {
    "ja": {
        "share": "変化に占める割合の下限が50%以上である",
        "alone": "固定した集計には前後3日以内に変化がない",
        "timely": "変化が割り当て変更の前後2日以内に始まっている",
    },
    "en": {
        "share": "the lower bound of the share of the change is at least 50%",
        "alone": "with delegations held fixed nothing changed within 3 days of it",
        "timely": "the change set in within 2 days of the reassignment",
    },
}

WORDS: Mapping[Language, Mapping[str, str]] = {
    "ja": {
        "title": "地域の割り当て変更",
        "back": "← レポートへ戻る",
        "switch": "English",
        "system": "TSUBAME",
        "draft": "未公開の草案",
        "edition": "第{n}版",
        "lead": "IPアドレス帯の割り当て先の地域が変わると、"
        "送信元の活動が変わらなくても地域別のパケット観測数は変化します。"
        "このページでは、本四半期に割り当てが変わったIPアドレス帯と、"
        "それによる変化を、"
        "各日の割り当てによる集計と割り当てを固定した集計を比べて示します。",
        "summary": "本四半期に割り当て先の地域が変わったIPアドレス帯は"
        "{blocks:,}件（{addresses:,}アドレス、{groups:,}組）で、"
        "このうち地域別のパケット観測数に影響しうるものは{matters:,}組でした。",
        "summary_none": "本四半期に割り当て先の地域が変わったIPアドレス帯はありませんでした。",
        "effects": "影響の大きい割り当て変更",
        "no_effects": "地域別のパケット観測数に影響しうる割り当て変更はありませんでした。",
        "reassignment": "{source}から{target}へ（{when}）",
        "region": "地域",
        "observed": "各日の割り当て",
        "pinned": "固定した割り当て",
        "share": "変化に占める変更の割合［95%信頼区間］",
        "conditions": "判定の条件",
        "holds": "満たす",
        "fails": "満たさない",
        "block": "アドレス帯",
        "addresses": "アドレス数",
        "holder": "保有者（opaque-id）",
        "date": "最初に確認した日",
        "before": "変更前{days}日間",
        "after": "変更後{days}日間",
        "blocks_caption": "割り当てが変わったアドレス帯とパケット数（{addresses:,}アドレス、保有者{holders}者）",
        "more": "ほか{n:,}件（データに全件を収録）",
        "figure": "図{n}",
        "steps": "上位地域の段階的な変化",
        "steps_lead": "各日の割り当てによる集計に認められた、持続する変化の一覧です。",
        "no_steps": "持続する段階的な変化は認められませんでした。",
        "onset": "始まり",
        "ratio": "10日間平均の比",
        "moved": "変更分の割合",
        "near": "前後3日間の変更",
        "verdict": "判定",
        "minor": "その他の割り当て変更",
        "minor_lead": "地域別のパケット観測数への目立った影響が認められなかったものです。",
        "pair": "変更前 → 変更後",
        "blocks": "件数",
        "held": "採用しなかった割り当て情報",
        "held_lead": "前後の日の情報と矛盾する記載など、集計に用いなかったものです。",
        "data": "データ",
        "data_moved": "割り当てが変わったアドレス帯（全件）",
        "data_groups": "割り当て変更の組ごとの影響（全件）",
        "data_effects": "割り当て変更による各地域の日ごとの増減",
        "data_steps": "上位地域の段階的な変化",
        "method": "方法",
        "method_text": "割合は M/Δ です。Δ は前後10日間（変更日を除く）の1センサー・1日平均の差、"
        "M は変更されたアドレス帯のパケットの前後平均です。区間はセンサーと日のブロックの再標本化によります。"
        "「影響と考えられる」とするのは、3つの条件をすべて満たす場合に限ります。",
    },
    "en": {
        "title": "Blocks that changed region",
        "back": "← Back to the report",
        "switch": "日本語",
        "system": "TSUBAME",
        "draft": "unpublished draft",
        "edition": "Edition {n}",
        "lead": "When address blocks are delegated to another region, packets by region change though the traffic "
        "does not. This page lists the blocks that moved in the quarter and what that did, comparing counts by each "
        "day's delegations with counts by delegations held fixed.",
        "summary": "Address blocks delegated to another region in the quarter: {blocks:,} ({addresses:,} addresses, "
        "{groups:,} by pair of regions and date). Of these could matter to a region's packets: {matters:,}.",
        "summary_none": "No address block was delegated to another region in the quarter.",
        "effects": "Reassignments that could matter",
        "no_effects": "No reassignment could matter to a region's packets.",
        "reassignment": "From {source} to {target} ({when})",
        "region": "Region",
        "observed": "By each day's delegations",
        "pinned": "Delegations held fixed",
        "share": "Moved share of the change [95% interval]",
        "conditions": "Conditions of the verdict",
        "holds": "holds",
        "fails": "does not hold",
        "block": "Block",
        "addresses": "Addresses",
        "holder": "Holder (opaque-id)",
        "date": "First seen",
        "before": "{days} days before",
        "after": "{days} days after",
        "blocks_caption": "Moved blocks and packets from them ({addresses:,} addresses; holders: {holders})",
        "more": "and {n:,} more (all in the data)",
        "figure": "Figure {n}",
        "steps": "Steps of the first regions",
        "steps_lead": "Lasting changes in the counts by each day's delegations.",
        "no_steps": "No lasting step was found.",
        "onset": "Onset",
        "ratio": "Ratio of 10-day means",
        "moved": "Moved share",
        "near": "Moves within 3 days",
        "verdict": "Verdict",
        "minor": "Other reassignments",
        "minor_lead": "Those without a marked effect on a region's packets.",
        "pair": "From → to",
        "blocks": "Blocks",
        "held": "Delegation data held back",
        "held_lead": "What was not used, such as entries that the days around contradict.",
        "data": "Data",
        "data_moved": "All moved blocks",
        "data_groups": "Effect of every group of moves",
        "data_effects": "What reassignment added to each region, day by day",
        "data_steps": "Steps of the first regions",
        "method": "Method",
        "method_text": "A share is M/Δ: Δ is the difference of the means per sensor and day over the 10 days before "
        "and after (the day of the move left out), M the mean of the moved blocks' packets before and after. Intervals "
        "come from resampling sensors and blocks of days. A change is called an effect only where all three "
        "conditions hold.",
    },
}
