// Shared by all forms: numbers, axes, tooltips, names at the ends. No network.
const D = JSON.parse(document.getElementById("data").textContent);
// Colours of text, lines and paper are the page's own, so that a dark page has dark charts.
const PAGE = getComputedStyle(document.documentElement);
const [INK, MUTED, RULE, PAPER] = ["ink", "muted", "rule", "paper"].map((name) => PAGE.getPropertyValue(`--${name}`).trim());
const NIGHT = parseInt(PAPER.slice(1, 3), 16) < 128;
const FONT = getComputedStyle(document.body).fontFamily;
const LABEL = { color: MUTED, fontSize: 11.5 };
const YEARS = new Set(D.months.map((m) => m.slice(0, 4)));

// Numbers: three significant figures, engineering prefixes, the unit as people write it.
const COUNTED = { token: "tokens", task: "tasks", agent: "agents", accelerator: "accelerators" };
const figures = (v) => {
  const short = Number(v.toPrecision(3));
  return Math.abs(short) >= 1000 && Math.abs(short) < 1e7
    ? short.toLocaleString("en-US") : short.toPrecision(3);
};
const trim = (v) => {
  const short = Number(v.toPrecision(3));
  return Math.abs(short) >= 1000 ? short.toLocaleString("en-US") : String(short);
};
function parts(v, unit, say) {
  const [head, ...tail] = unit.split("/");
  const rest = tail.length ? "/" + tail.join("/") : "";
  const size = (signs) => {
    const short = Math.abs(Number(v.toPrecision(3)));
    const e = short >= 1 ? Math.min(signs.length - 1, Math.floor(Math.log10(short) / 3 + 1e-9)) : 0;
    return [say(v / 1000 ** e), signs[e]];
  };
  if (head === "USD") { const [d, p] = size(["", "k", "M", "B", "T"]); return ["$" + d + p, rest]; }
  if (head === "W" || head === "Wh") {
    const [d, p] = size(["", "k", "M", "G", "T", "P"]);
    return [d + " " + p + head, rest];
  }
  if (unit === "share") return [say(100 * v) + " %", ""];
  if (unit === "1") return [say(v), ""];
  if (COUNTED[head]) {
    const [d, p] = size(["", "k", "M", "B", "T", "P", "E"]);
    return [d + (p ? " " + p : ""), " " + COUNTED[head] + rest];
  }
  return [say(v), " " + unit];
}
function fmt(v, unit) {
  if (v === null || v === undefined || !isFinite(v)) return "–";
  if (v === 0) return "0";
  const [digits, rest] = parts(Math.abs(v), unit, figures);
  return (v < 0 ? "−" : "") + digits + rest;
}
function tick(v, unit) {
  if (v === 0) return "0";
  return (v < 0 ? "−" : "") + parts(Math.abs(v), unit, trim)[0];
}
function axisName(unit) {
  const [head, ...tail] = unit.split("/");
  if (COUNTED[head]) return COUNTED[head];
  return head === "USD" && tail.length ? "USD/" + tail.join("/") : head === "min" ? unit : "";
}
const esc = (s) => s.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[c]));

// Shared pieces of the options.
const axisOf = (unit, more) => ({
  type: "value", name: axisName(unit), nameLocation: "end", nameGap: 10,
  nameTextStyle: { ...LABEL, align: "left", padding: [0, 0, 0, -54] },
  axisLabel: { ...LABEL, formatter: (v) => tick(v, unit) }, splitNumber: 4,
  splitLine: { lineStyle: { color: RULE } }, axisLine: { show: false }, axisTick: { show: false }, ...more,
});
// Logarithmic axes count decades themselves: ECharts' own puts very small ticks at -Infinity.
const decades = (values) => ({
  min: Math.floor(Math.log10(Math.min(...values)) + 1e-9), max: Math.ceil(Math.log10(Math.max(...values)) - 1e-9),
});
const logAxis = (unit, { min, max }, labels) => {
  const interval = Math.ceil((max - min) / labels) || 1;
  return axisOf(unit, {
    min, max: min + interval * Math.max(1, Math.ceil((max - min) / interval)), interval,
    axisLabel: { ...LABEL, formatter: (v) => tick(10 ** v, unit), hideOverlap: true },
  });
};
function monthAxis(width) {
  const every = Math.max(1, Math.ceil((YEARS.size * 44) / width));
  const first = Number(D.months[0].slice(0, 4));
  const short = D.months.length < 24;
  const shown = (_, m) => short ? (Number(m.slice(5)) - 1) % (width < 500 ? 6 : 3) === 0
    : m.endsWith("-01") && (Number(m.slice(0, 4)) - first) % every === 0;
  return {
    type: "category", data: D.months, axisLine: { onZero: false, lineStyle: { color: "#aab4bf" } },
    axisTick: { interval: (_, m) => m.endsWith("-01"), lineStyle: { color: "#aab4bf" } },
    axisLabel: { ...LABEL, interval: shown, formatter: (m) => short ? m : m.slice(0, 4), hideOverlap: true },
  };
}
const tip = (formatter, more) => ({
  confine: true, transitionDuration: 0, backgroundColor: PAPER, borderColor: RULE, padding: [7, 10],
  textStyle: { color: INK, fontSize: 12.5, fontFamily: FONT }, formatter, ...more,
});
const tipLine = (colour, name, value) =>
  `<div style="display:flex;gap:14px;justify-content:space-between"><span>${colour
    ? `<i style="display:inline-block;width:9px;height:9px;border-radius:2px;margin-right:6px;background:${colour}"></i>` : ""
  }${esc(name)}</span><b style="font-weight:600">${value}</b></div>`;
