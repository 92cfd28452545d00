/** The recommendations, rearranged in front of the shopper's eyes. In: sets. Out: cards with their reasons. */
import { card, mark } from "./card.js";
import { byId, h, titleOf, weight } from "./dom.js";
import { CardKeys } from "./keys.js";
import { leave, rearrange } from "./motion.js";
import { say } from "./notices.js";
import { picture } from "./picture.js";

const RATIO = 4 / 5;
const BECAUSE = {
  "product.viewed": "because you viewed",
  "product.clicked": "because you clicked",
  "product.added_to_wishlist": "because you wished for",
  "product.added_to_cart": "because you added",
  "product.purchased": "because you bought",
};
const SLOTS = { trending: "trending in the shop", fresh: "new in the shop", pinned: "picked by the shop" };
const TAGS = { fresh: "Just in", pinned: "Our pick" };

/** Why an item is there: the trigger's photo with its box, and words. */
function reason({ because, slot }) {
  if (!because) return h("p", { class: "why" }, h("span", { class: "why-words" }, SLOTS[slot] ?? slot));
  return h(
    "p",
    { class: "why", title: `${Math.round(100 * because.share)} % of what speaks for it` },
    h("span", { class: "why-photo" }, picture(because, { alt: "", ratio: 3 / 4, width: 160 }), weight(because.share)),
    h("span", { class: "why-words" }, `${BECAUSE[because.action] ?? "because of"} `, h("b", {}, titleOf(because))),
  );
}

/** The list on the right; `act` is called for what is done with a card. */
export class Wall {
  constructor(act, state) {
    this.act = act;
    this.state = state;
    this.list = byId("items");
    this.keys = new CardKeys(this.list);
    this.set = null;
  }

  /** Shows a set; what is in the one shown before moves, the rest comes and goes. */
  show(set) {
    const cards = new Map([...this.list.children].map((one) => [one.dataset.product, one]));
    const first = this.set === null;
    this.set = set;
    const kept = set.items.map((item) => this.renewed(cards.get(item.product_id), item, first));
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    if (focused && !kept.some((one) => one.contains(focused))) this.keys.handOver(focused.closest(".card"));
    rearrange(this.list, () => this.list.replaceChildren(...kept));
    this.keys.refresh();
    if (focused?.isConnected) focused.focus({ preventScroll: true });
    byId("nothing").hidden = kept.length > 0;
    if (!first) this.tell(set, cards);
    return kept.filter((one) => !cards.has(one.dataset.product)).length;
  }

  renewed(shown, item, first) {
    if (shown && shown.dataset.garment === item.garment_id) {
      shown.querySelector(".why").replaceWith(reason(item));
      shown.classList.remove("entered");
      shown.querySelector(".tag").textContent = TAGS[item.slot] ?? "";
      return shown;
    }
    const tag = TAGS[item.slot] ?? "";
    const made = card(item, { act: this.act, ratio: RATIO, extra: [reason(item)], tag, tabbable: false });
    made.dataset.garment = item.garment_id;
    made.dataset.slot = item.slot;
    if (!first && !shown) made.classList.add("entered");
    mark(made, this.state());
    return made;
  }

  tell(set, cards) {
    const fresh = set.items.filter((item) => !cards.has(item.product_id));
    const [top] = set.items;
    const why = top?.because ? `, ${BECAUSE[top.because.action] ?? "because of"} ${titleOf(top.because)}` : "";
    if (top) say(`${fresh.length} new recommendations. First: ${titleOf(top)}${why}.`);
  }

  /** Takes a product off at once. */
  hide(id) {
    const going = this.find(id);
    if (!going) return;
    this.keys.handOver(going);
    rearrange(this.list, () => going.remove());
    this.keys.refresh();
  }

  find(id) {
    return this.list.querySelector(`[data-product="${CSS.escape(id)}"]`);
  }

  /** Shows on every card what the shopper has done. */
  markAll() {
    for (const one of this.list.children) mark(one, this.state());
  }

  /** Empties the wall, for somebody else. */
  clear() {
    this.set = null;
    for (const one of [...this.list.children]) leave(one);
    byId("nothing").hidden = false;
  }
}

const CAUSES = {
  "product.viewed": "a view",
  "product.clicked": "a click",
  "product.added_to_wishlist": "a wish",
  "product.added_to_cart": "a cart",
  "product.purchased": "a purchase",
  "product.dismissed": "a no",
  "shopper.arrived": "hello",
};

/** What a set answers, in a few words: "after a view". */
export const cause = ({ trigger }) => (CAUSES[trigger?.type] ? `after ${CAUSES[trigger.type]}` : "renewed");
