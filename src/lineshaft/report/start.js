// Figures as CSV: months for charts over time, else what the chart shows.
function csv(c) {
  if (c.sheet) return c.sheet;
  if (c.lanes && c.form === "ribbon") {
    const names = c.lanes.map((l) => l.runs.flatMap(([s, e, code]) => Array(e - s).fill(D.reasons[code][0])));
    return [["month", ...c.lanes.map((l) => l.label)], ...D.months.map((m, i) => [m, ...names.map((n) => n[i])])];
  }
  if (c.lanes) return [["lane", "work", "start_month", "finish_month", "waited_for", "hall_ready_p50_month", "hall_ready_p80_month"],
    ...c.lanes.flatMap((l) => l.items.map(([s, e, code, name]) => [l.label, name, s, e, D.reasons[code][0], l.p50, l.p80]))];
  const x = c.x || D.months, bands = c.bands || [];
  const head = [c.x ? "" : D.step || "month", ...c.rows.map((r) => `${r.name} [${c.unit}]`), ...bands.flatMap((b) => [`p10 [${c.unit}]`, `p90 [${c.unit}]`])];
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

const BUILD = { ...MONTHS, ...LABELS, ...FLOWS, ...DAYS };
const paints = [];
function draw(element) {
  const c = BY_KEY.get(element.dataset.key), figure = element.closest("figure");
  const chart = echarts.init(element, null, { renderer: "svg" });
  let width = 0;
  const paint = () => {
    if (Math.abs(element.clientWidth - width) < 2 || !element.clientWidth) return;
    width = element.clientWidth;
    if (HEIGHTS[c.form]) element.style.height = `${HEIGHTS[c.form](c, width)}px`;
    chart.resize();
    chart.setOption({ animation: false, textStyle: { fontFamily: FONT }, aria: { enabled: true, label: { description: c.alt } }, ...BUILD[c.form](c, width, figure) }, true);
    const svg = element.querySelector("svg");
    if (svg) svg.setAttribute("viewBox", `0 0 ${width} ${element.clientHeight}`);
  };
  paint();
  paints.push(paint);
  new ResizeObserver(paint).observe(element);
}
for (const element of document.querySelectorAll(".chart")) {
  // one chart that fails must not take the others with it
  try { draw(element); } catch (error) { console.error(element.dataset.key, error); }
}
// Paper is narrower than most screens: charts are drawn anew for it, not shrunk.
const print = (on) => () => {
  document.documentElement.classList.toggle("printing", on);
  paints.forEach((paint) => paint());
};
window.addEventListener("beforeprint", print(true));
window.addEventListener("afterprint", print(false));
document.documentElement.dataset.drawn = String(document.querySelectorAll(".chart svg").length);