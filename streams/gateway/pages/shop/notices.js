/** What the page says. Out: one short notice at a time, which goes by itself; words for screen readers. */
import { byId, h } from "./dom.js";

const SHOWN_MS = 5000;
const SPOKEN_APART_MS = 2500;

/** Shows a notice; an action is {label, go}. */
export function notice(text, { kind = "", action } = {}) {
  const place = byId("notices");
  const leave = () => {
    if (!card.isConnected) return;
    card.remove();
    place.hidePopover();
  };
  const button = action && h("button", { type: "button", onclick: () => (action.go(), leave()) }, action.label);
  const role = kind === "wrong" ? "alert" : "status";
  const card = h("div", { class: `notice ${kind}`, role }, h("span", {}, text), button);
  card.addEventListener("leave", leave);
  place.replaceChildren(card);
  if (place.matches(":popover-open")) place.hidePopover(); // again, to be above a dialog opened since
  place.showPopover();
  setTimeout(leave, SHOWN_MS);
}

/** Takes the notice away. */
export const hush = () => byId("notices").firstElementChild?.dispatchEvent(new Event("leave"));

export const sorry = (error) => notice(error.message, { kind: "wrong" });

let next = "";
let resting;

/** Says something politely; of many sayings in a short time only the last. */
export function say(text) {
  next = text;
  if (resting) return;
  byId("spoken").textContent = next;
  next = "";
  resting = setTimeout(() => {
    resting = undefined;
    if (next) say(next);
  }, SPOKEN_APART_MS);
}
