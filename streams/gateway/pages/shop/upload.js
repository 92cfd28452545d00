/** Adding a product. In: a photo and a title. Out: the product, in the catalogue as soon as it is searchable. */
import { demoToken, read, write } from "./api.js";
import { byId } from "./dom.js";
import { notice, sorry } from "./notices.js";
import { dropZone, inline, prepared } from "./photos.js";
import { sheet } from "./sheet.js";

const SIDE_PX = 1600;
const INLINE_BYTES = 1_500_000;
const NEWEST = 24; // the newest come first
const ASK_AGAIN_MS = 150;
const SEARCHABLE_WITHIN_MS = 30_000;

const asked = (ms) => new Promise((done) => setTimeout(done, ms));

export class Upload {
  /** `arrived(product)` is called once the product is searchable. */
  constructor(arrived) {
    this.arrived = arrived;
    this.token = demoToken({ operator: true });
    this.open = sheet(byId("upload"), () => this.reset());
    dropZone(byId("upload-drop"), byId("upload-file"), (file) => this.take(file));
    byId("upload-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send().catch((error) => this.wrong(error.message));
    });
  }

  reset() {
    this.photo = undefined;
    byId("upload-form").reset();
    byId("upload-preview").hidden = true;
    byId("upload-preview").removeAttribute("src");
    this.wrong("");
    this.busy(false);
  }

  wrong(text) {
    byId("upload-problem").textContent = text;
    this.busy(false);
  }

  busy(busy) {
    byId("upload-send").disabled = busy;
    byId("upload-send").textContent = busy ? "On its way …" : "Put it in the shop";
  }

  async take(file) {
    try {
      this.photo = await inline(await prepared(file, SIDE_PX, INLINE_BYTES));
      byId("upload-preview").src = this.photo;
      byId("upload-preview").hidden = false;
      this.wrong("");
      byId("upload-name").focus();
    } catch (error) {
      this.wrong(error.message);
    }
  }

  async send() {
    const title = byId("upload-name").value.trim();
    if (!this.photo) return this.wrong("It needs a photo.");
    if (!title) {
      byId("upload-name").focus();
      return this.wrong("It needs a title.");
    }
    const price = byId("upload-price").valueAsNumber;
    const id = `upload-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`;
    const sent = { id, title, image_link: this.photo };
    if (price >= 0) sent.price = { value: price, currency: "EUR" };
    this.busy(true);
    const begun = performance.now();
    await write("/v1/products", sent, this.token);
    byId("upload").close();
    this.follow(id, title, begun).catch(sorry);
  }

  /** Asks until the product is searchable. */
  async follow(id, title, begun) {
    while (performance.now() - begun < SEARCHABLE_WITHIN_MS) {
      const { products } = await read(`/v1/products?limit=${NEWEST}`);
      const found = products.find(({ product_id }) => product_id === id);
      if (found) {
        notice(`${title} is in the shop, searchable after ${((performance.now() - begun) / 1000).toFixed(1)} s.`);
        return this.arrived(found);
      }
      await asked(ASK_AGAIN_MS);
    }
    notice(`${title} was taken, but is not searchable yet.`, { kind: "wrong" });
  }
}
