// The run while it goes on, and what it came to.
import { byId, el, table } from "./dom.js";
import { Chart } from "./chart.js";
import { number, perSecond, seconds } from "./format.js";

const CHARTS = [
  { title: "TTFT of the last 5 s, from the due time", mayBeLog: true, format: seconds, bound: "ttft_s",
    lines: [{ key: "ttft_p50_s", name: "p50", color: "blue" }, { key: "ttft_p95_s", name: "p95", color: "orange", dash: "6 3" }] },
  { title: "Requests per second", format: perSecond,
    lines: [{ key: "due_per_s", name: "due", color: "grey" }, { key: "served_per_s", name: "served", color: "green" }, { key: "failed_per_s", name: "not served", color: "red", dash: "6 3" }] },
  { title: "In flight: client, gateway, engine",
    lines: [{ key: "in_flight", name: "client", color: "blue" }, { key: "gateway_active", name: "gateway slots", color: "green" }, { key: "gateway_queue", name: "gateway queue", color: "orange", dash: "6 3" }, { key: "engine_running", name: "engine running", color: "purple", dash: "2 3" }, { key: "engine_waiting", name: "engine waiting", color: "grey", dash: "1 3" }] },
  { title: "Output tokens per second (5 s mean)", lines: [{ key: "output_tokens_per_s", name: "tokens/s", color: "purple" }] },
];

export class LiveView {
  constructor({ onStop, onNext }) {
    this.folder = null; // of the run that is shown
    this.left = null; // of an ended run that nobody looks at any more
    this.awaiting = null; // the folder of the run before, while the next one is being started
    this.points = [];
    this.charts = CHARTS.map((described) => new Chart(described));
    this.what = el("p", {});
    this.progress = el("progress", { "aria-label": "Requests recorded" });
    this.findings = el("ul", { class: "notes" });
    this.tables = el("div", {});
    this.stop = el("button", { type: "button", class: "danger", id: "stop" }, "Stop");
    this.stop.addEventListener("click", () => { this.stop.disabled = true; onStop(); });
    this.next = el("button", { type: "button", class: "primary", id: "next", hidden: true }, "Next run");
    this.next.addEventListener("click", onNext);
    byId("live").replaceChildren(
      el("section", {}, el("div", { class: "runbar" }, this.what, el("p", {}, this.stop, this.next)), this.progress, this.findings, this.tables),
      el("section", {}, el("div", { class: "charts" }, ...this.charts.map((chart) => chart.figure))));
  }

  path() {
    const last = this.points.at(-1)?.t_s;
    return last === undefined ? "llm/series.json" : `llm/series.json?folder=${encodeURIComponent(this.folder)}&after=${last}`;
  }

  // "ready", "running" or "ended", for this page: a run that was left is over, one that was started goes on.
  state(run) {
    if (this.awaiting !== null && (run.folder ?? "") === this.awaiting) return "running";
    this.awaiting = null;
    if (run.state === "ended" && run.folder === this.left) return "ready";
    return run.state;
  }

  expect() {
    this.awaiting = this.folder ?? "";
  }

  leave() {
    this.left = this.folder;
  }

  show(run) {
    if (run.state === "ready") return;
    if (this.folder === null && run.state === "ended") this.left = run.folder; // over before this page was opened
    if (run.folder !== this.folder) {
      this.folder = run.folder;
      this.points = [];
      this.stop.disabled = false;
    }
    this.points.push(...run.points);
    const running = run.state === "running";
    this.stop.hidden = !running;
    this.next.hidden = running;
    this.what.textContent = `${run.scenario} at ${perSecond(run.rate_per_s)} on ${run.model} (${run.host}), ${run.state}: ${number(run.recorded)} of ${number(run.planned)} recorded, in ${run.folder}. SLO ${run.slo}`;
    this.progress.max = Math.max(1, run.planned);
    this.progress.value = run.recorded;
    this.findings.replaceChildren(...run.findings.map((finding) => el("li", {}, finding)));
    const columns = [{ title: "" }, { title: "samples", n: true }, ...["p50", "p95", "p99"].map((title) => ({ title, n: true }))];
    this.tables.replaceChildren(
      table("Latency so far, ms", columns, run.table.map((r) => [r.name, number(r.n), r.p50, r.p95, r.p99])),
      table("Outcomes", [{ title: "outcome" }, { title: "requests", n: true }], Object.entries(run.outcomes).sort().map(([name, n]) => [name, number(n)])));
    this.charts.forEach((chart) => chart.show(this.points, { end_s: run.end_s, warm_up_s: run.warm_up_s }));
  }
}
