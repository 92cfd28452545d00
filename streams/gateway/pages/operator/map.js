/** The embedding map. In: garments with their place in the plane. Out: dots to point at, or to walk with arrow keys. */

import { sized } from "../shop/api.js";
import { PART_ORDER, h, partName, svg, titleOf, words } from "../shop/dom.js";
import { table } from "./table.js";

const WIDTH = 960;
const HEIGHT = matchMedia("(max-width: 640px)").matches ? 960 : 560; // as wide as high on a phone
const MARGIN = 16;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The index of the dot that an arrow leads to from `from`: the nearest within 45° of its direction, or `from`. */
export function next(places, from, [dx, dy]) {
  let best = from;
  let least = Infinity;
  for (const [at, [x, y]] of places.entries()) {
    const along = (x - places[from][0]) * dx + (y - places[from][1]) * dy;
    const aside = Math.abs((x - places[from][0]) * dy + (y - places[from][1]) * dx);
    const far = along + 2 * aside;
    if (at !== from && along > 0 && aside <= along && far < least) [best, least] = [at, far];
  }
  return best;
}

export class EmbeddingMap {
  constructor(place, legend, note, details, tablePlace) {
    Object.assign(this, { place, legend, note, details, tablePlace });
    this.hidden = new Set();
    this.points = [];
    this.at = null;
    this.picture = h("img", { alt: "", width: 120, height: 150, loading: "eager", decoding: "async" });
    this.words = h("p", {});
    this.card = h("div", { class: "peek", hidden: true }, this.picture, this.words);
    this.said = h("p", { class: "unseen", role: "status" });
    this.dots = svg("g");
    this.ring = svg("circle", { class: "here", r: 9, visibility: "hidden" });
    this.chart = svg("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "application",
      "aria-roledescription": "map of garments",
      tabindex: 0,
    });
    this.chart.append(this.dots, this.ring);
    place.append(this.chart, this.card, this.said);
    this.chart.addEventListener("pointermove", (event) => this.point(event));
    this.chart.addEventListener("pointerdown", (event) => this.point(event));
    this.chart.addEventListener("pointerleave", () => this.leave());
    this.chart.addEventListener("blur", () => this.leave());
    this.chart.addEventListener("focus", () => this.at === null && this.points.length && this.go(this.middle()));
    this.chart.addEventListener("keydown", (event) => this.key(event));
    details.addEventListener("toggle", () => this.fillTable());
  }

  /** Whether somebody is looking at a garment right now. */
  busy() {
    return this.at !== null;
  }

  show({ points, explained }) {
    this.all = points;
    const parts = PART_ORDER.filter((part) => points.some((one) => one.part === part));
    this.note.textContent = points.length
      ? `The newest ${points.length.toLocaleString("en")} garments. Those that look alike lie close to each other; the plane shows ${Math.round(100 * explained)} % of how they differ.`
      : "No garments yet.";
    this.legend.replaceChildren(
      this.legend.firstElementChild,
      ...parts.map((part) => this.choice(part, points.filter((one) => one.part === part).length)),
    );
    this.draw();
    this.fillTable();
  }

  choice(part, count) {
    const box = h("input", { type: "checkbox", checked: !this.hidden.has(part) });
    box.addEventListener("change", () => {
      this.hidden[box.checked ? "delete" : "add"](part);
      this.draw();
    });
    return h("label", {}, box, h("span", { class: `dot-of part-${part}` }), ` ${partName(part)} `, h("small", {}, count));
  }

  draw() {
    this.points = this.all.filter((one) => !this.hidden.has(one.part));
    const span = (name) => {
      const values = this.all.map((one) => one[name]);
      const low = Math.min(...values);
      return [low, Math.max(...values) - low || 1];
    };
    const [[left, wide], [low, high]] = [span("x"), span("y")];
    this.places = this.points.map((one) => [
      MARGIN + ((one.x - left) / wide) * (WIDTH - 2 * MARGIN),
      HEIGHT - MARGIN - ((one.y - low) / high) * (HEIGHT - 2 * MARGIN),
    ]);
    const dots = this.points.map((one, at) => {
      const [x, y] = this.places[at];
      return svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 4, class: `part-${one.part}` });
    });
    this.dots.replaceChildren(...dots);
    this.chart.setAttribute("aria-label", `Embedding map of ${this.points.length} garments. Arrow keys go from one to the next.`);
    this.leave();
  }

  middle() {
    const far = this.places.map(([x, y]) => Math.hypot(x - WIDTH / 2, y - HEIGHT / 2));
    return far.indexOf(Math.min(...far));
  }

  point(event) {
    const box = this.chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const y = ((event.clientY - box.top) / box.height) * HEIGHT;
    const reach = (14 * WIDTH) / box.width;
    let best = null;
    let least = reach;
    for (const [at, [px, py]] of this.places.entries()) {
      const far = Math.hypot(px - x, py - y);
      if (far < least) [best, least] = [at, far];
    }
    if (best === null) this.leave();
    else if (best !== this.at) this.go(best, false);
  }

  key(event) {
    if (event.key === "Escape") return this.leave();
    const arrow = ARROWS[event.key];
    if (!arrow || !this.points.length) return;
    event.preventDefault();
    this.go(this.at === null ? this.middle() : next(this.places, this.at, arrow));
  }

  /** Show the garment at an index; spoken unless it was only pointed at. */
  go(at, spoken = true) {
    this.at = at;
    const one = this.points[at];
    const [x, y] = this.places[at];
    this.ring.setAttribute("cx", x);
    this.ring.setAttribute("cy", y);
    this.ring.setAttribute("visibility", "visible");
    if (one.image) this.picture.src = sized(one.image, 160);
    this.picture.hidden = !one.image;
    const kind = [words(one.category), partName(one.part)].filter(Boolean).join(", ");
    this.words.replaceChildren(h("b", {}, titleOf(one)), h("span", {}, kind), h("span", { class: "id" }, one.product_id));
    this.card.hidden = false;
    this.card.classList.toggle("to-left", x > WIDTH / 2);
    this.card.classList.toggle("to-top", y > HEIGHT / 2);
    this.card.style.left = `${(100 * x) / WIDTH}%`;
    this.card.style.top = `${(100 * y) / HEIGHT}%`;
    if (spoken) this.said.textContent = `${titleOf(one)}, ${kind}`;
  }

  leave() {
    this.at = null;
    this.card.hidden = true;
    this.ring.setAttribute("visibility", "hidden");
  }

  fillTable() {
    if (!this.details.open || !this.all) return;
    const rows = this.all.map((one) => [titleOf(one), partName(one.part), words(one.category), one.x.toFixed(2), one.y.toFixed(2)]);
    this.tablePlace.replaceChildren(table("Embedding map", ["Garment", "Part", "Category", "x", "y"], rows));
  }
}
