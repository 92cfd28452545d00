/**
 * Cards by keyboard. In: a list of cards. Tab enters the list at one card and its buttons and leaves it
 * again; arrows, Home and End move between cards; letters do what the card's buttons do.
 */
import { DEEDS } from "./card.js";

const TOWARDS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The card nearest to `from` in a direction, sideways distance counting more. */
function neighbour(from, cards, [dx, dy]) {
  const at = from.getBoundingClientRect();
  let best;
  let least = Infinity;
  for (const other of cards) {
    if (other === from) continue;
    const to = other.getBoundingClientRect();
    const x = to.left + to.width / 2 - at.left - at.width / 2;
    const y = to.top + to.height / 2 - at.top - at.height / 2;
    const ahead = dx * x + dy * y;
    const aside = Math.abs(dx ? y : x);
    if (ahead < 8 || aside > (dx ? at.height : at.width)) continue;
    if (ahead + 3 * aside < least) [best, least] = [other, ahead + 3 * aside];
  }
  return best;
}

/** Makes a list of cards one stop of the Tab key. */
export class CardKeys {
  constructor(list) {
    this.list = list;
    this.current = null;
    list.addEventListener("focusin", ({ target }) => this.enter(target.closest(".card")));
    list.addEventListener("keydown", (event) => this.pressed(event));
  }

  /** Call after cards came or went: exactly one of them stays reachable, the focus is not lost. */
  refresh() {
    const cards = this.cards();
    if (!cards.includes(this.current)) this.enter(cards[Math.min(this.index ?? 0, cards.length - 1)]);
    else this.index = cards.indexOf(this.current);
  }

  /** Where the focus goes when the card that has it goes. */
  handOver(leaving) {
    const cards = this.cards();
    const at = cards.indexOf(leaving);
    const heir = cards[at + 1] ?? cards[at - 1];
    if (!heir) return;
    const focused = leaving.contains(document.activeElement);
    if (this.current === leaving) this.enter(heir);
    if (focused) heir.querySelector(".shot").focus({ preventScroll: true });
  }

  cards() {
    return [...this.list.children].filter((child) => child.matches(".card:not(.leaving)"));
  }

  enter(card) {
    if (!card || card === this.current) return;
    for (const button of this.current?.querySelectorAll("button") ?? []) button.tabIndex = -1;
    for (const button of card.querySelectorAll("button")) button.tabIndex = 0;
    this.current = card;
    this.index = this.cards().indexOf(card);
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const from = event.target.closest(".card");
    const deed = DEEDS.find(({ key }) => key === event.key.toLowerCase());
    const cards = this.cards();
    const to =
      event.key === "Home" ? cards[0]
      : event.key === "End" ? cards.at(-1)
      : TOWARDS[event.key] && neighbour(from, cards, TOWARDS[event.key]);
    if (deed) from.querySelector(`.deed.${deed.name}`).click();
    else if (to) to.querySelector(".shot").focus();
    else if (!TOWARDS[event.key]) return;
    event.preventDefault();
  }
}
