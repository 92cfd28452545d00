/** Throughput: a sparkline per topic. In: records a second by topic, every two seconds. Kept in the page. */

import { h, svg } from "../shop/dom.js";
import { table } from "./table.js";

const KEPT = 150; // five minutes
const AT_FIRST = 30; // one minute, which then grows
const WIDTH = 160;
const HEIGHT = 36;

/** The points of a line through `values` (the newest last), `top` high; it grows from the right. */
export function linePoints(values, top) {
  const step = WIDTH / (Math.max(AT_FIRST, values.length) - 1);
  return values.map((value, at) => {
    const x = WIDTH - (values.length - 1 - at) * step;
    return [x, HEIGHT - 1 - (value / (top || 1)) * (HEIGHT - 4)];
  });
}

const path = (points) => points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** A rate as people read it. */
export const rate = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(1));

/** The sparklines. */
export class FlowBoard {
  constructor(list, tablePlace) {
    this.list = list;
    this.tablePlace = tablePlace;
    this.history = new Map();
    this.rows = new Map();
  }

  show(throughput) {
    for (const [topic, value] of Object.entries(throughput)) {
      const values = this.history.get(topic) ?? [];
      values.push(value);
      if (values.length > KEPT) values.shift();
      this.history.set(topic, values);
      this.draw(topic, values);
    }
    const rows = [...this.history].map(([topic, values]) => [
      topic,
      rate(values.at(-1)),
      rate(values.reduce((sum, one) => sum + one, 0) / values.length),
      rate(Math.max(...values)),
    ]);
    this.tablePlace.replaceChildren(table("Throughput", ["Topic", "Now", "Mean", "Peak"], rows));
  }

  draw(topic, values) {
    const row = this.rows.get(topic) ?? this.add(topic);
    const peak = Math.max(...values);
    const points = linePoints(values, peak);
    const [x, y] = points.at(-1);
    const now = rate(values.at(-1));
    row.now.textContent = now;
    row.item.classList.toggle("still", peak === 0);
    row.chart.setAttribute("aria-label", `${topic}: ${now} records a second now, at most ${rate(peak)}`);
    row.stroke.setAttribute("d", path(points));
    row.area.setAttribute("d", `${path(points)}L${x} ${HEIGHT}L${points[0][0].toFixed(1)} ${HEIGHT}Z`);
    row.dot.setAttribute("d", `M${x} ${y}h0`);
  }

  add(topic) {
    const area = svg("path", { class: "area" });
    const stroke = svg("path", { class: "stroke" });
    const dot = svg("path", { class: "tip-dot" });
    const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", preserveAspectRatio: "none" }, area, stroke);
    chart.append(dot);
    const now = h("b", {});
    const item = h("li", {}, h("span", { class: "topic" }, topic), chart, now);
    this.list.append(item);
    const row = { item, chart, area, stroke, dot, now };
    this.rows.set(topic, row);
    return row;
  }
}
