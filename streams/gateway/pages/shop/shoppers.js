/** Who shops. In: the demo's shoppers. Out: the one chosen, in this tab; the address remembers it. */
import { demoToken, read } from "./api.js";
import { byId, h } from "./dom.js";

const nobody = () => ({ cart: new Set(), bought: new Set(), viewed: new Set() });

function shopper(user_id, name, likes) {
  return { userId: user_id, name, likes, token: demoToken({ user_id }), done: nobody() };
}

const isNew = (userId) => userId?.startsWith("new-");

/** The switch; `chosen(shopper)` is called for every change. */
export class Shoppers {
  constructor(chosen) {
    this.chosen = chosen;
    this.all = new Map();
    this.current = null;
    byId("who-new").addEventListener("click", () => this.makeNew());
  }

  /** Reads the demo's shoppers and takes the one in the address, or the first; Problem 404 without a demo. */
  async start() {
    const { shoppers } = await read("/v1/demo");
    for (const { user_id, name, likes } of shoppers) this.add(shopper(user_id, name, likes));
    const asked = new URLSearchParams(location.search).get("shopper");
    if (isNew(asked) && !this.all.has(asked)) this.add(shopper(asked, this.newName()));
    const first = this.all.get(asked) ?? this.all.values().next().value;
    if (first) this.choose(first);
    else this.makeNew();
  }

  newName() {
    const before = [...this.all.keys()].filter(isNew).length;
    return before ? `You ${before + 1}` : "You";
  }

  makeNew() {
    const made = shopper(`new-${Math.random().toString(36).slice(2, 10)}`, this.newName());
    this.add(made);
    this.choose(made);
    byId(`who-${made.userId}`).focus();
  }

  add(one) {
    this.all.set(one.userId, one);
    const id = `who-${one.userId}`;
    const choose = () => this.choose(one);
    const input = h("input", { type: "radio", name: "who", class: "unseen", id, value: one.userId, onchange: choose });
    const face = h("span", { class: "face", "aria-hidden": "true" }, one.name[0]);
    face.style.setProperty("--hue", hue(this.all.size - 1));
    const title = one.likes ? `${one.name} likes: ${one.likes}. Nobody told lookstream.` : null;
    byId("who-list").append(h("label", { class: "one", title }, input, face, h("span", {}, one.name)));
  }

  choose(one) {
    byId(`who-${one.userId}`).checked = true;
    if (one === this.current) return;
    this.current = one;
    const address = new URL(location);
    address.searchParams.set("shopper", one.userId);
    history.replaceState(null, "", address);
    this.chosen(one);
  }
}

const HUES = [38, 350, 222, 160, 280, 95, 15, 195];
const hue = (at) => HUES[at % HUES.length];
