/**
 * Buy that look: the garments of a photo, and the shop's nearest to each. In: a photo of the reader's, or a
 * product. Out: the photo with its boxes, a row of products per garment; a product chosen opens its own look.
 */
import { product, read, show, sized } from "./api.js";
import { card, mark } from "./card.js";
import { byId, h, money, partName, titleOf, words } from "./dom.js";
import { CardKeys } from "./keys.js";
import { say, sorry } from "./notices.js";
import { placeBox } from "./picture.js";
import { dropZone, prepared } from "./photos.js";
import { sheet } from "./sheet.js";

const PER_GARMENT = 8;
const RATIO = 4 / 5;

export class Look {
  /** `act` is called for what is done with a product; viewing one opens its look too. */
  constructor(act, state) {
    this.act = act;
    this.state = state;
    this.dialog = byId("look");
    this.stage = byId("stage");
    this.finds = byId("finds");
    this.note = byId("look-note");
    this.drop = byId("look-drop");
    this.back = byId("look-back");
    this.turn = 0;
    this.path = [];
    this.open = sheet(this.dialog, () => this.reset());
    this.back.addEventListener("click", () => this.goBack());
    dropZone(this.drop, byId("look-file"), (file) => this.ofPhoto(file));
    this.reset();
  }

  /** The drop zone, empty. */
  reset() {
    this.turn++;
    this.path = [];
    this.back.hidden = true;
    byId("look-title").textContent = "Buy that look";
    this.note.textContent = "";
    this.stage.replaceChildren(this.drop);
    this.finds.replaceChildren();
    this.dialog.dataset.phase = "empty";
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = undefined;
  }

  /** Looks at a photo of the reader's. */
  async ofPhoto(file) {
    this.open();
    this.reset();
    const turn = this.turn;
    try {
      const photo = await prepared(file);
      this.address = URL.createObjectURL(photo);
      this.showPhoto(this.address, "Your photo");
      const begun = performance.now();
      const told = await show(`/v1/look?k=${PER_GARMENT}`, photo);
      if (turn !== this.turn) return;
      const took = `${Math.round(performance.now() - begun)} ms`;
      this.remember("Buy that look", { address: this.address, told, note: `${count(shownOf(told))} in ${took}` });
    } catch (error) {
      if (turn !== this.turn) return;
      this.reset();
      this.note.textContent = error.message;
    }
  }

  /** Looks at a product of the shop. */
  async ofProduct(id) {
    this.open();
    const turn = ++this.turn;
    try {
      const one = await product(id);
      this.showPhoto(sized(one.image, 640), titleOf(one), one.photo);
      const told = await read(`/v1/products/${encodeURIComponent(id)}/similar?k=${PER_GARMENT}`);
      if (turn !== this.turn) return;
      const seen = { photo: one.photo, garments: told.garments };
      this.remember(titleOf(one), { address: sized(one.image, 640), told: seen, note: money(one.price), one });
    } catch (error) {
      if (turn === this.turn) this.dialog.close();
      sorry(error);
    }
  }

  remember(title, page) {
    this.path.push({ title, ...page });
    this.showPage(this.path.at(-1));
  }

  goBack() {
    this.turn++;
    this.path.pop();
    this.showPage(this.path.at(-1));
  }

  showPhoto(address, alt, size) {
    this.dialog.dataset.phase = "looking";
    this.note.textContent = "Looking …";
    const photo = h("img", { src: address, alt, class: "stage-photo" });
    this.stage.replaceChildren(framed(photo, size, h("span", { class: "scan" })));
    this.finds.replaceChildren();
  }

