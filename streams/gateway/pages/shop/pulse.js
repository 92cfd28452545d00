/** How fast it is. In: clicks and the sets that answer them. Out: milliseconds, and a chart of the last ones. */
import { byId, svg } from "./dom.js";

const SHOWN = 20;
const HIGH = 26;
const GIVEN_UP_MS = 15_000; // an event may wait for its product
const FLOOR_MS = 120; // the chart's top, unless something took longer

const INTERACTION = /^(shopper\.arrived|product\.(viewed|clicked|added_to_|purchased|removed_from_cart|refunded|dismissed))/;

/** How far a set goes in the interactions: a gateway may skip the set that names an event for a newer one. */
const reach = ({ trigger, through }) => (INTERACTION.test(trigger?.type) ? through : undefined);
const covers = (through, { partition, offset }) => through?.partition === partition && through?.offset >= offset;

/** Times from click to set in this browser, beside what the set says about its way through the stream. */
export class Pulse {
  constructor() {
    this.waiting = new Map();
    this.clear();
  }

  /** An event goes out. */
  sent(id) {
    this.waiting.set(id, { at: performance.now() });
    this.show();
    setTimeout(() => this.forget(id), GIVEN_UP_MS);
  }

  /** Kafka has the event there; the set that answers it may have come before this was known. */
  accepted({ id, partition, offset }) {
    const event = this.waiting.get(id);
    if (!event) return;
    Object.assign(event, { partition, offset });
    if (covers(this.through, event)) this.forget(id);
  }

  forget(id) {
    this.waiting.delete(id);
    this.show();
  }

  show() {
    byId("pulse").classList.toggle("waiting", this.waiting.size > 0);
  }

  /** A set is here; returns the milliseconds since the oldest click of this page that it answers. */
  answered(set) {
    const answers = ([id, event]) => set.includes.includes(id) || covers(reach(set), event);
    const settled = [...this.waiting].filter(answers);
    for (const [id] of settled) this.waiting.delete(id);
    this.through = reach(set) ?? this.through;
    this.show();
    byId("pulse-set").textContent = set.revision;
    byId("pulse-stream").textContent = `${Math.round(set.latency_ms)} ms`;
    if (!settled.length) return undefined;
    const tookMs = performance.now() - Math.min(...settled.map(([, { at }]) => at));
    byId("pulse-click").textContent = `${Math.round(tookMs)} ms`;
    this.taken = [...this.taken, tookMs].slice(-SHOWN);
    this.draw();
    return tookMs;
  }

  /** Somebody else shops now. */
  clear() {
    this.waiting.clear();
    this.show();
    this.through = undefined;
    this.taken = [];
    for (const name of ["click", "stream", "set"]) byId(`pulse-${name}`).textContent = "–";
    this.draw();
  }

  draw() {
    const top = Math.max(FLOOR_MS, ...this.taken);
    const bars = this.taken.map((ms, at) => {
      const height = Math.max(2, (HIGH * ms) / top);
      return svg("rect", { x: 5 * (SHOWN - this.taken.length + at), y: HIGH - height, width: 3, height, rx: 1 });
    });
    const label = this.taken.length ? `${this.taken.map(Math.round).join(", ")} ms` : "None yet";
    const frame = { viewBox: `0 0 ${5 * SHOWN - 2} ${HIGH}`, preserveAspectRatio: "xMaxYMax meet" };
    byId("pulse-chart").replaceChildren(svg("svg", { ...frame, role: "img", "aria-label": label }, ...bars));
  }
}
