/** Latency histograms. In: percentiles and buckets in milliseconds. Out: bars, with the percentiles marked. */

import { h, svg } from "../shop/dom.js";
import { table } from "./table.js";

const WIDTH = 300;
const HEIGHT = 96;
const FLOOR = HEIGHT - 16;
const NAMES = {
  event_to_recommendation: "Event to recommendation",
  upload_to_searchable: "Upload to searchable",
  set_to_subscriber: "Set to subscriber",
};
const drawn = new Map();

/** Milliseconds as people read them. */
export function ms(value) {
  if (value === null) return "–";
  if (value >= 10_000) return `${Math.round(value / 1000)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return value >= 10 ? `${Math.round(value)} ms` : `${Number(value.toPrecision(2))} ms`;
}

/** Where a value lies on an axis on which every bucket is equally wide, as a share from 0 to 1. */
export function share(buckets, value) {
  let below = 0;
  for (const [at, [bound]] of buckets.entries()) {
    if (bound === null) return (at + 0.5) / buckets.length;
    if (value <= bound) return (at + (value - below) / (bound - below)) / buckets.length;
    below = bound;
  }
  return 1;
}

/** The buckets from the first to the last that hold something, and one more on either side. */
export function worthShowing(buckets) {
  const used = buckets.map(([, count], at) => (count ? at : -1)).filter((at) => at >= 0);
  if (!used.length) return buckets;
  return buckets.slice(Math.max(0, used[0] - 1), used.at(-1) + 2);
}

function bars(buckets, total) {
  const most = Math.max(...buckets.map(([, count]) => count));
  const step = WIDTH / buckets.length;
  return buckets.flatMap(([bound, count], at) => {
    const high = most ? (count / most) * (FLOOR - 14) : 0;
    const height = count ? Math.max(1.5, high) : 0;
    const place = { x: at * step + 1, y: FLOOR - height, width: step - 2, height, rx: 1.5 };
    const text = bound === null ? "more" : ms(bound).replace(" ms", "");
    const tick = svg("text", { x: (at + 1) * step - 1, y: HEIGHT - 4, "text-anchor": "end" });
    tick.append(text);
    const title = svg("title");
    title.append(`${bound === null ? "more" : `up to ${ms(bound)}`}: ${count} (${Math.round((100 * count) / (total || 1))} %)`);
    const skip = buckets.length > 9 && at % 2 === (buckets.length - 1) % 2 ? [] : [tick];
    return [svg("rect", { class: "bar-of", ...place }, title), ...skip];
  });
}

function marks(buckets, data) {
  return ["p50", "p99"].flatMap((name) => {
    if (data[name] === null) return [];
    const x = Math.min(WIDTH - 1, Math.max(1, share(buckets, data[name]) * WIDTH));
    const end = x > WIDTH - 30;
    const label = svg("text", { class: "mark", x: end ? x - 3 : x + 3, y: 11, "text-anchor": end ? "end" : "start" });
    label.append(name);
    return [svg("line", { class: `mark ${name}`, x1: x, x2: x, y1: 0, y2: FLOOR }), label];
  });
}

/** One histogram, `shown` with all its buckets cut to those worth showing. */
function histogram(name, data) {
  const shown = worthShowing(data.buckets);
  const first = data.buckets.indexOf(shown[0]);
  const below = first > 0 ? data.buckets[first - 1][0] : 0;
  const label = data.count
    ? `${name}: median ${ms(data.p50)}, 90 % within ${ms(data.p90)}, 99 % within ${ms(data.p99)}, of ${data.count}`
    : `${name}: nothing measured yet`;
  const from = shown.map(([bound, count]) => [bound === null ? null : bound - below, count]);
  const moved = { ...data };
  for (const mark of ["p50", "p99"]) moved[mark] = data[mark] === null ? null : Math.max(0, data[mark] - below);
  const base = svg("line", { class: "base", x1: 0, x2: WIDTH, y1: FLOOR + 0.5, y2: FLOOR + 0.5 });
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    ...bars(shown, data.count),
    base,
    ...marks(from, moved),
  );
}

function chart(place, key, name, data) {
  const said = JSON.stringify(data);
  let card = drawn.get(key);
  if (!card) {
    card = { said: "", element: h("figure", {}) };
    drawn.set(key, card);
    place.append(card.element);
  }
  if (card.said === said) return;
  card.said = said;
  const figures = ["p50", "p90", "p99"].map((q) => h("span", {}, h("i", {}, q), ` ${ms(data[q])}`));
  const caption = h("figcaption", {}, h("b", {}, name), h("span", { class: "quantiles" }, figures));
  card.element.classList.toggle("still", !data.count);
  card.element.replaceChildren(caption, histogram(name, data));
}

/** All histograms, and the table behind them. */
export function showLatency(place, stagesPlace, tablePlace, latency) {
  const { stages, ...whole } = latency;
  const rows = [];
  for (const [key, data] of Object.entries(whole)) {
    chart(place, key, NAMES[key] ?? key, data);
    rows.push([NAMES[key] ?? key, data]);
  }
  for (const [stage, data] of Object.entries(stages)) {
    chart(stagesPlace, `stage ${stage}`, stage, data);
    rows.push([`Stage ${stage}`, data]);
  }
  const cells = rows.map(([name, d]) => [name, ms(d.p50), ms(d.p90), ms(d.p99), d.count.toLocaleString("en")]);
  tablePlace.replaceChildren(table("Latency", ["What", "p50", "p90", "p99", "Measured"], cells));
}
