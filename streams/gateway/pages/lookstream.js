// For web pages: sets come in live, interactions go out. See docs/frontend.md.

// refused (401), once more with a fresh token: token(true)
async function call(path, token, init, renew) {
  const Authorization = "Bearer " + (token.call ? await token(renew) : token);
  const answer = await fetch(path, { ...init, headers: { ...init.headers, Authorization } });
  const { status } = answer;
  if (answer.ok) return answer;
  if (status == 401 && token.call && !renew) return call(path, token, init, true);
  const final = status < 500 && status != 429;
  const waitMs = 1000 * answer.headers.get("Retry-After");
  throw Object.assign(Error(await answer.text()), { status, final, waitMs });
}

async function insist(task, tries, onError) {
  for (const state = { failed: 0 }; ; ) {
    try {
      return await task(state);
    } catch (error) {
      onError?.(error);
      if (error.final || ++state.failed >= tries) throw error;
      const ms = Math.random() * Math.min(500 * 2 ** state.failed, 3e4);
      await new Promise((done) => setTimeout(done, error.waitMs || ms));
    }
  }
}

// onSet(set) for each set newer than the last, through all interruptions, until close()
export function subscribe({ url = "", userId, token, onSet, onHidden, onOpen, onError }) {
  const path = `${url}/v1/shoppers/${encodeURIComponent(userId)}/recommendations/stream`;
  const closing = new AbortController();
  const { signal } = closing;
  let newest = 0;

  function take({ event, data = "{}" }) {
    const told = JSON.parse(data);
    if (event == "product.hidden") onHidden?.(told);
    else if (told.items && told.revision > newest) onSet(told, (newest = told.revision));
  }

  async function listen(state) {
    if (signal.aborted) return;
    const { body } = await call(path, token, { headers: { "Last-Event-ID": newest }, signal });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    onOpen?.();
    for (let text = "", event = {}; ; ) {
      const timer = setTimeout(() => reader.cancel(), 45e3);
      const { value, done } = await reader.read().finally(() => clearTimeout(timer));
      if (done) throw Error("ended");
      state.failed = 0;
      const lines = (text + value).split(/\r?\n/);
      text = lines.pop();
      for (const line of lines) {
        const [field, value] = line.split(/: ?(.*)/s);
        if (line) event[field] = value;
        else take(event), (event = {});
      }
    }
  }

  insist(listen, 1 / 0, (error) => signal.aborted || onError?.(error)).catch(() => {});
  return { close: () => closing.abort() };
}

// tries again under the same ids, so that no event counts twice
export function send({ url = "", token, events }) {
  const body = JSON.stringify(events.map((e) => ({ id: `${Date.now()}-${Math.random()}`, ...e })));
  const init = { method: "POST", keepalive: true, body, headers: { "Content-Type": "application/json" } };
  return insist(async () => (await call(url + "/v1/interactions", token, init)).json(), 6);
}
