/** The storefront: puts the catalogue, the wall, the shoppers and the stream together. */
import { send, subscribe } from "/lookstream.js";
import { acknowledge } from "./card.js";
import { Catalogue } from "./catalogue.js";
import { byId, drawIcons } from "./dom.js";
import { Interests } from "./interests.js";
import { Look } from "./look.js";
import { fly, press } from "./motion.js";
import { hush, notice, sorry } from "./notices.js";
import { dropAnywhere } from "./photos.js";
import { Pulse } from "./pulse.js";
import { Shoppers } from "./shoppers.js";
import { Upload } from "./upload.js";
import { Wall, cause } from "./wall.js";

const SAID = {
  "product.viewed": "Viewed",
  "product.added_to_cart": "In the cart",
  "product.removed_from_cart": "Taken out",
  "product.purchased": "Bought",
  "product.dismissed": "Not for me",
};
const NO_DEMO =
  "Nobody shops here: the gateway does not run the demo. The collection and the look of a photo are open to all.";
const INTERESTS_AFTER_MS = 120;

let link;
let asking;
const shoppers = new Shoppers(follow);
const state = () => shoppers.current?.done ?? { cart: new Set(), bought: new Set(), viewed: new Set() };
const catalogue = new Catalogue(act, state);
const wall = new Wall(act, state);
const look = new Look(act, state);
const interests = new Interests();
const pulse = new Pulse();
const upload = new Upload((product) => catalogue.insert(product));

/** What was done with a product: shown at once, sent, and answered by a set. */
function act(type, product, card) {
  if (type === "look") return look.ofProduct(product.product_id);
  const { current } = shoppers;
  if (!current) return notice("Nobody shops here: this gateway does not run the demo.", { kind: "wrong" });
  const again = type === "product.added_to_cart" && current.done.cart.has(product.product_id);
  const kind = again ? "product.removed_from_cart" : type;
  tell(kind, current, product);
  note(kind, product.product_id, current.done);
  acknowledge(card, SAID[kind]);
  press(card.querySelector(".shot"));
  if (kind !== "product.dismissed" && !card.closest("#items, dialog")) fly(card.querySelector("img"), destination());
  if (kind === "product.dismissed") for (const list of [catalogue, wall]) list.hide(product.product_id);
  for (const list of [catalogue, wall]) list.markAll();
}

function note(kind, id, done) {
  if (kind === "product.viewed") done.viewed.add(id);
  if (kind === "product.added_to_cart") done.cart.add(id);
  if (kind === "product.purchased") done.bought.add(id);
  if (kind === "product.purchased" || kind === "product.removed_from_cart") done.cart.delete(id);
}

/** Sends an interaction of a shopper; its id tells which set answers it. */
function tell(type, { userId, token }, product) {
  const id = `${Date.now()}-${Math.random()}`;
  if (product) pulse.sent(id);
  const event = { id, type, user_id: userId };
  if (product) event.product_id = product.product_id;
  if (product?.rank && product.garment_id) event.garment_id = product.garment_id;
  if (product?.slot && wall.set) event.recommendation_id = wall.set.recommendation_id;
  send({ token, events: [event] }).then(({ accepted }) => accepted.forEach((one) => pulse.accepted(one)), sorry);
}

const destination = () => (byId("tab-wall").offsetParent ? byId("tab-wall") : byId("wall-name"));

/** From now on the wall is this shopper's. */
function follow(shopper) {
  link?.close();
  wall.clear();
  interests.clear();
  pulse.clear();
  catalogue.markAll();
  byId("wall-name").textContent = shopper.name;
  byId("tab-name").textContent = `For ${shopper.name}`;
  document.title = `lookstream for ${shopper.name}`;
  line("waiting", "Connecting");
  link = subscribe({
    userId: shopper.userId,
    token: shopper.token,
    onOpen: () => line("live", "Live"),
    onError: (error) => line("lost", error.final ? `Refused: ${error.status}` : "Reconnecting"),
    onHidden: hidden,
    onSet: (set) => shopper === shoppers.current && renew(set, shopper),
  });
  tell("shopper.arrived", shopper);
}

function renew(set, shopper) {
  const tookMs = pulse.answered(set);
  const fresh = wall.show(set);
  line("live", `Live, ${cause(set)}`);
  byId("floor").classList.add("answered");
  if (byId("floor").dataset.view === "shop") badge(fresh);
  if (tookMs !== undefined && byId("tab-wall").offsetParent && byId("floor").dataset.view === "shop") {
    notice(`Your wall moved in ${Math.round(tookMs)} ms`, { action: { label: "See it", go: () => view("wall") } });
  }
  clearTimeout(asking);
  asking = setTimeout(() => interests.renew(shopper.userId, shopper.token).catch(() => {}), INTERESTS_AFTER_MS);
}

function hidden({ product_id, reason }) {
  wall.hide(product_id);
  if (reason === "out_of_stock") catalogue.soldOut(product_id);
  else catalogue.hide(product_id);
}

function line(state, words) {
  byId("line").dataset.state = state;
  byId("line-word").textContent = words;
}

function badge(count) {
  byId("badge").hidden = !count;
  byId("badge").textContent = count;
}

/** On a phone one of the two is seen. */
function view(name) {
  hush();
  byId("floor").dataset.view = name;
  for (const tab of ["shop", "wall"]) byId(`tab-${tab}`).toggleAttribute("aria-current", tab === name);
  byId(`tab-${name}`).setAttribute("aria-current", "page");
  if (name === "wall") badge(0);
  scrollTo(0, 0);
  if (name === "shop") catalogue.masonry.layout();
}

drawIcons(document);
for (const name of ["shop", "wall"]) byId(`tab-${name}`).addEventListener("click", () => view(name));
for (const id of ["open-look", "tab-look"]) byId(id).addEventListener("click", () => look.open());
byId("open-upload").addEventListener("click", () => upload.open());
for (const skip of document.querySelectorAll(".skip")) {
  skip.addEventListener("click", () => view(skip.hash.slice(1)));
}
dropAnywhere((file) => (byId("upload").open ? upload.take(file) : look.ofPhoto(file)));
catalogue.start();
shoppers.start().catch((error) => {
  line("lost", "No demo");
  byId("open-upload").hidden = true;
  byId("nothing").textContent = error.status === 404 ? NO_DEMO : error.message;
});
