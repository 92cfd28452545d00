/** Dialogs over the page. In: a `<dialog>`. Out: it opens, and closes by Escape, its button or a click beside it. */

/** Makes a dialog close as readers expect; `closed` is called after. */
export function sheet(dialog, closed = () => {}) {
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", closed);
  return () => dialog.open || dialog.showModal();
}
