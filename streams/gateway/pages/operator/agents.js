/** The agents as a table. In: the status' agents. Out: rows, in place. */

import { h } from "../shop/dom.js";

/** Seconds in words: "3 s ago". */
export function ago(seconds) {
  if (seconds === null) return "not yet";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

/** How an agent does: a word and a class. */
export function state(agent) {
  const lag = Object.values(agent.lag).reduce((sum, one) => sum + one, 0);
  if (!agent.workers_ready) return ["no worker", "bad"];
  if (lag > 0 && (agent.last_progress_s_ago ?? Infinity) > 60) return ["stuck?", "bad"];
  return lag > 100 ? ["behind", "slow"] : ["running", "good"];
}

const HEAD = ["Agent", "Last finished", "Not read yet"];

/** Fill `place` with a table of the agents. */
export function showAgents(place, agents) {
  const rows = agents.map((agent) => {
    const [word, kind] = state(agent);
    const lag = Object.entries(agent.lag).map(([topic, n]) =>
      h("li", { class: n ? "some" : null }, h("span", {}, topic), " ", h("b", {}, n.toLocaleString("en"))),
    );
    const name = h("th", { scope: "row" }, agent.name, h("small", {}, `${agent.app} · ${agent.about}`));
    return h(
      "tr",
      {},
      name,
      h("td", {}, h("span", { class: `state ${kind}` }, word), h("span", { class: "when" }, ago(agent.last_progress_s_ago))),
      h("td", {}, lag.length ? h("ul", { class: "lag" }, lag) : "–"),
    );
  });
  const head = h("thead", {}, h("tr", {}, HEAD.map((text) => h("th", { scope: "col" }, text))));
  place.replaceChildren(h("table", {}, h("caption", { class: "unseen" }, "Agents"), head, h("tbody", {}, rows)));
}
