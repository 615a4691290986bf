// What flows from where to where: columns from left to right, as wide as they are large.
const FLOWS = {
  flows(c, width, figure) {
    const narrow = width < 620, size = narrow ? 10.5 : 12.5, gap = narrow ? 9 : 12, node = narrow ? 8 : 12;
    const high = figure.querySelector(".chart").clientHeight - 8;
    const nodes = c.nodes.map(([name, column, colour]) => ({ name, column, colour, into: 0, out: 0, left: 0, right: 0 }));
    const links = c.links.map(([s, t, value]) => ({ s: nodes[s], t: nodes[t], value }));
    for (const l of links) { l.s.out += l.value; l.t.into += l.value; }
    for (const n of nodes) n.value = Math.max(n.into, n.out);
    const columns = [0, 1, 2, 3].map((k) => nodes.filter((n) => n.column === k)).filter((own) => own.length);
    const last = columns.length - 1;
    const said = (n) => (narrow ? `${fit(n.name, width * 0.3 - 14, size)}\n${fmt(n.value, c.unit)}` : `${n.name}  ${fmt(n.value, c.unit)}`);
    const margin = (own) => Math.min(width * 0.3, 12 + Math.max(...own.map((n) => Math.max(...said(n).split("\n").map((t) => wide(t, size))))));
    const left = margin(columns[0]), right = margin(columns[last]);
    const scale = Math.min(...columns.map((own) => (high - gap * (own.length - 1)) / own.reduce((s, n) => s + n.value, 0)));
    columns.forEach((own, k) => {
      let y = 4;
      for (const n of own) {
        n.x = left + (k / Math.max(1, last)) * (width - left - right - node);
        n.h = Math.max(1, n.value * scale);
        // a lone node stands beside the middle of what flows into it
        n.y = y;
        y += n.h + gap;
        n.k = k;
      }
      if (k > 0 && k < last) {
        const free = high + 4 - (y - gap);
        own.forEach((n) => { n.y += free / (k === 1 ? 2 : 4); });
      }
    });
    if (columns[0].length === 1) columns[0][0].y = 4 + (high - columns[0][0].h) / 2;
    const middle = (n) => n.y + n.h / 2;
    for (const l of [...links].sort((a, b) => middle(a.t) - middle(b.t))) { l.from = l.s.y + l.s.right; l.s.right += l.value * scale; }
    for (const l of [...links].sort((a, b) => middle(a.s) - middle(b.s))) { l.to = l.t.y + l.t.left; l.t.left += l.value * scale; }
    // names of a column, moved apart where they would overlap
    const step = narrow ? 25 : 16;
    for (const own of columns) {
      let limit = (narrow ? 14 : 8) - step;
      for (const n of own) { n.at = Math.max(middle(n), limit + step); limit = n.at; }
      for (let i = own.length - 1, floor = high + 4 - step / 2; i >= 0 && own[i].at > floor; i -= 1, floor -= step) own[i].at = floor;
    }
    const band = ({ s, t, from, to, value }) => {
      const a = s.x + node, b = t.x, m = (a + b) / 2, h = Math.max(0.7, value * scale);
      return `M${a} ${from}C${m} ${from} ${m} ${to} ${b} ${to}L${b} ${to + h}C${m} ${to + h} ${m} ${from + h} ${a} ${from + h}Z`;
    };
    const name = (n) => {
      const words = said(n), style = { size, halo: n.k > 0 && n.k < last };
      if (n.k === 0) return [label(words, n.x - 7, n.at, { ...style, align: "right" })];
      return n.k < last && narrow ? [] : [label(words, n.x + node + 6, n.at, style)];
    };
    return drawn(c, [...links, ...nodes], (one) => (one.s
      ? [{ type: "path", shape: { pathData: band(one) }, style: { fill: one.t.k === 1 ? one.s.colour : one.t.colour, opacity: 0.4 } }]
      : [rect(one.x, one.y, node, one.h, one.colour), ...name(one)]),
    (i) => {
      const l = links[i], n = nodes[i - links.length];
      return l ? tipLine(l.t.colour, `${l.s.name} → ${l.t.name}`, fmt(l.value, c.unit)) : tipLine(n.colour, n.name, fmt(n.value, c.unit));
    });
  },
};
