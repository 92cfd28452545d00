/** Building elements. In: names, properties, children. Out: elements; text is always text, never markup. */

/** An element: `h("button", {class: "pill", onclick: go, dataset: {id}}, "Go")`. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const STROKES = {
  camera:
    "M4 8.5A1.5 1.5 0 0 1 5.5 7H8l1.5-2.5h5L16 7h2.5a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5h-13" +
    "A1.5 1.5 0 0 1 4 17.5zM12 16.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4z",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  back: "M14.5 5.5L8 12l6.5 6.5",
  grid: "M4.5 4.5h6v8h-6zM13.5 4.5h6v4.5h-6zM13.5 12h6v7.5h-6zM4.5 15.5h6v4h-6z",
  spark: "M12 4l1.9 5.1L19 11l-5.1 1.9L12 18l-1.9-5.1L5 11l5.1-1.9zM18.5 16v4M16.5 18h4",
  cart: "M6.5 8.5h11l1 11h-13zM9 8.5V7.5a3 3 0 0 1 6 0v1",
  buy: "M4 7h16v10.5H4zM4 10.8h16M7.5 14.3h3.5",
  dismiss: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  look:
    "M4.5 9V5.5a1 1 0 0 1 1-1H9M15 4.5h3.5a1 1 0 0 1 1 1V9M19.5 15v3.5a1 1 0 0 1-1 1H15" +
    "M9 19.5H5.5a1 1 0 0 1-1-1V15M12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  arrow: "M5 12h14M13 6l6 6-6 6",
};

/** A line drawing of 24 × 24, hidden from screen readers. */
export function icon(name) {
  const path = svg("path", { d: STROKES[name] });
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, path);
}

/** Replaces the page's `<span data-icon>`s by drawings. */
export function drawIcons(root) {
  for (const place of root.querySelectorAll("[data-icon]")) place.replaceWith(icon(place.dataset.icon));
}

/** "€49.90", or nothing. */
export function money(price) {
  if (!price) return "";
  const style = { style: "currency", currency: price.currency };
  try {
    return new Intl.NumberFormat(document.documentElement.lang, style).format(price.value);
  } catch {
    return `${price.value} ${price.currency}`;
  }
}

/** A share, 0 to 1, as a bar. */
export function weight(share) {
  const bar = h("span", { class: "weight", "aria-hidden": "true" }, h("i"));
  bar.firstElementChild.style.width = `${Math.max(4, 100 * share)}%`;
  return bar;
}

const PARTS = {
  upper: "Tops",
  lower: "Bottoms",
  full_body: "Dresses",
  footwear: "Shoes",
  bag: "Bags",
  headwear: "Hats",
  accessory: "Accessories",
  whole: "Whole looks",
};

/** What a shopper calls a part. */
export const partName = (part) => PARTS[part] ?? part;
export const PART_ORDER = Object.keys(PARTS);

/** "long_sleeve_top" as words. */
export const words = (name) => (name ?? "").replaceAll("_", " ");

/** What a product is called, wherever it has no title. */
export const titleOf = (product) => product.title || words(product.category) || product.product_id;
