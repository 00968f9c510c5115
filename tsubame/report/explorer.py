"""``explore.html``: one file in which readers choose port, region, tool, sensor group, days and attribution.

It holds its data and its programs, asks no host for anything, and works from a disk. Altair makes the chart,
vl-convert brings Vega; both are imported nowhere else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa

from tsubame.analysis.explore import OTHER, ExplorerRows
from tsubame.report.figures import COLOURS
from tsubame.report.names import LANGUAGES, Language, port_label, region_name
from tsubame.report.pages import render_template, titles_of
from tsubame.report.wording import WORDING

_WORDS = tuple(name for name in WORDING["ja"] if name.startswith("explore_"))
_TOOL_NAMES = {"mirai": "Mirai", "zmap": "ZMap", "nmap": "Nmap"}
"""Tools whose names are written otherwise than the registry of rules spells its tags."""


def render_explorer(document: Mapping[str, Any], explorer: ExplorerRows) -> bytes:
    """Render the page.

    Args:
        document: the content of ``report.json``; its edition and instant of creation are not used.
        explorer: what may be explored.
    """
    data = json.dumps(encode_rows(document, explorer), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    # Within a script element nothing but its end is special.
    data = data.replace("</", "<\\/")
    script = files("tsubame.report").joinpath("templates", "explore.js").read_text(encoding="utf-8")
    scripts = {"data": data, "vega": vega_bundle(), "own": script}
    return render_template(
        "explore.html.j2",
        document=document,
        titles=titles_of(document),
        languages=LANGUAGES,
        wording=WORDING,
        scripts=scripts,
    )


def encode_rows(document: Mapping[str, Any], explorer: ExplorerRows) -> dict[str, Any]:
    """Return the page's data: each column as indices into its values, packed into bytes, base64.

    Indices are uint8, packets uint32 little-endian (float64 where a row has 2**32 or more).
    """
    rows, days = explorer.rows, list(document["days"])
    packets = rows["packets"].to_numpy().astype(np.uint64)
    wide = bool(len(packets)) and int(packets.max()) >= 1 << 32
    ports = sorted(
        {(p, q) for p, q in zip(*_port_columns(rows), strict=True)}, key=lambda each: (each[0] is None, each)
    )
    totals = _totals(rows, ports)
    ports = sorted(ports, key=lambda each: (each[0] is None, -totals[each]))
    regions = sorted(
        {*rows["region"].unique().to_pylist(), *rows["region_pinned"].unique().to_pylist()},
        key=lambda name: (name == OTHER, name),
    )
    tools = sorted(rows["tool"].unique().to_pylist())
    place = {each: index for index, each in enumerate(ports)}
    columns = {
        "day": _places(rows["day"], {day: index for index, day in enumerate(days)}, str),
        "sensors": (~rows["domestic"].to_numpy()).astype(np.uint8),
        "port": np.array([place[each] for each in zip(*_port_columns(rows), strict=True)], np.uint8),
        "region": _places(rows["region"], {name: index for index, name in enumerate(regions)}),
        "pinned": _places(rows["region_pinned"], {name: index for index, name in enumerate(regions)}),
        "tool": _places(rows["tool"], {name: index for index, name in enumerate(tools)}),
    }
    return {
        "quarter": document["quarter"],
        "days": days,
        "sensors_up": [list(explorer.domestic_up), list(explorer.overseas_up)],
        "ports": [None if p is None else port_label(p, q if p != 1 else None) for p, q in ports],
        "regions": [[name, *(_region_words(name, language) for language in LANGUAGES)] for name in regions],
        "tools": tools,
        "columns": {name: _packed(values) for name, values in columns.items()},
        "packets": _packed(packets.astype("<f8" if wide else "<u4")),
        "wide": wide,
        "colours": list(COLOURS),
        "words": {language: _page_words(language) for language in LANGUAGES},
        "chart": chart(),
    }


def _page_words(language: Language) -> dict[str, Any]:
    words: dict[str, Any] = {name: WORDING[language][name] for name in _WORDS}
    return words | {"explore_tools": {"": WORDING[language]["explore_no_tool"], **_TOOL_NAMES}}


def _port_columns(rows: pa.Table) -> tuple[list[int | None], list[int | None]]:
    return rows["protocol"].to_pylist(), rows["port"].to_pylist()


def _totals(rows: pa.Table, ports: Sequence[tuple[int | None, int | None]]) -> dict[tuple[int | None, int | None], int]:
    totals = dict.fromkeys(ports, 0)
    sums = rows.group_by(["protocol", "port"], use_threads=False).aggregate([("packets", "sum")])
    for row in sums.to_pylist():
        totals[row["protocol"], row["port"]] = row["packets_sum"]
    return totals


def _places(column: pa.ChunkedArray, place: Mapping[str, int], text: Any = lambda value: value) -> np.ndarray:
    coded = column.combine_chunks().dictionary_encode()
    lookup = np.array([place[text(value)] for value in coded.dictionary.to_pylist()], np.uint8)
    values: np.ndarray = lookup[coded.indices.to_numpy(zero_copy_only=False)] if len(lookup) else lookup
    return values


def _region_words(name: str, language: Language) -> str:
    return WORDING[language]["explore_other"] if name == OTHER else region_name(name, language)


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


@cache
def chart() -> dict[str, Any]:
    """Return the chart as Vega-Lite: a line a series over the days, gaps where no sensor was up, zoom by wheel.

    The page's program puts in the data, the words and which series has which colour.
    """
    import altair as alt

    legend = alt.Legend(title=None, orient="bottom", columns=4, labelLimit=220, symbolType="stroke", symbolOpacity=1)
    base = alt.Chart(alt.NamedData("series")).encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(format="%-m/%-d", labelOverlap=True, grid=False)),
        y=alt.Y("value:Q", title="VALUE", scale=alt.Scale(zero=True), axis=alt.Axis(format="~s")),
        color=alt.Color("name:N", legend=legend),
        strokeDash=alt.StrokeDash("name:N", legend=legend),
        tooltip=[
            alt.Tooltip("label:N", title="DAY"),
            alt.Tooltip("name:N", title="SERIES"),
            alt.Tooltip("value:Q", title="VALUE", format=",.2f"),
        ],
    )
    zoom = alt.selection_interval(bind="scales", encodings=["x"])
    lines = base.mark_line(interpolate="linear", strokeWidth=1.8, invalid="break-paths-show-path-domains")
    points = base.mark_circle(size=60, opacity=0.01)
    made: dict[str, Any] = (
        alt.layer(lines, points.add_params(zoom))
        .properties(width="container", height=360)
        .configure_view(stroke=None)
        .configure_axis(gridColor="#e3e3e3", domainColor="#888", labelFontSize=12, titleFontSize=12)
        .configure_legend(labelFontSize=12, symbolStrokeWidth=2.5, symbolSize=300, columnPadding=24, rowPadding=6)
        .to_dict()
    )
    return made


@cache
def vega_bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script without dependencies."""
    import vl_convert

    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script.replace("</script", "<\\/script")
