// The page: asks for the form, keeps the plan drawn, starts exactly that plan, and shows the run.
import { get, post } from "./ask.js";
import { cards } from "./cards.js";
import { byId } from "./dom.js";
import { SettingsForm } from "./form.js";
import { showHistory } from "./history.js";
import { LiveView } from "./live.js";
import { Preview } from "./preview.js";
import { targetLine } from "./target.js";
import { workersLine, workersWrong } from "./workers.js";

const TYPING_MS = 150;
const POLL_MS = 1000;

let form = null;
let preview = null;
let live = null;
let planned = Promise.resolve(null); // of the values that are in the form now: the plan, or null
let typing = 0;
let asking = null;
let seen = ""; // state of the run that is shown
let askedHost = null;

async function begin() {
  const described = await get("llm/form.json");
  preview = new Preview();
  form = new SettingsForm(described, changed);
  live = new LiveView({ onStop: stop, onNext: nextRun });
  byId("scenarios").replaceChildren(...cards(described.scenarios, described.scenario, (name) => form.choose(name)));
  byId("planning").addEventListener("submit", start);
  await refresh();
  if (seen !== "running") changed();
  setTimeout(poll, POLL_MS);
}

// The plan again, a moment after the last key.
function changed() {
  clearTimeout(typing);
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  preview.stale();
  planned = new Promise((resolve) => {
    typing = setTimeout(() => resolve(plan(signal)), TYPING_MS);
    signal.addEventListener("abort", () => { clearTimeout(typing); resolve(null); });
  });
  planned.catch(lost);
}

async function plan(signal) {
  const posted = form.posted();
  askTarget(posted);
  try {
    const answer = await post("llm/plan", posted, signal);
    tell(answer.problem);
    if (answer.plan) preview.show(answer.plan);
    return answer.plan;
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
}

// Once for each host that is typed; not at every key of another field.
async function askTarget(posted) {
  if (posted.host === askedHost) return;
  askedHost = posted.host;
  const answer = await post("llm/target", posted).catch(lost);
  if (answer && posted.host === askedHost) byId("target").textContent = targetLine(answer);
}

function tell(problem) {
  const atField = form.tell(problem);
  byId("problem").hidden = problem === null || atField;
  byId("problem").textContent = problem === null || atField ? "" : problem.sentence;
  byId("start").disabled = problem !== null;
  byId("start-hint").textContent = problem === null ? "" : "Nothing is sent before every value is right.";
}

// Sends the values together with the hash of the plan that is drawn: another plan is refused.
async function start(event) {
  event.preventDefault();
  const plan = await planned;
  if (plan === null) return;
  byId("start").disabled = true;
  byId("start-hint").textContent = "Preparing …";
  try {
    const answer = await post("swarm", { ...form.posted(), plan_hash: plan.hash });
    tell(answer.success ? null : { field: answer.field ?? "", reason: answer.reason ?? answer.message, sentence: answer.message });
    if (answer.success) { live.expect(); await refresh(); }
  } catch (error) {
    byId("start").disabled = false;
    lost(error);
  }
}

async function stop() {
  await post("stop").catch(lost);
  await refresh();
}

async function nextRun() {
  live.leave();
  view("planning");
  changed();
}

async function poll() {
  if (!document.hidden) await refresh();
  setTimeout(poll, POLL_MS);
}

async function refresh() {
  try {
    const run = await get(live.path());
    byId("lost").hidden = true;
    showWorkers(run.workers ?? null);
    live.show(run);
    const state = live.state(run);
    if (state !== seen) {
      seen = state;
      view(state === "ready" ? "planning" : "live");
      if (state !== "running") await showHistory();
    }
  } catch (error) { lost(error); }
}

function showWorkers(workers) {
  const line = byId("workers");
  line.hidden = workers === null;
  line.textContent = workersLine(workers);
  line.className = workersWrong(workers) ? "meta bad" : "meta";
}

function view(name) {
  byId("planning").hidden = name !== "planning";
  byId("live").hidden = name !== "live";
}

function lost(error) {
  byId("lost").textContent = error.message;
  byId("lost").hidden = false;
}

begin().catch(lost);
