// The run while it goes on, and what it came to. States as PageState has them: ready, running, ending, ended.
import { byId, el } from "./dom.js";
import { Chart } from "./chart.js";
import { CHARTS } from "./charts.js";
import { figures, tables } from "./figures.js";
import { number, perSecond, seconds } from "./format.js";

const MOST_POINTS = 3600; // as many as the server keeps

export class LiveView {
  constructor({ onStop, onNext }) {
    this.folder = null; // of the run that is shown
    this.left = null; // of an ended run that nobody looks at any more
    this.awaiting = null; // the folder of the run before, while the next one is being started
    this.points = [];
    this.charts = CHARTS.map((described) => new Chart(described));
    this.title = el("h2", { id: "run-title" });
    this.facts = el("p", { class: "quiet", id: "run-facts" });
    this.figures = el("div", { class: "figures", id: "figures" });
    this.progress = el("progress", { "aria-label": "Requests recorded" });
    this.findings = el("ul", { class: "findings" });
    this.tables = el("div", { class: "tables" });
    this.said = el("p", { class: "hidden-text", role: "status" });
    this.stop = el("button", { type: "button", class: "danger", id: "stop" }, "Stop");
    this.stop.addEventListener("click", () => { this.stop.disabled = true; onStop(); });
    this.next = el("button", { type: "button", class: "primary", id: "next", hidden: true }, "Next run");
    this.next.addEventListener("click", onNext);
    byId("live").replaceChildren(
      el("section", { "aria-labelledby": "run-title" },
        el("div", { class: "runbar" }, el("div", {}, this.title, this.facts), el("p", {}, this.stop, this.next)),
        this.progress, this.said, this.findings, this.figures, this.tables),
      el("section", { "aria-label": "Charts" }, el("div", { class: "charts" }, ...this.charts.map((chart) => chart.figure))));
  }

  // Only the points that are not here yet are asked for.
  path() {
    this.asked = this.points.length ? this.first + this.points.length : 0;
    return `llm/series.json?from=${this.asked}`;
  }

  // "ready", "running" or "ended", for this page: a run that was left is over, one that was started goes on.
  state(run) {
    if (this.awaiting !== null && (run.folder ?? "") === this.awaiting) return "running";
    this.awaiting = null;
    if (run.state === "ended" && run.folder === this.left) return "ready";
    return run.state === "ending" ? "running" : run.state;
  }

  expect() {
    this.awaiting = this.folder ?? "";
    this.title.textContent = "Starting …";
    this.facts.textContent = "";
  }

  leave() {
    this.left = this.folder;
  }

  show(run) {
    if (run.state === "ready") return;
    if (this.folder === null && run.state === "ended") this.left = run.folder; // over before this page was opened
    if (run.folder !== this.folder) this.begin(run);
    else this.more(run);
    if (this.awaiting === run.folder) return; // the run before
    const running = run.state !== "ended";
    this.stop.hidden = !running;
    this.next.hidden = running;
    this.say(run);
    this.progress.max = Math.max(1, run.planned);
    this.progress.value = run.recorded;
    if (run.numbers) this.decide(run, run.numbers);
    this.charts.forEach((chart, k) => {
      const bounds = run.numbers ? boundsOf(run.numbers, CHARTS[k].bound) : [];
      chart.show(this.points, { end_s: run.end_s, warm_up_s: run.warm_up_s, bounds });
    });
  }

  // A run that is new here: if the answer leaves out its first points, they are asked for next time.
  begin(run) {
    this.points = [];
    this.first = 0;
    this.folder = run.folder;
    this.stop.disabled = false;
    if (!this.asked) this.more(run);
  }

  more({ first_point, points }) {
    if (!this.points.length) this.first = first_point;
    this.points.push(...points.map(({ last, ...point }) => ({ ...point, ...last })));
    const over = Math.max(0, this.points.length - MOST_POINTS);
    this.points.splice(0, over);
    this.first += over;
  }

  say(run) {
    const warmingUp = run.state === "running" && run.numbers?.seen.measured_s <= 0;
    const title = `${run.scenario}${run.rate_per_s ? ` at ${perSecond(run.rate_per_s)}` : ""}: ${run.state}${warmingUp ? ", warming up: not counted yet" : ""}`;
    if (title !== this.title.textContent) this.said.textContent = title;
    this.title.textContent = title;
    const counted = run.planned ? `${number(run.recorded)} of ${number(run.planned)} requests recorded` : `${number(run.recorded)} requests recorded`;
    this.facts.textContent = `${counted} · ${run.model} at ${run.host} · SLO ${run.numbers?.objective.text ?? ""} · ${run.folder}`;
  }

  decide(run, numbers) {
    const told = [...numbers.generator.reasons.map((reason) => `The load generator bends its own numbers: ${reason}`), ...numbers.findings];
    this.findings.replaceChildren(...told.map((text) => el("li", { class: "doubt warn" }, text)));
    this.figures.replaceChildren(...figures({ ...run, points: this.points }, numbers));
    this.tables.replaceChildren(...tables(run, numbers));
  }
}

// The bounds of a latency that are drawn across its chart: the common one, or each load class's where they differ.
function boundsOf({ objective, classes }, latency) {
  const named = new Map();
  for (const { name, objective: own } of classes.length ? classes : [{ name: "", objective }]) {
    const bound = own.bounds_s[latency];
    if (bound) named.set(bound, [...(named.get(bound) ?? []), name]);
  }
  return [...named].map(([value, names]) => ({
    value, name: `SLO ${names.length < classes.length ? `${names.join(", ")} ` : ""}${seconds(value)}`,
  }));
}
