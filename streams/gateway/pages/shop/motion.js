/** Movement: things go where they go in front of the eyes, unless the reader asked for less motion. */

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const EASE = "cubic-bezier(.2, .8, .2, 1)";

const visible = (box) => box.bottom > -200 && box.top < innerHeight + 200 && box.width > 0;

/** Fades an element out, then removes it. */
export async function leave(element, scale = 0.92) {
  if (!calm.matches && visible(element.getBoundingClientRect())) {
    const gone = { opacity: 0, scale };
    await element.animate(gone, { duration: 260, easing: EASE, fill: "forwards" }).finished.catch(() => {});
  }
  element.remove();
}

/** Runs `change`, which adds, removes and reorders children; then moves each from where it was (FLIP). */
export function rearrange(container, change) {
  if (calm.matches) return change();
  const before = new Map([...container.children].map((child) => [child, child.getBoundingClientRect()]));
  for (const child of before.keys()) for (const running of child.getAnimations()) running.cancel();
  change();
  let entering = 0;
  for (const child of container.children) {
    const now = child.getBoundingClientRect();
    const was = before.get(child);
    if (!visible(now) && !(was && visible(was))) continue;
    if (was) move(child, was.left - now.left, was.top - now.top);
    else enter(child, 40 + 24 * Math.min(entering++, 10));
  }
}

function move(element, x, y) {
  if (Math.abs(x) + Math.abs(y) < 1) return;
  element.animate({ translate: [`${x}px ${y}px`, "0 0"] }, { duration: 560, easing: EASE });
}

function enter(element, delay) {
  const from = { opacity: 0, scale: 0.86 };
  element.animate([from, { opacity: 1, scale: 1 }], { duration: 420, delay, easing: EASE, fill: "backwards" });
}

/** A copy of a photo flies to where its consequence is seen. */
export function fly(photo, target) {
  const from = photo.getBoundingClientRect();
  const to = target.getBoundingClientRect();
  if (calm.matches || !to.width) return;
  const copy = photo.cloneNode();
  copy.className = "flying";
  copy.alt = "";
  for (const side of ["left", "top", "width", "height"]) copy.style[side] = `${from[side]}px`;
  document.body.append(copy);
  const x = to.left + to.width / 2 - from.left - from.width / 2;
  const y = to.top + to.height / 2 - from.top - from.height / 2;
  const end = { translate: `${x}px ${y}px`, scale: 0.12, opacity: 0 };
  const path = [{ opacity: 0.95 }, { opacity: 0.7, offset: 0.7 }, end];
  copy.animate(path, { duration: 620, easing: "cubic-bezier(.5, 0, .2, 1)" }).finished.finally(() => copy.remove());
}

/** A short answer to a press. */
export function press(element) {
  if (!calm.matches) element.animate({ scale: [1, 0.965, 1] }, { duration: 260, easing: EASE });
}
