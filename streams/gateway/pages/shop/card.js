/**
 * A product as a card: the catalogue, the wall and the finds of a look show the same one.
 * In: a product and what to do. Out: a list item whose state (viewed, in the cart, bought) can be set.
 */
import { h, icon, money, titleOf } from "./dom.js";
import { picture } from "./picture.js";

/** What can be done: event type, key, label; Enter is the photo itself. */
export const DEEDS = [
  { type: "product.added_to_cart", key: "c", name: "cart", label: (title) => `Add ${title} to the cart` },
  { type: "product.purchased", key: "b", name: "buy", label: (title) => `Buy ${title}` },
  { type: "product.dismissed", key: "x", name: "dismiss", label: (title) => `Not for me: ${title}` },
  { type: "look", key: "l", name: "look", label: (title) => `Buy this look: ${title}` },
];
const TIPS = { cart: "Cart", buy: "Buy", dismiss: "Not for me", look: "This look" };

/** A card; `act(type, product, card)` is called for what is done with it. */
export function card(product, { act, ratio, width = 320, extra = [], tag = "", eager = false, tabbable = true }) {
  const title = titleOf(product);
  const tabindex = tabbable ? "0" : "-1";
  const button = (deed) =>
    h(
      "button",
      {
        type: "button",
        class: `deed ${deed.name}`,
        tabindex,
        "aria-label": deed.label(title),
        "aria-keyshortcuts": deed.key.toUpperCase(),
        dataset: { tip: TIPS[deed.name], deed: deed.type },
        onclick: () => act(deed.type, product, element),
      },
      icon(deed.name),
    );
  const view = () => act("product.viewed", product, element);
  const shot = h(
    "button",
    { type: "button", class: "shot", tabindex, dataset: { deed: "product.viewed" }, onclick: view },
    picture(product, { alt: title, ratio, width, eager }),
  );
  const element = h(
    "li",
    { class: "card", dataset: { product: product.product_id } },
    shot,
    h("div", { class: "deeds" }, DEEDS.map(button)),
    h("span", { class: "tag", "aria-hidden": tag ? null : "true" }, tag),
    h("p", { class: "title", title }, title),
    h("p", { class: "price" }, money(product.price)),
    extra,
  );
  if (product.availability === "out_of_stock") soldOut(element);
  return element;
}

/** Shows what the shopper has done with the product. */
export function mark(element, state) {
  const inCart = state.cart.has(element.dataset.product);
  const bought = state.bought.has(element.dataset.product);
  element.classList.toggle("viewed", state.viewed.has(element.dataset.product));
  const deed = element.querySelector(".deed.cart");
  deed.setAttribute("aria-pressed", String(inCart));
  deed.dataset.tip = inCart ? "In the cart" : TIPS.cart;
  const tag = element.querySelector(".tag");
  tag.dataset.state = bought ? "Bought" : inCart ? "In the cart" : "";
}

/** Shows that it cannot be had any more. */
export function soldOut(element) {
  element.classList.add("sold-out");
  element.querySelector(".tag").textContent = "Sold out";
}

/** Answers a press where it was made: a ring round the photo and a word. */
export function acknowledge(element, word) {
  const ring = h("span", { class: "ring", "aria-hidden": "true" }, h("b", {}, word));
  element.querySelector(".ring")?.remove();
  element.append(ring);
  setTimeout(() => ring.remove(), 1100);
}
