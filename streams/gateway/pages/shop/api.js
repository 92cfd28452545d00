/** Talking to the gateway. In: paths and bodies. Out: JSON; fails with Problem, which says what the gateway said. */

/** What the gateway refused, in its words. */
export class Problem extends Error {
  constructor(status, told) {
    super(told?.detail ?? told?.title ?? `The shop answered ${status}.`);
    this.status = status;
  }
}

async function request(path, init = {}) {
  const answer = await fetch(path, init);
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, told);
  return told;
}

const bearer = async (token, renew) => ({ Authorization: `Bearer ${await token(renew)}` });

/** GET; with a token function as what the token names, renewed once when refused. */
export async function read(path, token) {
  if (!token) return request(path);
  try {
    return await request(path, { headers: await bearer(token) });
  } catch (error) {
    if (error.status !== 401) throw error;
    return request(path, { headers: await bearer(token, true) });
  }
}

/** POST of a JSON body under a token. */
export async function write(path, body, token) {
  const headers = { "Content-Type": "application/json", ...(await bearer(token)) };
  return request(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** POST of a photo's bytes. */
export const show = (path, photo) =>
  request(path, { method: "POST", headers: { "Content-Type": photo.type }, body: photo });

/** A function that gives the demo's token for somebody, and a fresh one when called with true. */
export function demoToken(whom) {
  let pending;
  return (renew = false) => {
    if (!pending || renew) {
      pending = request("/v1/demo/token", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(whom),
      }).then(({ token }) => token);
      pending.catch(() => (pending = undefined));
    }
    return pending;
  };
}

const known = new Map();

/** A product by id, remembered. */
export function product(id) {
  if (!known.has(id)) {
    const asked = read(`/v1/products/${encodeURIComponent(id)}`);
    asked.catch(() => known.delete(id));
    known.set(id, asked);
  }
  return known.get(id);
}

/** Remembers products that came with a list. */
export const remember = (products) => {
  for (const one of products) known.set(one.product_id, Promise.resolve(one));
};

/** A photo of the shop at a width: 160, 320 or 640 pixels; photos from elsewhere as they are. */
export const sized = (image, width) => (image?.startsWith("/media/") ? `${image}?w=${width}` : image);
