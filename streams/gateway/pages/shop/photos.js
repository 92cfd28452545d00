/** Photos of the reader's. In: files, dropped, pasted or chosen. Out: photos that the gateway takes. */
import { byId } from "./dom.js";

const TAKEN = new Set(["image/jpeg", "image/png", "image/webp"]);
const LARGEST_BYTES = 15_000_000;

/** The file as it is where the gateway takes it; else drawn again as a JPEG of at most so many pixels a side. */
export async function prepared(file, sidePx = 4000, largestBytes = LARGEST_BYTES) {
  if (TAKEN.has(file.type) && file.size <= largestBytes) return file;
  let photo;
  try {
    photo = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || "This file"} cannot be read as a photo. JPEG, PNG and WebP can.`);
  }
  const scale = Math.min(1, sidePx / Math.max(photo.width, photo.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(photo.width * scale), Math.round(photo.height * scale)];
  canvas.getContext("2d").drawImage(photo, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
}

/** A blob as a data: URI. */
export const inline = (blob) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });

const filesOf = (transfer) => [...(transfer?.files ?? [])];

/** Takes the photos dropped on or chosen in a `<label class="drop">`. */
export function dropZone(label, input, take) {
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0]);
    input.value = "";
  });
  label.addEventListener("dragover", (event) => {
    event.preventDefault();
    label.classList.add("over");
  });
  for (const end of ["dragleave", "drop"]) label.addEventListener(end, () => label.classList.remove("over"));
}

/** Takes photos dropped anywhere on the page, or pasted; `take` decides where they go. */
export function dropAnywhere(take) {
  const curtain = byId("curtain");
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const shown = (change) => {
    depth = Math.max(0, depth + change);
    curtain.hidden = depth === 0 || document.querySelector("dialog[open]") !== null;
  };
  addEventListener("dragenter", (event) => carries(event) && shown(1));
  addEventListener("dragleave", (event) => carries(event) && shown(-1));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    shown(-depth);
    const [file] = filesOf(event.dataTransfer);
    if (file) take(file);
  });
  addEventListener("paste", (event) => {
    const [file] = filesOf(event.clipboardData);
    if (file) take(file);
  });
}
