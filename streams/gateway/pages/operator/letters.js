/** The dead letters. In: summaries of the newest. Out: a list with reasons, and each sent back on request. */

import { write } from "../shop/api.js";
import { h } from "../shop/dom.js";

const when = (time) => new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const short = (name) => name.split(".").at(-1);
const bytes = (size) => (size < 1000 ? `${size} bytes` : size < 1e6 ? `${(size / 1000).toFixed(1)} kB` : `${(size / 1e6).toFixed(1)} MB`);

export class Letters {
  constructor(list, note, said) {
    this.list = list;
    this.note = note;
    this.said = said;
    this.replayed = new Map();
    this.open = new Set();
  }

  show({ dead_letters: letters }, total, token) {
    this.token = token;
    this.note.textContent = total
      ? `What could not be processed, the newest ${Math.min(total, letters.length)} of ${total}. Replaying sends the original back to its topic; doing it twice is harmless.`
      : "Everything could be processed.";
    const focused = document.activeElement?.closest("li")?.dataset.place;
    this.list.replaceChildren(...letters.map((letter) => this.item(letter)));
    if (focused) this.list.querySelector(`[data-place="${focused}"] button`)?.focus();
  }

  item(letter) {
    const place = `${letter.partition}/${letter.offset}`;
    const details = h(
      "details",
      { open: this.open.has(place) },
      h("summary", {}, `Value, ${bytes(letter.size)}`),
      h("pre", { tabindex: "0", "aria-label": "The beginning of the value" }, letter.preview || "(nothing)"),
      h("p", { class: "where" }, `dead letter ${place} · ${letter.exception}`),
    );
    details.addEventListener("toggle", () => this.open[details.open ? "add" : "delete"](place));
    const facts = [
      h("time", { datetime: letter.time }, when(letter.time)),
      h("span", { class: "topic-tag" }, letter.topic || "unknown topic"),
      h("span", { class: "topic-tag quiet" }, letter.stage || "unknown stage"),
      h("span", { class: "key" }, letter.key ?? "no key"),
    ];
    const why = h("p", { class: "reason" }, h("b", {}, short(letter.exception) || "Unknown"), ` ${letter.message}`);
    return h("li", { dataset: { place } }, h("div", { class: "facts" }, facts), why, details, this.action(letter, place));
  }

  action(letter, place) {
    const done = this.replayed.get(place);
    const said = h("span", { class: `outcome ${done?.kind ?? ""}` }, done?.text ?? "");
    const button = h(
      "button",
      {
        class: "pill",
        type: "button",
        disabled: !letter.replayable,
        title: letter.replayable ? null : "It does not say where it came from, or its value was too large to keep",
        "aria-label": `Replay dead letter ${place} of ${letter.topic}, key ${letter.key ?? "none"}`,
      },
      "Replay",
    );
    button.addEventListener("click", () => this.replay(letter, place, button, said));
    return h("div", { class: "act" }, button, said);
  }

  async replay(letter, place, button, said) {
    button.disabled = true;
    try {
      const path = `/v1/operator/dead-letters/${letter.partition}/${letter.offset}/replay`;
      const { accepted } = await write(path, {}, this.token);
      const [{ topic, partition, offset }] = accepted;
      this.replayed.set(place, { kind: "good", text: `Replayed as ${topic} ${partition}/${offset}` });
    } catch (error) {
      this.replayed.set(place, { kind: "bad", text: error.message });
    }
    button.disabled = false;
    const { kind, text } = this.replayed.get(place);
    said.className = `outcome ${kind}`;
    said.textContent = text;
    this.said.textContent = `Dead letter ${place}: ${text}`;
  }
}
