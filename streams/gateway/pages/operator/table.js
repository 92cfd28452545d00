/** Tables behind the charts. In: a caption, heads, rows of texts. Out: a table whose first column names the row. */

import { h } from "../shop/dom.js";

export function table(caption, heads, rows) {
  const head = h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text))));
  const body = rows.map(([name, ...cells]) =>
    h("tr", {}, h("th", { scope: "row" }, name), cells.map((text) => h("td", {}, text))),
  );
  return h("table", {}, h("caption", { class: "unseen" }, caption), head, h("tbody", {}, body));
}
