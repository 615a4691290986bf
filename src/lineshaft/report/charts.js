"use strict";
// Draws every chart of the page from the JSON in #data. One builder for each form; no network.
(() => {
  const D = JSON.parse(document.getElementById("data").textContent);
  const INK = "#1d2733", MUTED = "#5b6876", RULE = "#e3e7ec";
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
      const [d, p] = size(["", "k", "M", "B", "T"]);
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
    confine: true, transitionDuration: 0, backgroundColor: "#fff", borderColor: RULE, padding: [7, 10],
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
    const c = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const light = (0.3 * c[0] + 0.59 * c[1] + 0.11 * c[2]) / 255;
    const f = light > 0.72 ? 0.5 : light > 0.5 ? 0.75 : 0.9;
    return "#" + c.map((v) => Math.round(v * f).toString(16).padStart(2, "0")).join("");
  };

  // Ribbons stand below each other, so their months must too.
  const RIBBON_LEFT = marginFor(D.charts.filter((c) => c.form === "ribbon").flatMap((c) => c.lanes.map((l) => l.label)), 170);

  const BUILD = {
    area(c, width, figure) {
      const last = D.months.length - 1, narrow = width < 420;
      const total = D.months.map((_, i) => c.rows.reduce((s, r) => s + (r.values[i] || 0), 0));
      let low = 0;
      const points = [];
      for (const r of c.rows) {
        const v = r.values[last] || 0;
        if (v > 0.012 * total[last]) points.push({ name: r.name, y: low + v / 2, colour: dark(r.colour) });
        low += v;
      }
      spare(figure, c.rows.length > 1 && (narrow || points.length < c.rows.length));
      const series = c.rows.map((r) => ({
        type: "line", name: r.name, stack: "all", data: r.values, symbol: "none", color: r.colour,
        lineStyle: { width: 0.6, color: "#fff" }, areaStyle: { opacity: 0.92 }, emphasis: { disabled: true }, z: 2,
      }));
      for (const band of c.bands || []) {
        series.push(bandSeries(band, INK));
        series.push({ type: "line", name: "total", data: total, symbol: "none", color: INK, lineStyle: { width: 1.4 }, z: 5 });
      }
      if (!narrow) series.push(nameSeries(points, last));
      return {
        grid: { left: 62, right: narrow ? 14 : marginFor(points.map((p) => cut(p.name, 24)), 190), top: 26, bottom: 26 },
        xAxis: monthAxis(width - 150), yAxis: axisOf(c.unit, { min: 0 }), series,
        tooltip: tip((ps) => {
          const i = ps[0].dataIndex;
          const rows = c.rows.filter((r) => r.values[i]).reverse().map((r) => tipLine(r.colour, r.name, fmt(r.values[i], c.unit)));
          if (c.rows.length > 1 || c.bands) rows.push(tipLine("", "total", fmt(total[i], c.unit)));
          return tipHead(i) + rows.join("") + tipBands(c, i);
        }, pointer),
      };
    },
    lines(c, width, figure) {
      const last = D.months.length - 1, narrow = width < 420;
      const known = c.rows.flatMap((r) => r.values.filter((v) => v > 0));
      const log = c.log && known.length && Math.max(...known) > 20 * Math.min(...known) && c.rows.every((r) => r.values.every((v) => v === null || v > 0));
      const place = (v) => (v === null || !log ? v : Math.log10(v));
      const points = c.rows.map((r) => ({ name: r.name, colour: dark(r.colour), y: place(r.values[last]) }))
        .filter((p) => p.y !== null && c.rows.length > 1);
      spare(figure, c.rows.length > 1 && (narrow || points.length < c.rows.length));
      const series = (c.bands || []).map((b) => bandSeries(b, c.rows[0].colour));
      const below = c.rows.some((r) => r.values.some((v) => v < 0)) || (c.bands || []).some((b) => b.low.some((v) => v < 0));
      for (const r of c.rows) series.push({
        type: "line", name: r.name, data: r.values.map(place), symbol: "none", color: r.colour, lineStyle: { width: 2 }, z: 5,
        markLine: below ? { silent: true, symbol: "none", label: { show: false }, data: [{ yAxis: 0 }], lineStyle: { color: "#8894a1", type: "solid", width: 1 } } : undefined,
      });
      if (c.lowest !== undefined) series.push(markSeries(c.lowest, c.rows[0].values[c.lowest], "lowest: " + fmt(c.rows[0].values[c.lowest], c.unit)));
      if (!narrow) series.push(nameSeries(points, last));
      return {
        grid: { left: 62, right: narrow || !points.length ? 18 : marginFor(points.map((p) => cut(p.name, 24)), 190), top: 26, bottom: 26 },
        xAxis: monthAxis(width - 120), yAxis: log ? logAxis(c.unit, decades(known), 5) : axisOf(c.unit, { scale: c.unit === "1" }), series,
        tooltip: tip((ps) => {
          const i = ps[0].dataIndex;
          return tipHead(i) + c.rows.map((r) => tipLine(r.colour, r.name, fmt(r.values[i], c.unit))).join("") + tipBands(c, i);
        }, pointer),
      };
    },
    years(c, width) {
      const total = c.x.map((_, i) => c.rows.reduce((s, r) => s + r.values[i], 0));
      const room = (width - 64) / c.x.length;
      const sum = (v) => (room < 26 || v < 1e-6 * c.top ? "" : tick(room < 46 ? Number(v.toPrecision(2)) : v, c.unit));
      const series = c.rows.map((r) => ({
        type: "bar", stack: "all", name: r.name, data: r.values, color: r.colour, barCategoryGap: "28%",
        emphasis: { disabled: true }, itemStyle: { borderColor: "#fff", borderWidth: 0.5 },
      }));
      series.push({ type: "scatter", silent: true, symbolSize: 1, itemStyle: { color: "transparent" }, data: total.map((v, i) => [i, v]),
        label: { show: true, position: "top", distance: 3, color: INK, fontSize: 11, formatter: (p) => sum(p.value[1]) }, labelLayout: { hideOverlap: true } });
      return {
        grid: { left: 56, right: 8, top: 26, bottom: 26 },
        xAxis: { type: "category", data: c.x, axisLabel: { ...LABEL, hideOverlap: true }, axisTick: { show: false }, axisLine: { lineStyle: { color: "#aab4bf" } } },
        yAxis: axisOf(c.unit, steady(c.top * 1.04)), series,
        tooltip: tip((ps) => {
          const i = ps[0].dataIndex;
          return `<b>${esc(c.x[i])}</b>` + c.rows.filter((r) => r.values[i]).reverse().map((r) => tipLine(r.colour, r.name, fmt(r.values[i], c.unit))).join("")
            + tipLine("", "total", fmt(total[i], c.unit));
        }, { trigger: "axis", axisPointer: { type: "shadow" } }),
      };
    },
    shares(c, width) {
      const total = c.x.map((_, i) => c.rows.reduce((s, r) => s + r.values[i], 0));
      const series = c.rows.map((r) => ({
        type: "bar", stack: "all", name: r.name, color: r.colour, barWidth: 18, emphasis: { disabled: true },
        itemStyle: { borderColor: "#fff", borderWidth: 0.6 },
        data: r.values.map((v, i) => (total[i] ? v / total[i] : 0)),
        label: { show: true, color: "#fff", fontSize: 11, formatter: (p) => (p.value * (width - 240) > 46 ? tick(r.values[p.dataIndex], "USD") : "") },
      }));
      series.push({ type: "scatter", silent: true, symbolSize: 1, itemStyle: { color: "transparent" }, data: total.map((v, i) => [1, i]),
        label: { show: true, position: "right", color: INK, fontSize: 12, fontWeight: 600, formatter: (p) => fmt(total[p.dataIndex], "USD") } });
      return {
        grid: { left: marginFor(c.x.map((n) => cut(n, 22)), 160), right: 66, top: 4, bottom: 26 }, yAxis: labelAxis(c.x),
        xAxis: axisOf("share", { max: 1, interval: 0.25, axisLabel: { ...LABEL, formatter: (v) => tick(v, "share") } }), series,
        tooltip: tip((ps) => {
          const i = ps[0].dataIndex;
          return `<b>${esc(c.x[i])}</b>` + c.rows.map((r) => tipLine(r.colour, r.name, fmt(r.values[i], c.unit))).join("") + tipLine("", "total", fmt(total[i], c.unit));
        }, { trigger: "axis", axisPointer: { type: "shadow" } }),
      };
    },
    dots(c, width) {
      const all = c.rows.flatMap((r) => r.values.filter((v) => v > 0));
      const range = decades([Math.min(...all) * (width < 450 ? 0.03 : 0.25), Math.max(...all) * 1.6]);
      const place = (v) => (v > 0 ? Math.log10(v) : range.min);
      const series = c.rows.map((r, j) => ({
        type: "scatter", name: r.name, color: r.colour, symbolSize: 11, z: 5 - j, emphasis: { disabled: true },
        data: r.values.map((v, i) => {
          const others = c.rows.filter((o) => o !== r).map((o) => o.values[i]);
          const left = others.some((o) => o > v || (o === v && j === 0));
          return { value: [place(v), i], itemStyle: { opacity: v > 0 ? 1 : 0.25 },
            label: { show: width > 330 || j === 0, position: left && v > 0 ? "left" : "right", formatter: () => (v > 0 ? tick(v, c.unit === "min/task" ? "min" : "USD") : "none"), color: dark(r.colour), fontSize: 11.5 } };
        }),
      }));
      if (c.rows.length === 2) series.push(joinSeries(c, place));
      return {
        grid: { left: marginFor(c.x.map((n) => cut(n, 22)), 160), right: 40, top: 4, bottom: 26 }, yAxis: labelAxis(c.x),
        xAxis: { ...logAxis(c.unit, range, Math.max(2, (width - 150) / 50)), name: "" }, series,
        tooltip: tip((p) => `<b>${esc(c.x[p.data.value[1]])}</b>` + c.rows.map((r) => tipLine(r.colour, r.name, fmt(r.values[p.data.value[1]], c.unit))).join("")),
      };
    },
    steps(c, width) {
      const [explicit, after, total, equity] = c.rows[0].values;
      const bars = [[0, 0, explicit], [1, explicit, total], [2, 0, total], [3, 0, equity]];
      const series = [{
        type: "custom", encode: { x: 0, y: [1, 2, 3, 4] }, data: bars.map((b) => b.concat(c.whisker.length ? c.whisker : [0, 0])),
        renderItem(params, api) {
          const i = api.value(0), a = api.coord([i, api.value(1)]), b = api.coord([i, api.value(2)]), w = Math.min(92, api.size([1, 0])[0] * 0.6);
          const up = Math.min(a[1], b[1]), down = Math.max(a[1], b[1]);
          const children = [
            { type: "rect", shape: { x: a[0] - w / 2, y: up, width: w, height: Math.max(1, down - up) }, style: { fill: i < 2 ? "#9dbbd8" : i === 2 ? "#3a6a9c" : "#5d9670" } },
            { type: "text", style: { text: fmt(c.rows[0].values[i], c.unit), x: a[0] - (i === 2 && c.whisker.length ? w / 4 : 0), y: up - 5, textAlign: "center", textVerticalAlign: "bottom", fill: INK, font: `600 12.5px ${FONT}` } },
          ];
          if (i < 2) {
            const y = api.coord([i, api.value(2)])[1];
            children.push({ type: "line", shape: { x1: a[0] + w / 2, x2: a[0] + api.size([1, 0])[0] - w / 2, y1: y, y2: y }, style: { stroke: "#aab4bf", lineDash: [3, 3] } });
          }
          if (i === 2 && c.whisker.length) {
            const [y1, y2] = c.whisker.map((v) => api.coord([2, v])[1]), x = a[0] + w / 3;
            for (const [p, q, r, s] of [[x, y1, x, y2], [x - 5, y1, x + 5, y1], [x - 5, y2, x + 5, y2]])
              children.push({ type: "line", shape: { x1: p, y1: q, x2: r, y2: s }, style: { stroke: INK, lineWidth: 1.4 } });
          }
          return { type: "group", children };
        },
      }];
      return {
        grid: { left: 62, right: 8, top: 26, bottom: 40 }, series,
        xAxis: { type: "category", data: c.x, axisLabel: { ...LABEL, interval: 0, width: (width - 70) / 4 - 8, overflow: "break", lineHeight: 14 }, axisTick: { show: false }, axisLine: { onZero: false, show: false } },
        yAxis: axisOf(c.unit),
        tooltip: tip((p) => tipLine("", c.x[p.value[0]], fmt(c.rows[0].values[p.value[0]], c.unit))
          + (p.value[0] === 2 && c.whisker.length ? tipLine("", "p10 – p90", c.whisker.map((v) => fmt(v, c.unit)).join(" – ")) : "")),
      };
    },
    ribbon(c, width) {
      const left = Math.min(RIBBON_LEFT, width * 0.3);
      const data = c.lanes.flatMap((lane, y) => lane.runs.map(([s, e, code]) => [s, y, e, code]));
      return {
        grid: { left, right: 14, top: 4, bottom: 26 }, xAxis: monthAxis(width - left),
        yAxis: labelAxis(c.lanes.map((l) => l.label), left),
        tooltip: tip((p) => {
          const [s, y, e, code] = p.value;
          return `<b>${esc(c.lanes[y].label)}</b>` + tipLine(D.reasons[code][1], code ? D.reasons[code][0] : "nothing", "")
            + `<span style="color:${MUTED}">${D.months[s]} to ${D.months[e - 1]}, ${e - s} months</span>`;
        }),
        series: [{
          type: "custom", encode: { x: 0, y: 1 }, data, clip: true,
          renderItem(params, api) {
            const code = api.value(3), [name, fill, ink] = D.reasons[code];
            const at = api.coord([api.value(0), api.value(1)]), size = api.size([1, 1]);
            const x = at[0] - size[0] / 2, w = (api.value(2) - api.value(0)) * size[0], h = 20;
            return block(x, at[1] - h / 2, w, h, fill, ink, code ? name : "");
          },
        }],
      };
    },
    gantt(c, width) {
      const left = Math.min(180, marginFor(c.lanes.map((l) => l.label), 180), width * 0.32);
      const data = c.lanes.flatMap((lane, y) => lane.items.map(([s, e, code, name, line]) => [s, y, e, code, line, lane.lines, name]));
      const [year, month] = D.months[0].split("-").map(Number);
      const januaries = [], starts = [];
      let first = c.first;
      while (first > 0 && (first + month - 1) % 12) first -= 1;
      for (let i = first; i <= c.last; i += 1) {
        if ((i + month - 1) % 12 === 0) januaries.push(i);
        if ((i + month - 1) % 3 === 0) starts.push(i);
      }
      const when = (v) => { const i = Math.floor(v + 1e-9) + month - 1; return `${year + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, "0")}`; };
      const marks = (key, more) => ({ type: "scatter", symbol: "diamond", symbolSize: 11, z: 8, ...more,
        data: c.lanes.map((l, y) => [l[key], y]).filter((p) => p[0] !== null) });
      const few = januaries.length < 2;
      return {
        grid: { left, right: 18, top: 4, bottom: 26 },
        xAxis: { type: "value", min: first, max: c.last, axisLine: { lineStyle: { color: "#aab4bf" } },
          splitLine: { show: false }, axisTick: { show: true, customValues: januaries, lineStyle: { color: "#aab4bf" } },
          axisLabel: { ...LABEL, customValues: few ? starts : januaries, formatter: (v) => (few ? when(v) : when(v).slice(0, 4)), hideOverlap: true } },
        yAxis: { ...labelAxis(c.lanes.map((l) => l.label), left), splitLine: { show: true, lineStyle: { color: "#eef1f4" } } },
        tooltip: tip((p) => p.seriesType === "scatter"
          ? `<b>${esc(c.lanes[p.value[1]].label)}</b>` + tipLine("", p.seriesName, when(p.value[0]))
          : `<b>${esc(p.value[6])}</b><div style="color:${MUTED}">${esc(c.lanes[p.value[1]].label)}</div>` + tipLine("", "start", when(p.value[0]))
            + tipLine("", "end", when(p.value[2])) + tipLine("", "months", figures(p.value[2] - p.value[0])) + tipLine(D.reasons[p.value[3]][1], "waited for " + D.reasons[p.value[3]][0], "")),
        series: [
          { type: "custom", encode: { x: [0, 2], y: 1 }, data, clip: true,
            markLine: { silent: true, symbol: "none", label: { show: false }, z: 0, lineStyle: { color: RULE, type: "solid", width: 1 }, data: januaries.map((x) => ({ xAxis: x })) },
            renderItem(params, api) {
              const row = data[params.dataIndex], [s, y, e, code, line, lines, name] = row;
              const a = api.coord([s, y]), b = api.coord([e, y]), room = api.size([0, 1])[1] - 7;
              const h = room / lines, top = a[1] - room / 2 + line * h;
              return block(a[0], top, Math.max(1, b[0] - a[0]), Math.max(2, h - 1), D.reasons[code][1], D.reasons[code][2], h >= 11 ? name : "");
            } },
          marks("p50", { name: "P50 ready", itemStyle: { color: INK, borderColor: "#fff", borderWidth: 1 } }),
          marks("p80", { name: "P80 ready", itemStyle: { color: "#fff", borderColor: INK, borderWidth: 1.5 } }),
        ],
      };
    },
  };

  // Helpers of the builders.
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
    label: { show: true, position: i > D.months.length * 0.7 ? "left" : "right", formatter: () => text, color: INK, fontSize: 12, textBorderColor: "#fff", textBorderWidth: 3 } });
  const joinSeries = (c, place) => ({ type: "custom", silent: true, z: 1, data: c.x.map((_, i) => [place(c.rows[0].values[i]), i]),
    renderItem(params, api) {
      const i = params.dataIndex, [a, b] = c.rows.map((r) => api.coord([place(r.values[i]), i]));
      return { type: "line", shape: { x1: a[0], y1: a[1], x2: b[0], y2: b[1] }, style: { stroke: "#b9c3ce", lineWidth: 2 } };
    } });
  function spare(figure, needed) {
    const legend = figure.querySelector(".legend.spare");
    if (legend) legend.style.display = needed ? "flex" : "none";
  }

  // Figures as CSV: months for charts over time, else what the chart shows.
  function csv(c) {
    if (c.lanes && c.form === "ribbon") {
      const names = c.lanes.map((l) => l.runs.flatMap(([s, e, code]) => Array(e - s).fill(D.reasons[code][0])));
      return [["month", ...c.lanes.map((l) => l.label)], ...D.months.map((m, i) => [m, ...names.map((n) => n[i])])];
    }
    if (c.lanes) return [["lane", "work", "start_month", "finish_month", "waited_for", "hall_ready_p50_month", "hall_ready_p80_month"],
      ...c.lanes.flatMap((l) => l.items.map(([s, e, code, name]) => [l.label, name, s, e, D.reasons[code][0], l.p50, l.p80]))];
    const x = c.x || D.months, bands = c.bands || [];
    const head = [c.x ? "" : "month", ...c.rows.map((r) => `${r.name} [${c.unit}]`), ...bands.flatMap((b) => [`p10 [${c.unit}]`, `p90 [${c.unit}]`])];
    return [head, ...x.map((label, i) => [label, ...c.rows.map((r) => r.values[i]), ...bands.flatMap((b) => [b.low[i], b.high[i]])])];
  }
  const cell = (v) => (v === null || v === undefined ? "" : /[",\n]/.test(v) ? `"${String(v).replace(/"/g, '""')}"` : String(v));
  const slug = D.name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "run";
  const BY_KEY = new Map(D.charts.map((c) => [c.key, c]));
  for (const link of document.querySelectorAll(".csv")) {
    const c = BY_KEY.get(link.dataset.key);
    link.download = `${slug}-${c.key}.csv`;
    link.addEventListener("click", () => {
      const text = "\ufeff" + csv(c).map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
      link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    });
  }

  const paints = [];
  function draw(element) {
    const c = BY_KEY.get(element.dataset.key), figure = element.closest("figure");
    const chart = echarts.init(element, null, { renderer: "svg" });
    let width = 0;
    const paint = () => {
      if (Math.abs(element.clientWidth - width) < 2 || !element.clientWidth) return;
      width = element.clientWidth;
      chart.resize();
      chart.setOption({ animation: false, textStyle: { fontFamily: FONT }, aria: { enabled: true, label: { description: c.alt } }, ...BUILD[c.form](c, width, figure) }, true);
      const svg = element.querySelector("svg");
      if (svg) svg.setAttribute("viewBox", `0 0 ${width} ${element.clientHeight}`);
    };
    paint();
    paints.push(paint);
    new ResizeObserver(paint).observe(element);
  }
  document.querySelectorAll(".chart").forEach(draw);
  // Paper is narrower than most screens: charts are drawn anew for it, not shrunk.
  const print = (on) => () => {
    document.documentElement.classList.toggle("printing", on);
    paints.forEach((paint) => paint());
  };
  window.addEventListener("beforeprint", print(true));
  window.addEventListener("afterprint", print(false));
  document.documentElement.dataset.drawn = String(document.querySelectorAll(".chart svg").length);
})();
