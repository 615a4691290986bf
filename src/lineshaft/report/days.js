// Charts over days, and shares by cohort. D.months holds the days of the page.
const MONTH_NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const shortDay = (d) => `${MONTH_NAMES[Number(d.slice(5, 7)) - 1]} ${Number(d.slice(8))}`;
const weekday = (d) => ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][new Date(`${d}T00:00:00Z`).getUTCDay()];
const BASE = { axisTick: { show: false }, axisLine: { onZero: false, lineStyle: { color: "#aab4bf" } } };

// Every n-th day counted from the first Monday; first days of months where there are many.
function dayAxis(width) {
  const days = D.months, long = days.length > 75;
  const firsts = days.filter((d) => d.endsWith("-01")), monday = Math.max(0, days.findIndex((d) => weekday(d) === "Mon"));
  const room = Math.max(1, Math.floor(width / (long ? 66 : 52)));
  const step = long ? Math.ceil(firsts.length / room) : [1, 2, 7, 14, 28].find((n) => days.length / n <= room) || 28;
  const shown = (i, d) => (long ? firsts.indexOf(d) >= 0 && firsts.indexOf(d) % step === 0 : (i - monday) % step === 0);
  return {
    type: "category", data: days, ...BASE,
    axisLabel: { ...LABEL, interval: shown, formatter: (d) => (long ? `${MONTH_NAMES[Number(d.slice(5, 7)) - 1]} ${d.slice(0, 4)}` : shortDay(d)), hideOverlap: true },
  };
}
const labelled = (c) => ({ type: "category", data: c.x, ...BASE, name: c.along || "", nameLocation: "middle", nameGap: 24, nameTextStyle: LABEL, axisLabel: { ...LABEL, hideOverlap: true } });
// Days that are not closed yet.
const openSeries = (c) => ({
  type: "custom", silent: true, z: 0, tooltip: { show: false }, encode: { x: 0 }, data: c.open < D.months.length ? [[c.open]] : [],
  renderItem(params, api) {
    const box = params.coordSys, step = api.size([1, 0])[0], x = Math.max(box.x, api.coord([c.open, 0])[0] - step / 2);
    const room = box.x + box.width - x;
    return { type: "group", children: [
      { type: "rect", shape: { x, y: box.y, width: room, height: box.height }, style: { fill: MUTED, opacity: 0.09 } },
      ...(room > wide("provisional", 11) + 8 ? [label("provisional", x + 4, box.y - 9, { size: 11, colour: MUTED })] : []),
    ] };
  },
});
const dayHead = (i) => `<b>${weekday(D.months[i])} ${D.months[i]}</b>`;
const state = (c, i) => (c.open !== undefined && i >= c.open ? `<div style="color:${MUTED}">provisional</div>` : "");