const pointer = { trigger: "axis", axisPointer: { type: "line", lineStyle: { color: "#8894a1", width: 1 } } };
const cut = (s, n) => (s.length > n ? s.slice(0, n - 1) + "…" : s);
const textWidth = (s) => s.length * 6.4;
const marginFor = (names, most) => Math.min(most, 20 + Math.max(0, ...names.map(textWidth)));

// The band over the draws: one polygon over all months.
const bandSeries = (band, colour) => ({
  type: "custom", name: band.name, silent: true, z: 4, encode: { x: 0, y: [1, 2] },
  data: band.low.map((low, i) => [i, low, band.high[i]]), clip: true, tooltip: { show: false },
  renderItem(params, api) {
    if (params.dataIndexInside) return null;
    const at = (i, v) => api.coord([i, v]);
    const up = band.high.map((v, i) => at(i, v)), down = band.low.map((v, i) => at(i, v)).reverse();
    return { type: "group", children: [
      { type: "polygon", shape: { points: up.concat(down) }, style: { fill: colour, opacity: colour === INK ? 0.1 : 0.16 } },
      { type: "polyline", shape: { points: up }, style: { stroke: colour, lineWidth: 1, lineDash: [3, 3], fill: "none" } },
      { type: "polyline", shape: { points: down }, style: { stroke: colour, lineWidth: 1, lineDash: [3, 3], fill: "none" } },
    ] };
  },
});
// Names at the right end, moved apart where they would overlap.
const nameSeries = (points, last) => ({
  type: "custom", silent: true, z: 6, tooltip: { show: false }, encode: { x: 0, y: 1 },
  data: points.length ? [[last, points[0].y]] : [],
  renderItem(params, api) {
    const gap = 15, floor = params.coordSys.y + params.coordSys.height;
    const x = api.coord([last, 1])[0] + api.size([1, 1])[0] / 2;
    const spots = points.map((p) => ({ ...p, from: api.coord([last, p.y])[1] })).sort((a, b) => a.from - b.from);
    spots.forEach((s, i) => { s.to = i ? Math.max(s.from, spots[i - 1].to + gap) : s.from; });
    for (let i = spots.length - 1, limit = floor - 2; i >= 0; i -= 1, limit -= gap) {
      if (spots[i].to <= limit) break;
      spots[i].to = limit;
    }
    return { type: "group", children: spots.flatMap((s) => [
      { type: "text", style: { text: cut(s.name, 24), x: x + 12, y: s.to, textVerticalAlign: "middle", fill: s.colour, font: `12px ${FONT}` } },
      { type: "line", shape: { x1: x + 2, y1: s.from, x2: x + 9, y2: s.to }, style: { stroke: s.colour, lineWidth: 1, opacity: 0.6 } },
    ]) };
  },
});
const dark = (hex) => {
  if (NIGHT) return mix(hex, "#ffffff", 0.4);
  const c = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const light = (0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]) / 255;
  const f = light > 0.72 ? 0.5 : light > 0.5 ? 0.75 : 0.9;
  return "#" + c.map((v) => Math.round(v * f).toString(16).padStart(2, "0")).join("");
};

// Ribbons stand below each other, so their months must too.
const RIBBON_LEFT = marginFor(D.charts.filter((c) => c.form === "ribbon").flatMap((c) => c.lanes.map((l) => l.label)), 170);

