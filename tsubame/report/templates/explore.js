"use strict";
// The page's own program: reads the choices, adds up the rows, hands the sums to the chart and to the table.
(() => {
  const MOST_SERIES = 7;
  // Vega interprets its expressions, and brings no style of its own: the page's policy allows neither eval nor styles.
  const PLAIN = { actions: false, renderer: "svg", ast: true, defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  const REST_COLOUR = "#8a8a8a";
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const columns = Object.fromEntries(Object.entries(data.columns).map(([name, text]) => [name, bytes(text)]));
  const packed = bytes(data.packets);
  const packets = data.wide ? new Float64Array(packed.buffer) : new Uint32Array(packed.buffer);
  const start = { split: "port", port: "all", region: "all", tool: "all", sensors: "0", basis: "region", value: "mean" };
  let language = location.hash === "#en" ? "en" : "ja";
  let view = null;
  let shown = { series: [], days: [] };

  const words = () => data.words[language];
  // What is left over stands last, in grey.
  const isRest = { port: (index) => data.ports[index] === null, region: (index) => data.regions[index][0] === "other", tool: () => false, none: () => false };
  const labels = {
    port: (index) => data.ports[index] ?? words().explore_other_ports,
    region: (index) => data.regions[index][language === "ja" ? 1 : 2],
    tool: (index) => words().explore_tools[data.tools[index]] ?? data.tools[index],
  };
  const sizes = { port: data.ports.length, region: data.regions.length, tool: data.tools.length };

  function fill(id, options) {
    const select = element(id);
    const before = select.value || start[id];
    select.replaceChildren(...options.map(([value, text]) => new Option(text, value, false, value === before)));
    select.value = before;
  }

  function fillChoices() {
    const all = ["all", words().explore_all];
    for (const name of ["port", "region", "tool"]) {
      const options = Array.from({ length: sizes[name] }, (_, index) => [String(index), labels[name](index)]);
      if (name === "region") options.sort((a, b) => a[1].localeCompare(b[1], language));
      fill(name, [all, ...options]);
    }
    fill("split", [["port", words().explore_port], ["region", words().explore_region], ["tool", words().explore_tool], ["none", words().explore_none]]);
    fill("sensors", [["0", words().explore_domestic], ["1", words().explore_overseas], ["all", words().explore_all]]);
    fill("basis", [["region", words().explore_as_of], ["pinned", words().explore_pinned]]);
    fill("value", [["mean", words().explore_mean], ["packets", words().explore_packets]]);
  }

  // Add up the chosen rows: one array of days for each value of the split.
  function addUp() {
    const chosen = Object.fromEntries(Object.keys(start).map((id) => [id, element(id).value]));
    const wanted = ["port", "region", "tool"].filter((name) => chosen[name] !== "all");
    const column = (name) => columns[name === "region" ? chosen.basis : name];
    const tests = wanted.map((name) => [column(name), Number(chosen[name])]);
    if (chosen.sensors !== "all") tests.push([columns.sensors, Number(chosen.sensors)]);
    const split = chosen.split === "none" ? null : column(chosen.split);
    const series = Array.from({ length: split ? sizes[chosen.split] : 1 }, () => new Float64Array(data.days.length));
    const length = packets.length;
    rows: for (let row = 0; row < length; row++) {
      for (const [values, value] of tests) if (values[row] !== value) continue rows;
      series[split ? split[row] : 0][columns.day[row]] += packets[row];
    }
    return { chosen, series };
  }

  function sensorsUp(sensors) {
    return data.days.map((_, day) =>
      sensors === "all" ? data.sensors_up[0][day] + data.sensors_up[1][day] : data.sensors_up[Number(sensors)][day]);
  }

  function select({ chosen, series }) {
    const up = sensorsUp(chosen.sensors);
    const first = data.days.findIndex((day) => day >= (element("from").value || data.days[0]));
    const last = data.days.findLastIndex((day) => day <= (element("to").value || data.days.at(-1)));
    const days = first < 0 || last < first ? [] : data.days.slice(first, last + 1);
    const upDays = days.map((_, place) => up[first + place]);
    const sensorDays = upDays.reduce((sum, each) => sum + each, 0);
    const named = series.map((values, index) => {
      const part = Array.from(values.subarray(first, last + 1));
      return { name: chosen.split === "none" ? words().explore_all : labels[chosen.split](index), rest: isRest[chosen.split](index), values: part, total: part.reduce((sum, each) => sum + each, 0) };
    }).filter((each) => each.total > 0).sort((a, b) => a.rest - b.rest || b.total - a.total);
    return { chosen, days, upDays, sensorDays, series: named };
  }

  function rowsOf({ chosen, days, upDays, series }) {
    return series.slice(0, MOST_SERIES).flatMap((each) => days.map((day, place) => ({
      day: `${day}T00:00:00`, label: day, name: each.name,
      value: upDays[place] === 0 ? null : chosen.value === "mean" ? each.values[place] / upDays[place] : each.values[place],
    })));
  }

  function showTable({ chosen, sensorDays, series }) {
    const sum = series.reduce((all, each) => all + each.total, 0);
    element("heading").textContent = chosen.split === "none" ? "" : words()[`explore_${chosen.split}`];
    const number = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const body = series.map((each) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = each.name;
      const cells = [number(each.total, 0), sensorDays ? number(each.total / sensorDays, 2) : "–", `${number((100 * each.total) / sum, 1)}%`].map((text) => {
        const cell = document.createElement("td");
        cell.className = "n";
        cell.textContent = text;
        return cell;
      });
      row.append(head, ...cells);
      return row;
    });
    element("totals").tBodies[0].replaceChildren(...body);
  }

  async function show() {
    shown = select(addUp());
    const rows = rowsOf(shown);
    const more = shown.series.length - Math.min(shown.series.length, MOST_SERIES);
    const value = words()[`explore_${shown.chosen.value}`];
    element("said").textContent = !rows.length ? words().explore_nothing : more ? words().explore_more.replace("{n}", more) : "";
    element("chart").setAttribute("aria-label", `${value}: ${shown.series.slice(0, MOST_SERIES).map((each) => each.name).join(", ")}`);
    const text = JSON.stringify(data.chart).replaceAll('"VALUE"', JSON.stringify(value))
      .replaceAll('"DAY"', JSON.stringify(words().explore_day)).replaceAll('"SERIES"', JSON.stringify(words().explore_series));
    const spec = JSON.parse(text);
    const drawn = shown.series.slice(0, MOST_SERIES);
    const scale = { domain: drawn.map((each) => each.name), range: drawn.map((each, place) => (each.rest ? REST_COLOUR : data.colours[place])) };
    for (const { encoding } of spec.layer) {
      encoding.color.scale = scale;
      encoding.strokeDash.scale = { domain: scale.domain };
    }
    spec.datasets = { series: rows };
    spec.config.font = getComputedStyle(document.body).fontFamily;
    view?.finalize();
    view = (await vegaEmbed("#chart", spec, PLAIN)).view;
    showTable(shown);
  }

  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `tsubame-${data.quarter}-${name}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function saveCsv() {
    const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [["day", "series", "packets", "sensors_up"].join(",")];
    for (const each of shown.series) {
      shown.days.forEach((day, place) => lines.push([day, quoted(each.name), shown.upDays[place] ? each.values[place] : "", shown.upDays[place]].join(",")));
    }
    save("explore.csv", "text/csv;charset=utf-8", `${lines.join("\r\n")}\r\n`);
  }

  function speak() {
    language = location.hash === "#en" ? "en" : "ja";
    document.documentElement.lang = language;
    for (const each of document.querySelectorAll("[data-ja]")) each.textContent = each.dataset[language];
    document.title = `TSUBAME ${element("title").dataset[language]}`;
    const other = element("switch");
    other.textContent = language === "ja" ? "English" : "日本語";
    other.lang = other.hreflang = language === "ja" ? "en" : "ja";
    other.href = language === "ja" ? "#en" : "#ja";
    element("back").textContent = words().explore_back;
    element("back").href = language === "ja" ? "index.html" : "index.html#en";
    element("choices").setAttribute("aria-label", element("title").dataset[language]);
    fillChoices();
    return show();
  }

  element("choices").addEventListener("change", show);
  element("choices").addEventListener("submit", (event) => event.preventDefault());
  element("csv").addEventListener("click", saveCsv);
  element("svg").addEventListener("click", async () => save("explore.svg", "image/svg+xml", await view.toSVG()));
  element("reset").addEventListener("click", () => {
    for (const [id, value] of Object.entries(start)) element(id).value = value;
    element("from").value = data.days[0];
    element("to").value = data.days.at(-1);
    show();
  });
  addEventListener("hashchange", speak);
  speak();
})();
