/** The operator's page. In: the gateway's /v1/operator. Out: the board, brought up to date every two seconds. */

import { Problem, demoToken, read } from "../shop/api.js";
import { byId, h } from "../shop/dom.js";
import { showAgents } from "./agents.js";
import { FlowBoard } from "./flow.js";
import { showLatency } from "./latency.js";
import { Letters } from "./letters.js";
import { EmbeddingMap } from "./map.js";

const EVERY_MS = 2000;
const MAP_EVERY_MS = 60_000;
const KEPT = "lookstream-operator-token";

const flow = new FlowBoard(byId("flow"), byId("flow-table"));
const letters = new Letters(byId("letters-list"), byId("letters-note"), byId("letters-said"));
const map = new EmbeddingMap(byId("map"), byId("legend"), byId("map-note"), byId("map-details"), byId("map-table"));
let token = null;
let paused = false;
let mapAt = -Infinity;
let deadLetters = null;

function line(state, word) {
  byId("line").dataset.state = state;
  if (byId("line-word").textContent !== word) byId("line-word").textContent = word;
}

const count = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));

function tiles(status) {
  const rate = Object.values(status.throughput).reduce((sum, one) => sum + one, 0);
  const lag = status.agents.reduce((sum, agent) => sum + Object.values(agent.lag).reduce((a, b) => a + b, 0), 0);
  const { p50 } = status.latency_ms.event_to_recommendation;
  const shown = [
    ["products", count(status.counts.products)],
    ["garments", count(status.counts.garments)],
    ["shoppers", count(status.counts.tastes)],
    ["subscribers", count(status.subscribers)],
    ["records a second", rate.toFixed(1)],
    ["not read yet", count(lag)],
    ["event to set, median", p50 === null ? "–" : `${Math.round(p50)} ms`],
    ["dead letters", count(status.dead_letters), status.dead_letters > 0 ? "bad" : ""],
  ];
  byId("tiles").replaceChildren(
    ...shown.map(([name, value, kind]) => h("div", { class: kind || null }, h("dt", {}, name), h("dd", {}, value))),
  );
}

function models({ version, detector, embedder, workers }) {
  const other = workers.filter((one) => one.version !== version || one.embedder !== embedder || one.detector !== detector);
  const said = [`lookstream ${version}`, `detector ${detector}`, `embedder ${embedder}`].map((text) => h("span", {}, text));
  for (const one of other) {
    const text = `${one.worker || "a worker"}: ${one.version}, ${one.detector}, ${one.embedder}`;
    said.push(h("span", { class: "bad" }, text));
  }
  byId("model").replaceChildren(...said);
}

async function refresh() {
  const status = await read("/v1/operator/status", token);
  tiles(status);
  models(status.model);
  byId("problems").replaceChildren(...status.problems.map((text) => h("li", {}, text)));
  flow.show(status.throughput);
  showAgents(byId("agents"), status.agents);
  showLatency(byId("latency"), byId("stages"), byId("latency-table"), status.latency_ms);
  if (status.dead_letters !== deadLetters) {
    letters.show(await read("/v1/operator/dead-letters?limit=50", token), status.dead_letters, token);
    deadLetters = status.dead_letters;
  }
  if (performance.now() - mapAt > MAP_EVERY_MS && !map.busy()) {
    map.show(await read("/v1/operator/map?limit=1500", token));
    mapAt = performance.now();
  }
  byId("board").hidden = false;
  const wrong = status.problems.length ? "lost" : "live";
  line(wrong, status.problems.length ? "Not all answers" : "Live");
}

async function run() {
  if (!paused && !document.hidden) {
    try {
      await refresh();
    } catch (error) {
      if (error instanceof Problem && [401, 403].includes(error.status)) return ask(error.message);
      line("lost", error instanceof Problem ? error.message : "The gateway does not answer");
    }
  }
  setTimeout(run, EVERY_MS);
}

/** Ask for a token; there is none, or it was refused. */
function ask(refused) {
  sessionStorage.removeItem(KEPT);
  byId("board").hidden = true;
  byId("token-form").hidden = false;
  byId("token-refused").textContent = refused;
  line("waiting", "Waiting for a token");
  byId("token").focus();
}

function open(given) {
  token = async () => given;
  byId("token-form").hidden = true;
  line("waiting", "Connecting");
  run();
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = byId("token").value.trim();
  byId("token").value = "";
  if (!/^[\x21-\x7e]+$/.test(given)) return ask("That is no token.");
  sessionStorage.setItem(KEPT, given);
  open(given);
});

byId("pause").addEventListener("click", (event) => {
  paused = !paused;
  event.currentTarget.setAttribute("aria-pressed", paused);
  line(paused ? "waiting" : "live", paused ? "Paused" : "Live");
});

async function start() {
  const kept = sessionStorage.getItem(KEPT);
  if (kept) return open(kept);
  try {
    await read("/v1/demo");
    token = demoToken({ operator: true });
    return run();
  } catch (error) {
    ask(error instanceof Problem ? "" : "The gateway does not answer.");
  }
}

start();