function rowsOver(c, width, figure, axis, head) {
  const count = (c.x || D.months).length, last = count - 1, narrow = width < 420;
  const points = c.rows.map((r) => ({ name: r.name, colour: dark(r.colour), y: r.values[last] }))
    .filter((p) => p.y !== null && c.rows.length > 1);
  spare(figure, c.rows.length > 1 && (narrow || points.length < c.rows.length));
  const alone = (values, i) => values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
  const series = c.rows.map((r) => ({
    type: "line", name: r.name, data: r.values, color: r.colour, lineStyle: { width: 2 }, z: 5, emphasis: { disabled: true },
    showAllSymbol: true, symbol: "circle", symbolSize: (_, p) => (alone(r.values, p.dataIndex) ? 7 : 0),
  }));
  const closed = c.closed || [];
  if (closed.length) series.push({
    type: "scatter", name: "as closed", z: 7, symbolSize: 8, silent: true, data: closed.map(([i, v]) => [i, v]),
    itemStyle: { color: PAPER, borderColor: INK, borderWidth: 1.5 },
  });
  if (c.open !== undefined) series.push(openSeries(c));
  if (!narrow) series.push(nameSeries(points, last));
  return {
    grid: { left: 62, right: narrow || !points.length ? 18 : marginFor(points.map((p) => cut(p.name, 24)), 190), top: 26, bottom: c.along ? 42 : 26 },
    xAxis: axis, yAxis: axisOf(c.unit, c.top ? { min: 0, max: c.top, interval: c.top / 4 } : { min: (v) => Math.min(0, v.min) }), series,
    tooltip: tip((ps) => {
      const i = ps[0].dataIndex;
      return head(i) + c.rows.map((r) => tipLine(r.colour, r.name, fmt(r.values[i], c.unit))).join("")
        + closed.filter(([at]) => at === i).map(([, v, name]) => tipLine("", `${name} as closed`, fmt(v, c.unit))).join("") + state(c, i);
    }, pointer),
  };
}
function stacked(c, width, axis, head) {
  const count = (c.x || D.months).length;
  const series = c.rows.map((r) => ({
    type: "bar", stack: "all", name: r.name, data: r.values, color: r.colour, barCategoryGap: count > 90 ? "0%" : "18%", barMaxWidth: 60,
    emphasis: { disabled: true }, z: 3,
  }));
  if (c.open !== undefined) series.push(openSeries(c));
  return {
    grid: { left: 62, right: 18, top: 26, bottom: c.along ? 42 : 26 }, xAxis: axis, yAxis: axisOf(c.unit, { minInterval: c.whole ? 1 : 0 }), series,
    tooltip: tip((ps) => {
      const i = ps[0].dataIndex;
      return head(i) + c.rows.filter((r) => r.values[i]).map((r) => tipLine(r.colour, r.name, fmt(r.values[i], c.unit))).join("") + state(c, i);
    }, { trigger: "axis", axisPointer: { type: "shadow" } }),
  };
}
const xHead = (c) => (i) => `<b>${esc(c.along || "")} ${esc(c.x[i])}</b>`;
const DAYS = {
  days: (c, width, figure) => rowsOver(c, width, figure, dayAxis(width - 120), dayHead),
  curve: (c, width, figure) => rowsOver(c, width, figure, labelled(c), xHead(c)),
  stacks: (c, width) => stacked(c, width, dayAxis(width - 80), dayHead),
  columns: (c, width) => stacked(c, width, labelled(c), xHead(c)),
  // A share for each cohort and day.
  cells(c, width) {
    const left = Math.min(Math.max(...c.rows.map((r) => wide(r.name, 12))) + 14, width * 0.4);
    const column = (width - left) / c.x.length, high = cellHeight(c), every = [1, 2, 4, 7, 14].find((n) => n * column > 24) || 14;
    const cells = c.rows.flatMap((r, y) => r.values.map((v, i) => [v, i, y]));
    const pale = NIGHT ? "#22303d" : "#eef3f8", strong = NIGHT ? "#8fbce8" : "#2d5f93";
    return drawn(c, [...cells, ...c.rows.map((_, y) => [null, -1, y]), ...c.x.map((_, i) => [null, i, -1])], ([v, i, y]) => {
      if (y < 0) return (i + 1) % every && i ? [] : [label(c.x[i], Math.min(left + (i + 0.5) * column, width - wide(c.x[i], 11) / 2), 9, { align: "center", size: 11, colour: MUTED })];
      const top = 20 + high * y;
      if (i < 0) return high < 11 && y % 2 ? [] : [label(fit(c.rows[y].name, left - 10, 12), left - 8, top + high / 2, { align: "right", size: Math.min(12, high + 1) })];
      if (v === null) return [];
      const fill = mix(pale, strong, Math.sqrt(v)), said = column > 27 && high > 13;
      return [rect(left + i * column, top, column - (column > 6 ? 1.5 : 0), high - 1.5, fill),
        ...(said ? [label(String(Math.round(100 * v)), left + (i + 0.5) * column - 1, top + high / 2 - 0.5, { align: "center", size: 10.5, colour: (v > 0.3) !== NIGHT ? "#fff" : NIGHT && v > 0.3 ? "#10181f" : INK })] : [])];
    }, (k) => {
      const [v, i, y] = cells[k] || [];
      return y === undefined || v === null ? "" : `<b>${esc(c.rows[y].name)}</b>` + tipLine("", `active on day ${c.x[i]}`, fmt(v, "share"));
    });
  },
};
const cellHeight = (c) => (c.rows.length > 26 ? 14 : 22);
HEIGHTS.cells = (c) => 24 + c.rows.length * cellHeight(c);