const tipHead = (i) => `<b>${D.months[i]}</b>`;
const tipBands = (c, i) => (c.bands || []).map((b) => tipLine("", "p10 – p90", `${fmt(b.low[i], c.unit)} – ${fmt(b.high[i], c.unit)}`)).join("");
// An axis from 0 that two charts can share: three to five even steps.
function steady(top) {
  const e = 10 ** Math.floor(Math.log10(top / 3));
  const interval = [1, 2, 2.5, 5, 10].map((m) => m * e).find((step) => top / step <= 5);
  return { max: interval * Math.ceil(top / interval), interval };
}
function labelAxis(labels, width) {
  return { type: "category", data: labels, inverse: true, axisTick: { show: false }, axisLine: { show: false },
    axisLabel: { color: INK, fontSize: 12, interval: 0, margin: 11, width: (width || 160) - 14, overflow: "truncate" } };
}
function block(x, y, w, h, fill, ink, text) {
  const children = [{ type: "rect", shape: { x, y, width: Math.max(0.5, w - (w > 3 ? 0.8 : 0)), height: h, r: h > 8 && w > 6 ? 2 : 0 }, style: { fill } }];
  const shown = text.replace(/^(trade|part|people): /, "");
  const size = h > 14 ? 11 : 9.5;
  const label = textWidth(text) * size / 12 + 8 <= w ? text : textWidth(shown) * size / 12 + 6 <= w ? shown : "";
  if (label) children.push({ type: "text", silent: true, style: { text: label, x: x + 5, y: y + h / 2 + 0.5, textVerticalAlign: "middle", fill: ink, font: `${size}px ${FONT}` } });
  return { type: "group", children };
}
const markSeries = (i, v, text) => ({ type: "scatter", silent: true, z: 7, symbolSize: 7, itemStyle: { color: INK }, data: [[i, v]],
  label: { show: true, position: i > D.months.length * 0.7 ? "left" : "right", formatter: () => text, color: INK, fontSize: 12, textBorderColor: PAPER, textBorderWidth: 3 } });
const joinSeries = (c, place) => ({ type: "custom", silent: true, z: 1, data: c.x.map((_, i) => [place(c.rows[0].values[i]), i]),
  renderItem(params, api) {
    const i = params.dataIndex, [a, b] = c.rows.map((r) => api.coord([place(r.values[i]), i]));
    return { type: "line", shape: { x1: a[0], y1: a[1], x2: b[0], y2: b[1] }, style: { stroke: "#b9c3ce", lineWidth: 2 } };
  } });
function spare(figure, needed) {
  const legend = figure.querySelector(".legend.spare");
  if (legend) legend.style.display = needed ? "flex" : "none";
}

// Pictures that need no axis: shapes in pixels, one group for each item.
const PEN = document.createElement("canvas").getContext("2d");
function wide(text, size, bold) {
  PEN.font = `${bold ? 600 : 400} ${size || 12.5}px ${FONT}`;
  return PEN.measureText(text).width;
}
function fit(text, room, size, bold) {
  if (wide(text, size, bold) <= room) return text;
  let n = text.length;
  while (n > 1 && wide(text.slice(0, n) + "…", size, bold) > room) n -= 1;
  return text.slice(0, n).trimEnd() + "…";
}
const rect = (x, y, width, height, fill) => ({ type: "rect", shape: { x, y, width, height }, style: { fill } });
const rule = (x1, y1, x2, y2) => ({ type: "line", silent: true, shape: { x1, y1, x2, y2 }, style: { stroke: "#aab4bf", lineWidth: 1, lineDash: [3, 3] } });
const label = (text, x, y, { align = "left", size = 12.5, colour = INK, bold = false, halo = false } = {}) => ({
  type: "text", silent: true, z2: 9,
  style: { text, x, y, align, verticalAlign: "middle", lineHeight: size + 1, fill: colour, font: `${bold ? 600 : 400} ${size}px ${FONT}`, ...(halo ? { stroke: PAPER, lineWidth: 3 } : {}) },
});
const drawn = (c, items, shapes, words) => ({
  tooltip: tip((p) => words(p.dataIndex)),
  series: [{ type: "custom", coordinateSystem: "none", data: items.map((_, i) => i), renderItem: (params) => ({ type: "group", children: shapes(items[params.dataIndex], params.dataIndex) }) }],
});
function mix(a, b, share) {
  const at = Math.min(1, Math.max(0, share)), parts = [1, 3, 5].map((i) => [a, b].map((c) => parseInt(c.slice(i, i + 2), 16)));
  return "#" + parts.map(([p, q]) => Math.round(p + (q - p) * at).toString(16).padStart(2, "0")).join("");
}
