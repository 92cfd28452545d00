/**
 * Photos with boxes. In: a photo's address, its size and a box in its pixels. Out: elements.
 *
 * Boxes come in pixels of the upright source photo, photos are shown scaled and cropped: everything is
 * placed in percent of the frame, so that it holds at any size of the frame.
 */
import { product, sized } from "./api.js";
import { h } from "./dom.js";

const WHOLE = 0.94; // a box that covers this much of the photo says nothing

/** How a photo covers a frame of an aspect ratio (width / height), looking at the box: CSS percentages. */
function covering(photo, ratio, box) {
  const own = photo.width / photo.height;
  const [wide, high] = own > ratio ? [own / ratio, 1] : [1, ratio / own];
  const middle = box ? [(box[0] + box[2]) / 2 / photo.width, (box[1] + box[3]) / 2 / photo.height] : [0.5, 0.5];
  const offset = (size, at) => Math.min(0, Math.max(1 - size, 0.5 - at * size));
  return { wide, high, left: offset(wide, middle[0]), top: offset(high, middle[1]) };
}

/** Like covering, but so close that the box fills the frame. */
function closeUp(photo, ratio, box) {
  const margin = 0.08;
  const width = ((box[2] - box[0]) / photo.width) * (1 + margin);
  const height = ((box[3] - box[1]) / photo.height) * (1 + margin);
  const own = photo.width / photo.height;
  const wide = Math.max(Math.min(1 / width, own / (ratio * height)), Math.max(1, own / ratio));
  const high = (wide * ratio) / own;
  const middle = [(box[0] + box[2]) / 2 / photo.width, (box[1] + box[3]) / 2 / photo.height];
  const offset = (size, at) => Math.min(0, Math.max(1 - size, 0.5 - at * size));
  return { wide, high, left: offset(wide, middle[0]), top: offset(high, middle[1]) };
}

const percent = (share) => `${(100 * share).toFixed(3)}%`;

function place(element, left, top, wide, high) {
  Object.assign(element.style, { left: percent(left), top: percent(top), width: percent(wide), height: percent(high) });
}

const telling = (box, photo) =>
  box && ((box[2] - box[0]) * (box[3] - box[1])) / (photo.width * photo.height) < WHOLE;

/** Puts an element where a box of the photo lies in a frame that shows the photo so. */
export function placeBox(element, box, photo, shown = { wide: 1, high: 1, left: 0, top: 0 }) {
  const { wide, high, left, top } = shown;
  const [x0, y0, x1, y1] = box;
  const within = (at, size, start) => Math.min(0.985, Math.max(0.015, (at / size[0]) * size[1] + start));
  const [w, v] = [[photo.width, wide], [photo.height, high]];
  const [l, t, r, b] = [within(x0, w, left), within(y0, v, top), within(x1, w, left), within(y1, v, top)];
  place(element, l, t, r - l, b - t);
}

/**
 * A frame of an aspect ratio with a photo and, once the photo's size is known, its box.
 * `of` is {image, photo, box_xyxy, product_id}; near shows the box's inside only, and no outline.
 */
export function picture(of, { alt, ratio, width, near = false, eager = false }) {
  const loading = eager ? "eager" : "lazy";
  const photo = h("img", { src: sized(of.image, width), alt, loading, decoding: "async", draggable: "false" });
  const frame = h("span", { class: "frame" }, photo);
  frame.style.aspectRatio = ratio;
  const settle = (size) => {
    if (!size) return;
    const box = telling(of.box_xyxy, size);
    const shown = (near && box ? closeUp : covering)(size, ratio, of.box_xyxy);
    photo.classList.add("placed");
    place(photo, shown.left, shown.top, shown.wide, shown.high);
    if (near || !box) return;
    const outline = h("span", { class: "box" });
    placeBox(outline, of.box_xyxy, size, shown);
    frame.append(outline);
  };
  if (of.photo) settle(of.photo);
  else if (of.product_id) product(of.product_id).then((known) => settle(known.photo), () => {});
  return frame;
}
