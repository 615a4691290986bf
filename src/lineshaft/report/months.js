// Charts over the months.
const MONTHS = {
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
