// The runs that lie in this folder, each with its numbers and what there is of it.
import { byId, el, scrolling, table } from "./dom.js";
import { get } from "./ask.js";
import { number, perSecond, seconds, share, when } from "./format.js";

const COLUMNS = [
  { title: "Started" }, { title: "Scenario" }, { title: "Rate", n: true }, { title: "Offered", n: true },
  { title: "In SLO", n: true }, { title: "Goodput", n: true }, { title: "TTFT p50", n: true }, { title: "TTFT p95", n: true },
  { title: "Ended" }, { title: "What there is" },
];
const NAMES = { "report.html": "report", "load.json": "load.json", "plan.json": "plan", "records.jsonl": "records" };

export async function showHistory() {
  const { folder, runs, more, others } = await get("llm/history.json");
  const box = byId("history");
  if (!runs.length) box.replaceChildren(el("p", { class: "quiet" }, `None yet in ${folder}.`));
  else box.replaceChildren(scrolling("Runs in this folder", table(`${folder}, newest first`, COLUMNS, runs.map(row))));
  if (more) box.append(el("p", { class: "quiet" }, `${number(more)} older ones are not listed.`));
  if (runs.length) box.append(...next(folder, runs));
  if (others.length) box.append(el("p", {}, "Other runs with a report: ", ...others.flatMap((name) => [link(name, "report.html", name), " "])));
}

function row(run) {
  const files = run.files.flatMap((name) => [link(run.name, name, NAMES[name]), " "]);
  return [
    el("span", { title: run.name }, when(run.started_unix_s)), run.scenario, run.rate_per_s ? perSecond(run.rate_per_s) : "–",
    number(run.offered), share(run.attainment), perSecond(run.goodput_per_s), seconds(run.ttft_p50_s), seconds(run.ttft_p95_s),
    run.ended, el("span", {}, ...files),
  ];
}

const link = (run, file, text) =>
  el("a", { href: `llm/runs/${encodeURIComponent(run)}/${file}`, target: file === "report.html" ? "_blank" : null, rel: "noopener" }, text);

// What a terminal can make of them; the page itself makes no reports, that would disturb the next run.
function next(folder, runs) {
  const lines = [el("p", { class: "quiet" }, "A report of a run, and two runs side by side, from a terminal:")];
  const commands = [`python -m reports ${folder}/${runs[0].name}`];
  if (runs.length > 1) commands.push(`python -m reports compare ${folder}/${runs[1].name} ${folder}/${runs[0].name} -o compare.html`);
  return [...lines, el("pre", { tabindex: "0" }, commands.join("\n"))];
}