  showPage({ title, address, told, note, one }) {
    this.dialog.dataset.phase = "found";
    byId("look-title").textContent = title;
    this.note.textContent = note;
    this.back.hidden = this.path.length < 2;
    const photo = h("img", { src: address, alt: title, class: "stage-photo" });
    const shown = framed(photo, told.photo);
    const again = h("button", { type: "button", class: "pill", onclick: () => this.reset() }, "Another photo");
    this.stage.replaceChildren(shown, h("div", { class: "stage-doings" }, linkTo(one), again));
    const garments = shownOf(told);
    this.finds.replaceChildren(...garments.map((garment, at) => this.row(garment, at + 1)));
    if (told.photo) shown.append(...garments.map((garment, at) => this.outline(garment, at + 1, told)));
    if (!garments.length) this.finds.append(h("p", { class: "nothing" }, "No garment was found in this photo."));
    this.finds.scrollTo(0, 0);
    say(garments.map(({ part, similar }) => `${partName(part)}: ${similar.length} similar`).join(". "));
  }

  row(garment, number) {
    const cards = garment.similar.map((item) => {
      const act = (...deed) => this.chosen(...deed);
      const made = card(item, { act, ratio: RATIO, tag: at(item.score), tabbable: false });
      mark(made, this.state());
      return made;
    });
    const strip = h("ul", { class: "strip" }, cards);
    new CardKeys(strip).refresh();
    const name = partName(garment.part);
    const known = words(garment.category);
    const row = h(
      "section",
      { class: "find", "aria-label": name, id: `find-${number}` },
      h("h3", {}, h("span", { class: "number" }, number), name, h("small", {}, known)),
      cards.length ? strip : h("p", { class: "nothing" }, "Nothing similar in stock."),
    );
    row.addEventListener("pointerenter", () => this.light(number));
    row.addEventListener("focusin", () => this.light(number));
    return row;
  }

  outline(garment, number, told) {
    const label = `${number}: ${partName(garment.part)}`;
    const go = () => this.goTo(number);
    const box = h(
      "button",
      { type: "button", class: "box choose", "aria-label": label, dataset: { number }, onclick: go },
      h("span", { class: "number" }, number),
    );
    box.addEventListener("pointerenter", () => this.light(number));
    placeBox(box, garment.box_xyxy, told.photo);
    // The smaller lies above the larger, so that each can be pointed at.
    box.style.zIndex = told.garments.filter((other) => area(other) > area(garment)).length;
    return box;
  }

  light(number) {
    for (const box of this.stage.querySelectorAll(".choose")) {
      box.classList.toggle("lit", Number(box.dataset.number) === number);
    }
    for (const row of this.finds.children) row.classList.toggle("lit", row.id === `find-${number}`);
  }

  goTo(number) {
    this.light(number);
    byId(`find-${number}`).scrollIntoView({ block: "start", behavior: "smooth" });
  }

  chosen(type, item, element) {
    this.act(type, item, element);
    if (type === "product.viewed") this.ofProduct(item.product_id);
  }
}

/** A link to a product's own page, where it has one. */
function linkTo(one) {
  if (!/^https?:/.test(one?.link)) return null;
  return h("a", { class: "pill", href: one.link, rel: "noopener", target: "_blank" }, "To its page");
}

/** A photo as large as the stage allows; what lies over it keeps its place. */
function framed(photo, size, ...over) {
  const frame = h("div", { class: "shown" }, photo, ...over);
  const fit = ({ width, height }) => frame.style.setProperty("--ratio", width / height);
  if (size) fit(size);
  else photo.addEventListener("load", () => fit({ width: photo.naturalWidth, height: photo.naturalHeight }));
  return frame;
}

const at = (score) => (score > 0 ? `${Math.round(100 * score)} %` : "");
const count = ({ length }) => `${length} ${length === 1 ? "garment" : "garments"}`;

const area = ({ box_xyxy: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);

/** The garments from top to bottom; the whole photo only where nothing else was found in it. */
function shownOf({ garments }) {
  const found = garments.filter(({ part }) => part !== "whole");
  return (found.length ? found : garments).toSorted((one, other) => one.box_xyxy[1] - other.box_xyxy[1]);
}
