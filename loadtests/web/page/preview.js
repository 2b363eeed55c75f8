// What will be sent: the plan as the server has drawn it, and what the target says of itself.
import { byId, el } from "./dom.js";
import { Chart } from "./chart.js";
import { counted, number, perSecond, span } from "./format.js";

export class Preview {
  constructor() {
    this.chart = new Chart({
      title: "Planned arrivals, requests per second",
      lines: [{ key: "planned_per_s", name: "planned", color: "blue" }],
      bars: true,
    });
    this.words = el("p", { class: "lead", id: "plan-words" });
    this.facts = el("dl", { class: "facts" });
    this.notes = el("ul", { class: "notes" });
    byId("preview").replaceChildren(this.words, this.chart.figure, this.facts, this.notes);
  }

  show(plan) {
    this.words.textContent = summary(plan);
    this.chart.figure.hidden = !plan.planned_per_s.length;
    const points = plan.planned_per_s.map((rate, k) => ({ t_s: k * plan.bin_s, planned_per_s: rate }));
    this.chart.show(points, { end_s: plan.duration_s, warm_up_s: plan.warm_up_s });
    this.facts.replaceChildren(...facts(plan).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]).reduce(paired, []));
    this.notes.replaceChildren(...plan.notes.map((note) => el("li", {}, note)));
    byId("preview").classList.remove("stale");
    byId("preview").dataset.hash = plan.hash;
  }

  stale() {
    byId("preview").classList.add("stale");
    delete byId("preview").dataset.hash;
  }
}

function summary(plan) {
  const length = `${span(plan.duration_s)}, then up to ${span(plan.longest_s - plan.duration_s)} for the last answers`;
  if (plan.requests === null) return `${counted(plan.users, "user", "users")} who each wait for their answers: ${length}.`;
  return `${counted(plan.requests, "request", "requests")}, ${number(plan.measured)} of them measured: ${length}.`;
}

function facts(plan) {
  const lengths = (l) => (l.p50 === l.longest ? `${number(l.p50)} tokens each` : `median ${number(l.p50)}, p95 ${number(l.p95)}, longest ${number(l.longest)} tokens`);
  const total = plan.requests === null ? [] : [["Tokens in all", `${number(plan.prompt.total)} in, ${number(plan.output.total)} out`]];
  const rate = plan.requests === null ? [] : [["Rate", `mean ${perSecond(plan.mean_per_s)}, busiest ${number(plan.bin_s)} s ${perSecond(plan.peak_per_s)}`]];
  const classes = plan.classes.map((c) => [c.name, `${plan.requests === null ? "" : `${counted(c.requests, "request", "requests")}, `}prompts ${lengths(c.prompt)}, answers ${lengths(c.output)}`]);
  const sessions = plan.sessions ? [["Sessions", number(plan.sessions)]] : [];
  return [...rate, ["Prompts", lengths(plan.prompt)], ["Answers", lengths(plan.output)], ...classes, ...total, ...sessions,
    ["Plan", el("code", { title: plan.hash }, plan.hash.slice(0, 12))]];
}

function paired(pairs, element) {
  if (element.tagName === "DT") pairs.push(el("div", {}, element));
  else pairs.at(-1).append(element);
  return pairs;
}
