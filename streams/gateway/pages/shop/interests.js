/** What the shopper seems to like. In: interests of the gateway, strongest first. Out: clusters of exemplars. */
import { read } from "./api.js";
import { byId, h, partName, titleOf, weight } from "./dom.js";
import { rearrange } from "./motion.js";
import { picture } from "./picture.js";

const SHOWN = 6;
const EXEMPLARS = 3;
const RATIO = 3 / 4;

function cluster({ part, share, weight: sum, exemplars }) {
  const stack = exemplars.slice(0, EXEMPLARS).map((one) =>
    h("span", { class: "exemplar" }, picture(one, { alt: titleOf(one), ratio: RATIO, width: 160, near: true })),
  );
  return h(
    "li",
    { class: "cluster", title: `weight ${sum.toFixed(1)}`, dataset: { key: key({ part, exemplars }) } },
    h("span", { class: "stack" }, stack),
    h("span", { class: "cluster-name" }, partName(part), h("b", {}, `${Math.round(100 * share)} %`)),
    weight(share),
  );
}

const key = ({ part, exemplars }) => `${part} ${exemplars[0]?.garment_id}`;

/** The row above the wall. */
export class Interests {
  constructor() {
    this.list = byId("clusters");
    this.turn = 0;
  }

  /** Reads and shows them; of several calls under way only the last shows. */
  async renew(userId, token) {
    const turn = ++this.turn;
    const told = await read(`/v1/shoppers/${encodeURIComponent(userId)}/interests`, token);
    if (turn !== this.turn) return;
    const shown = new Map([...this.list.children].map((one) => [one.dataset.key, one]));
    const wanted = told.interests.filter(({ exemplars }) => exemplars.length).slice(0, SHOWN);
    rearrange(this.list, () => this.list.replaceChildren(...wanted.map((interest) => this.kept(shown, interest))));
    this.list.parentElement.classList.toggle("some", wanted.length > 0);
  }

  /** The element shown before for the same cluster, with new contents, so that it moves. */
  kept(shown, interest) {
    const made = cluster(interest);
    const before = shown.get(made.dataset.key);
    if (!before) return made;
    before.replaceChildren(...made.childNodes);
    return before;
  }

  /** Empties the row, for somebody else. */
  clear() {
    this.turn++;
    this.list.replaceChildren();
    this.list.parentElement.classList.remove("some");
  }
}
