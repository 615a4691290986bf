// Charts with a row or a bar for each label.
const LABELS = {
  years(c, width) {
    const total = c.x.map((_, i) => c.rows.reduce((s, r) => s + r.values[i], 0));
    const room = (width - 64) / c.x.length;
    const every = Math.ceil((Math.max(...total.map((v) => wide(fmt(v, c.unit), 11))) + 4) / room);
    const sum = (v, i) => ((total.length - 1 - i) % every || v < 1e-6 * c.top ? "" : fmt(v, c.unit));
    const series = c.rows.map((r) => ({
      type: "bar", stack: "all", name: r.name, data: r.values, color: r.colour, barCategoryGap: "28%",
      emphasis: { disabled: true }, itemStyle: { borderColor: "#fff", borderWidth: 0.5 },
    }));
    series.push({ type: "scatter", silent: true, symbolSize: 1, itemStyle: { color: "transparent" }, data: total.map((v, i) => [i, v]),
      label: { show: true, position: "top", distance: 3, color: INK, fontSize: 11, formatter: (p) => sum(p.value[1], p.value[0]) } });
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
      label: { show: true, color: "#fff", fontSize: 11, formatter: (p) => (p.value * (width - 240) > 46 ? fmt(r.values[p.dataIndex], "USD") : "") },
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
    const range = decades([Math.min(...all) * (width < 450 ? 0.004 : 0.25), Math.max(...all) * 1.6]);
    const place = (v) => (v > 0 ? Math.log10(v) : range.min);
    const series = c.rows.map((r, j) => ({
      type: "scatter", name: r.name, color: r.colour, symbolSize: 11, z: 5 - j, emphasis: { disabled: true },
      data: r.values.map((v, i) => {
        const others = c.rows.filter((o) => o !== r).map((o) => o.values[i]);
        const left = others.some((o) => o > v || (o === v && j === 0));
        return { value: [place(v), i], itemStyle: { opacity: v > 0 ? 1 : 0.25 },
          label: { show: width > 330 || j === 0, position: left && v > 0 ? "left" : "right", formatter: () => (v > 0 ? fmt(v, c.unit === "min/task" ? "min" : "USD") : "none"), color: dark(r.colour), fontSize: 11.5 } };
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
  // Parts below each other, each beginning where the one above ends, then the total.
  cascade(c, width) {
    const values = c.rows[0].values, last = values.length - 1;
    const left = Math.min(Math.max(...c.x.map((n) => wide(n, 12.5, true))) + 14, width * 0.45), right = 70;
    const x = (v) => left + (Math.max(0, v) / values[last]) * (width - left - right);
    let from = 0;
    const bars = values.map((v, i) => { const start = i === last ? 0 : from; from = start + v; return [start, start + v]; });
    return drawn(c, bars, ([a, b], i) => {
      const y = 6 + i * 30, strong = i === last;
      return [
        label(fit(c.x[i], left - 12, 12.5, strong), left - 10, y + 10, { align: "right", bold: strong }),
        rect(x(a), y, Math.max(1.5, x(b) - x(a)), 20, c.colours[i]),
        label(fmt(values[i], "USD"), x(b) + 7, y + 10, { bold: true }),
        ...(i < last ? [rule(x(b), y + 20, x(b), y + 30)] : []),
      ];
    }, (i) => `<b>${esc(c.x[i])}</b>` + tipLine(c.colours[i], "per task", fmt(values[i], "USD")) + tipLine("", "of the whole", fmt(values[i] / values[last], "share")));
  },
  // How often a figure falls where.
  spread(c, width) {
    const counts = c.rows[0].values, [low, high] = [c.edges[0], c.edges[c.edges.length - 1]];
    const lines = c.marks.filter(([, v]) => v >= low && v <= high);
    return {
      grid: { left: 44, right: 18, top: 30, bottom: 30 },
      xAxis: { ...axisOf(c.unit), min: low, max: high, splitLine: { show: false }, axisLine: { show: true, onZero: false, lineStyle: { color: "#aab4bf" } },
        axisLabel: { ...LABEL, formatter: (v) => (v === low || v === high ? "" : tick(v, c.unit)), hideOverlap: true } },
      yAxis: { ...axisOf("1"), minInterval: 1 },
      tooltip: tip((p) => (p.seriesType === "custom" ? `${fmt(p.value[0], c.unit)} – ${fmt(p.value[1], c.unit)}` + tipLine("", "draws", String(p.value[2])) : "")),
      series: [
        { type: "custom", encode: { x: [0, 1], y: 2 }, data: counts.map((n, i) => [c.edges[i], c.edges[i + 1], n]), clip: true,
          markLine: { silent: true, symbol: "none", z: 6, lineStyle: { color: INK, type: [3, 3], width: 1 }, data: [
            ...lines.map(([name, v]) => ({ xAxis: v, label: { formatter: name, color: INK, fontSize: 11, position: "end" } })),
            ...(low < 0 && high > 0 ? [{ xAxis: 0, lineStyle: { type: "solid", color: "#8894a1" }, label: { show: false } }] : []) ] },
          renderItem(params, api) {
            const a = api.coord([api.value(0), api.value(2)]), b = api.coord([api.value(1), 0]);
            const below = api.value(1) <= 0;
            return rect(a[0], a[1], Math.max(1, b[0] - a[0] - 1), b[1] - a[1], below ? "#c98d8b" : c.rows[0].colour);
          } },
        { type: "scatter", silent: true, z: 8, symbolSize: 8, itemStyle: { color: INK, borderColor: "#fff", borderWidth: 1 }, data: c.median >= low && c.median <= high ? [[c.median, 0]] : [] },
      ],
    };
  },
  // A figure with each input at its low and at its high end, the widest on top.
  swings(c, width) {
    const [lows, highs] = c.rows.map((r) => r.values), all = [...lows, ...highs, c.base];
    const said = (v, i, end) => (width < 620 ? fmt(v, c.unit) : `${fmt(v, c.unit)}  (${c.ends[i][end]})`);
    const named = ([v, end], i, off, y, align) => label(said(v, i, end), x(v) + off, y + 29, { align, size: 11.5 });
    const room = Math.min(width * 0.3, 12 + Math.max(...lows.map((v, i) => Math.max(wide(said(v, i, 0)), wide(said(highs[i], i, 1))))));
    const [min, max] = [Math.min(...all), Math.max(...all)];
    const x = (v) => room + ((v - min) / (max - min || 1)) * (width - 2 * room);
    const bottom = 46 * lows.length + 4;
    return drawn(c, [...lows, c.base], (v, i) => {
      if (i === lows.length) return [rule(x(c.base), 16, x(c.base), bottom), label(fmt(c.base, c.unit), x(c.base), bottom + 10, { align: "center", size: 11.5, colour: MUTED })];
      const y = 46 * i, ends = [[lows[i], 0], [highs[i], 1]].sort((a, b) => a[0] - b[0]);
      return [
        label(fit((c.weak[i] ? "○ " : "") + c.x[i], width - 4, 12.5, i < 3), 0, y + 12, { bold: i < 3 }),
        ...ends.map(([value, end]) => rect(Math.min(x(value), x(c.base)), y + 22, Math.max(1, Math.abs(x(value) - x(c.base))), 14, c.rows[end].colour)),
        // of two ends on one side of the median case, the farther one is named
        ...(ends[0][0] <= c.base ? [named(ends[0], i, -6, y, "right")] : []),
        ...(ends[1][0] > c.base ? [named(ends[1], i, 6, y, "left")] : []),
      ];
    }, (i) => (i === lows.length ? tipLine("", "all at the median", fmt(c.base, c.unit))
      : `<b>${esc(c.x[i])}</b>` + c.rows.map((r, end) => tipLine(r.colour, `at ${c.ends[i][end]}`, fmt(r.values[i], c.unit))).join("")
        + (c.weak[i] ? `<span style="color:${MUTED}">low confidence in the input</span>` : "")));
  },
  // Many values a label: filled where they are within what is allowed, hollow where not.
  strip(c) {
    const place = (v) => Math.max(-1, Math.min(1, v)), seen = {};
    const data = c.dots.map(([row, v, colour, fine, what]) => {
      const at = `${row}:${Math.round(place(v) * 40)}`, k = (seen[at] = (seen[at] ?? -1) + 1);
      return { value: [place(v), row, v], name: what, symbolOffset: [0, (k % 2 ? 1 : -1) * Math.min(13, 4 * Math.ceil(k / 2))],
        itemStyle: fine ? { color: colour, borderColor: "#fff", borderWidth: 0.5 } : { color: "#fff", borderColor: "#b0413e", borderWidth: 1.5 } };
    });
    return {
      grid: { left: marginFor(c.x, 120), right: 18, top: 4, bottom: 26 }, yAxis: { ...labelAxis(c.x), splitLine: { show: true, lineStyle: { color: "#eef1f4" } } },
      xAxis: axisOf("share", { min: -1, max: 1, interval: 0.5, axisLabel: { ...LABEL, formatter: (v) => (Math.abs(v) === 1 ? `${v < 0 ? "≤ −" : "≥ "}100 %` : tick(v, "share")), alignMinLabel: "left", alignMaxLabel: "right" } }),
      tooltip: tip((p) => `<div style="max-width:320px;white-space:normal">${esc(p.name)}</div>` + tipLine("", "error", `${p.value[2] < 0 ? "−" : "+"}${fmt(Math.abs(p.value[2]), "share")}`)),
      series: [{ type: "scatter", symbolSize: 7, data, emphasis: { disabled: true },
        markLine: { silent: true, symbol: "none", label: { show: false }, data: [{ xAxis: 0 }], lineStyle: { color: "#8894a1", type: "solid", width: 1 } } }],
    };
  },
  // One value a label, from zero; the names stand above the bars where there is no room beside.
  bars(c, width) {
    const values = c.rows[0].values, ends = [...values, ...c.sides.flat().filter((v) => v !== null), 0];
    const [min, max] = [Math.min(...ends), Math.max(...ends)], beside = isBeside(width), row = beside ? 27 : 46;
    const names = beside ? Math.min(width * 0.46, 20 + Math.max(...c.x.map((n, i) => wide(n, 12.5, true) + wide(c.steps[i], 11.5)))) : 0;
    const left = names + (min < 0 ? 76 : 4), right = 84;
    const x = (v) => left + ((v - min) / (max - min || 1)) * (width - left - right);
    return drawn(c, values, (v, i) => {
      const y = row * i + (beside ? 5 : 22), a = Math.min(x(0), x(v)), b = Math.max(x(0), x(v));
      const name = fit(c.x[i], beside ? names - 10 : width * 0.7, 12.5, true), used = wide(name, 12.5, true) + 10;
      const marks = c.kinks[i] ? c.sides[i].filter((s) => s !== null) : [];
      const far = Math.max(b, ...marks.map(x)), near = Math.min(a, ...marks.map(x)), at = beside ? y + 7 : y - 10;
      return [
        label(name, 0, at, { bold: true }),
        label(fit(c.steps[i], (beside ? names : width) - used - 4, 11.5), used, at + 0.5, { size: 11.5, colour: MUTED }),
        rect(a, y, Math.max(1.5, b - a), 14, v < 0 ? "#c98d8b" : c.rows[0].colour),
        ...marks.map((s) => ({ type: "path", shape: { pathData: `M${x(s)} ${y + 1}l6 6-6 6-6-6z` }, style: { fill: INK, stroke: "#fff", lineWidth: 1 } })),
        label(fmt(v, c.unit), v < 0 ? near - 8 : far + 8, y + 7, { align: v < 0 ? "right" : "left", bold: true }),
      ];
    }, (i) => `<b>${esc(c.x[i])}</b><div style="color:${MUTED}">${esc(c.steps[i])}</div>` + tipLine(c.rows[0].colour, "worth", fmt(values[i], c.unit))
      + (c.sides[i][0] === null ? "" : tipLine("", "one more", fmt(c.sides[i][0], c.unit))) + (c.sides[i][1] === null ? "" : tipLine("", "the last one", fmt(c.sides[i][1], c.unit))));
  },
  // A number for each row and year: lit up to 1, marked above.
  grid(c, width) {
    const left = Math.min(Math.max(...c.x.map((n) => wide(n))) + 14, width * 0.36), column = (width - left) / c.years.length;
    const said = (v) => (v === null ? "–" : v < 0.1 ? "<0.1" : v >= 999.5 ? ">999" : column > 34 ? v.toPrecision(3) : String(Number(v.toPrecision(2))));
    const cells = c.rows.flatMap((r, y) => r.values.map((v, i) => [v, i, y]));
    const every = Math.ceil(34 / column);
    return drawn(c, [...cells, ...c.x.map((_, y) => [null, -1, y]), ...c.years.map((_, i) => [null, i, -1])], ([v, i, y]) => {
      if (y < 0) return i % every ? [] : [label(c.years[i], left + (i + 0.5) * column, 9, { align: "center", size: 11.5, colour: MUTED })];
      if (i < 0) return [label(fit(c.x[y], left - 12, 12), left - 10, 31 + 26 * y, { align: "right" })];
      const fill = v === null ? "#f3f5f7" : v > 1 ? mix("#e8b4ae", "#a8403c", Math.log10(v) / 1.5) : mix("#fdf6e3", "#e9bd63", v);
      const first = c.first && c.first[0] === y && c.first[1] === i;
      return [
        { ...rect(left + i * column, 20 + 26 * y, column - 2, 23, fill), ...(first ? { style: { fill, stroke: INK, lineWidth: 2 }, z2: 5 } : {}) },
        ...(column > 22 ? [label(said(v), left + (i + 0.5) * column - 1, 32 + 26 * y, { align: "center", size: column > 34 ? 11.5 : 9.5, colour: v > 4 ? "#fff" : INK, bold: first })] : []),
      ];
    }, (k) => {
      const [v, i, y] = cells[k] || [];
      return y === undefined ? "" : `<b>${esc(c.x[y])}</b>` + tipLine("", c.years[i], v === null ? "no limit known" : `${figures(v)} ×`);
    });
  },
};
const isBeside = (width) => width > 700;
// Height in pixels of the forms whose rows are lower where there is room.
const HEIGHTS = { bars: (c, width) => 8 + c.x.length * (isBeside(width) ? 27 : 46) };
