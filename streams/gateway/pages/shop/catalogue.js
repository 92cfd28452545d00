/** The catalogue as a wall of photos, read page by page as it is scrolled. In: the gateway's products. */
import { read, remember } from "./api.js";
import { card, mark, soldOut } from "./card.js";
import { PART_ORDER, byId, h, partName } from "./dom.js";
import { CardKeys } from "./keys.js";
import { Masonry } from "./masonry.js";
import { leave } from "./motion.js";
import { sorry } from "./notices.js";

const PAGE = 60;
const AHEAD = "900px";
const EAGER = 12;
const NEWEST = 24;
const AGAIN_MS = 4000;
const NEAR_TOP_PX = 400;
const FALLBACK_RATIO = 0.8;

/** The list on the left; `act` is called for what is done with a card. */
export class Catalogue {
  constructor(act, state) {
    this.act = act;
    this.state = state;
    this.list = byId("masonry");
    this.end = byId("end");
    this.masonry = new Masonry(this.list);
    this.keys = new CardKeys(this.list);
    this.part = "";
    this.parts = new Set();
    this.known = new Set();
    this.fresh = byId("fresh");
    this.fresh.addEventListener("click", () => (scrollTo(0, 0), this.start()));
    setInterval(() => document.hidden || this.lookForNew().catch(() => {}), AGAIN_MS);
    this.seen = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.more(), { rootMargin: AHEAD });
  }

  /** Reads the first page; the others follow the scrolling. */
  async start() {
    this.cursor = "";
    this.reading = false;
    this.known.clear();
    this.list.replaceChildren();
    this.fresh.hidden = true;
    await this.more();
    this.seen.disconnect();
    this.seen.observe(this.end);
  }

  /** Reads one page more, if there is one. */
  async more() {
    if (this.reading || this.cursor === null) return;
    this.reading = true;
    const { part, cursor } = this;
    try {
      const page = await this.page(PAGE, cursor);
      if (part === this.part) this.add(page);
    } catch (error) {
      this.end.textContent = `The catalogue cannot be read: ${error.message}`;
      sorry(error);
    } finally {
      this.reading = false;
    }
    const near = this.end.getBoundingClientRect().top < innerHeight + parseInt(AHEAD);
    if (near && this.list.childElementCount && this.cursor) await this.more();
  }

  page(limit, cursor) {
    const asked = new URLSearchParams({ limit });
    if (cursor) asked.set("cursor", cursor);
    if (this.part) asked.set("part", this.part);
    return read(`/v1/products?${asked}`);
  }

  /** Products that came since: shown to a reader at the top, offered to one who has scrolled or is choosing. */
  async lookForNew() {
    if (this.reading) return;
    const { part } = this;
    const { products } = await this.page(NEWEST);
    const came = products.filter((one) => !this.known.has(one.product_id));
    if (!came.length || part !== this.part) return;
    const busy = scrollY > NEAR_TOP_PX || this.list.contains(document.activeElement);
    if (busy) {
      this.fresh.hidden = false;
      this.fresh.textContent = came.length === products.length ? "Show what is new" : `Show ${came.length} new`;
    } else if (came.length === products.length) await this.start();
    else for (const one of came.reverse()) this.insert(one);
  }

  add({ products, cursor }) {
    remember(products);
    this.cursor = cursor;
    const first = this.known.size === 0;
    const came = products.filter((one) => !this.known.has(one.product_id));
    const cards = came.map((one, at) => this.made(one, first && at < EAGER));
    this.list.append(...cards);
    this.masonry.layout();
    this.keys.refresh();
    this.nameParts(products);
    const count = this.list.childElementCount;
    this.end.textContent = cursor ? "" : count ? `That is everything: ${count} products.` : "Nothing here yet.";
  }

  made(one, eager = false) {
    this.known.add(one.product_id);
    const ratio = one.photo ? one.photo.width / one.photo.height : FALLBACK_RATIO;
    const made = card({ ...one, box_xyxy: undefined }, { act: this.act, ratio, tabbable: false, eager });
    made.dataset.ratio = ratio;
    mark(made, this.state());
    return made;
  }

  /** Puts a product first, when it has just come. */
  insert(one) {
    remember([one]);
    if (this.find(one.product_id)) return;
    const made = this.made(one, true);
    made.classList.add("arrived");
    this.list.prepend(made);
    this.masonry.layout();
    this.keys.refresh();
  }

  find(id) {
    return this.list.querySelector(`[data-product="${CSS.escape(id)}"]`);
  }

  /** Takes a product off the wall. */
  hide(id) {
    const going = this.find(id);
    if (!going) return;
    this.keys.handOver(going);
    going.classList.add("leaving");
    this.masonry.layout();
    leave(going);
  }

  /** Shows that a product cannot be had any more. */
  soldOut(id) {
    const one = this.find(id);
    if (one) soldOut(one);
  }

  /** Shows on every card what the shopper has done. */
  markAll() {
    for (const one of this.list.children) mark(one, this.state());
  }

  /** Offers the parts that there are. */
  nameParts(products) {
    const before = this.parts.size;
    for (const { garments } of products) for (const { part } of garments) if (part !== "whole") this.parts.add(part);
    if (this.parts.size === before || this.parts.size < 2) return;
    const offered = ["", ...PART_ORDER.filter((part) => this.parts.has(part))];
    byId("parts").replaceChildren(...offered.map((part) => this.chip(part)));
  }

  chip(part) {
    const pressed = String(part === this.part);
    const show = () => this.show(part);
    const name = part ? partName(part) : "All";
    return h("button", { type: "button", class: "chip", "aria-pressed": pressed, dataset: { part }, onclick: show }, name);
  }

  show(part) {
    this.part = part;
    for (const chip of byId("parts").children) chip.setAttribute("aria-pressed", String(chip.dataset.part === part));
    this.start();
  }
}
