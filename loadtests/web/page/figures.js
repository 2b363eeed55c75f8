// The numbers that decide, with their intervals, and the tables below them.
import { el, scrolling, table } from "./dom.js";
import { number, perSecond, seconds, share } from "./format.js";

const STANDING = { met: "met", missed: "missed", unknown: "nothing judged yet" };

// numbers: as live_page.py declares them; null before the first record.
export function figures(run, numbers) {
  return [attainment(numbers), goodput(numbers), ttft(numbers), tokens(numbers), flight(run), lag(numbers)];
}

function figure(value, name, below, kind = "") {
  return el("span", {}, el("b", { class: kind }, value), el("small", {}, name), el("small", {}, below));
}

function attainment({ attainment: a, objective, seen, classes }) {
  const interval = a.low === null ? "" : `, 95 % interval ${share(a.low)} to ${share(a.high)}`;
  const verdict = a.standing === "unknown" || a.sure ? STANDING[a.standing] : `${STANDING[a.standing]}, not sure yet`;
  const pending = seen.pending ? `, ${number(seen.pending)} pending` : "";
  const kind = { met: "good", missed: "bad" }[a.sure ? a.standing : ""] ?? "";
  return figure(`${share(a.share)} in SLO`, `${number(a.hits)} of ${number(a.n)}${pending}${interval}`,
    classes.length ? `every class by its own objective: ${verdict}` : `objective ≥ ${share(objective.attainment)}: ${verdict}`, kind);
}

function goodput({ goodput: g, summary }) {
  const interval = g.low_per_s === null ? "" : `${number(g.low_per_s)} to ${perSecond(g.high_per_s)}; `;
  const { offered_per_s, achieved_per_s } = summary.rates;
  return figure(perSecond(g.per_s), `goodput${interval ? `, 95 % interval ${interval.slice(0, -2)}` : ""}`,
    `offered ${perSecond(offered_per_s)}, served ${perSecond(achieved_per_s)}`);
}

function ttft({ summary, objective, classes }) {
  const p95 = summary.latency.ttft_s?.p95;
  const bound = classes.length ? null : objective.bounds_s.ttft_s;
  return figure(p95?.value == null ? "–" : seconds(p95.value), "TTFT p95, from the due time",
    [p95?.why ?? "", bound ? `bound ${seconds(bound)}` : ""].filter(Boolean).join(" · ") || (classes.length ? "of all classes" : "no bound asked"));
}

function tokens({ summary, seen }) {
  const rate = summary.rates.output_tokens_per_s;
  const unknown = seen.measured_s > 0 ? "not reported by the engine" : "nothing measured yet";
  return figure(number(rate), "output tokens per second", rate === null ? unknown : "of served requests");
}

function flight(run) {
  const last = run.points.at(-1) ?? {};
  const slots = last.gateway_active == null ? "" : `${number(last.gateway_active)} in slots${last.gateway_queue == null ? "" : `, ${number(last.gateway_queue)} queued`}`;
  return figure(number(run.in_flight), "in flight now", slots || "no gateway metrics");
}

function lag({ generator }) {
  const { send_lag, cpu, reasons } = generator;
  return figure(seconds(send_lag.p99), "generator’s own lag, p99",
    `largest ${seconds(send_lag.max)}, CPU ${share(cpu.mean)} of a core`, reasons.length ? "bad" : "");
}

export function tables(run, numbers) {
  const { summary, objective, generator, classes } = numbers;
  const columns = [{ title: "" }, ...["samples", "p50", "p95", "p99", "bound"].map((title) => ({ title, n: true }))];
  const bound = (name) => (classes.length ? null : objective.bounds_s[`${name.toLowerCase()}_s`]);
  const latencies = run.table.map((r) => [r.name, number(r.n), quantile(r.p50), quantile(r.p95), quantile(r.p99), bound(r.name) ? seconds(bound(r.name)) : "–"]);
  return [
    ...(classes.length ? [scrolling("Load classes", byClass(classes))] : []),
    scrolling("Latencies", table("Latencies of the measured window, ms, served requests", columns, latencies)),
    scrolling("Outcomes", table("Outcomes of the measured window", [{ title: "outcome" }, { title: "requests", n: true }, { title: "share", n: true }], outcomes(summary.counts))),
    scrolling("Load generator", table("The load generator itself", [{ title: "" }, { title: "p50", n: true }, { title: "p99", n: true }, { title: "largest", n: true }],
      [["late in sending", generator.send_lag], ["late in waking", generator.hub_lag]].map(([name, lag]) => [name, seconds(lag.p50), seconds(lag.p99), seconds(lag.max)]))),
  ];
}

// A row per load class, each judged by its own objective.
function byClass(classes) {
  const columns = [{ title: "class" }, ...["offered", "in SLO", "95 % interval", "goodput", "TTFT p95, ms", "TPOT p95, ms"].map((title) => ({ title, n: true })), { title: "its objective" }];
  const p95 = (one, name) => quantile(one.latencies.find((row) => row.name === name)?.p95 ?? "–");
  const rows = classes.map((one) => {
    const a = one.attainment;
    const verdict = `${STANDING[a.standing]}${a.standing === "unknown" || a.sure ? "" : ", not surely"}`;
    return [one.name, number(one.offered), el("span", { class: a.sure ? { met: "good", missed: "bad" }[a.standing] : null }, share(a.share)),
      a.low === null ? "–" : `${share(a.low)} to ${share(a.high)}`, perSecond(one.goodput.per_s), p95(one, "TTFT"), p95(one, "TPOT"), `${one.objective.text}: ${verdict}`];
  });
  return table("Load classes of the measured window, each by its own objective", columns, rows);
}

// Milliseconds, or why there is no such number: in small, its sample size stands beside it.
function quantile(words) {
  return /^[0-9–]/.test(words) ? words : el("span", { class: "quiet few", title: words }, words.split(":")[0]);
}

function outcomes(counts) {
  const rows = Object.entries(counts.outcomes).sort((a, b) => b[1] - a[1]).map(([name, n]) => [name, number(n), share(n / Math.max(1, counts.offered))]);
  rows.push(["served within the SLO", number(counts.served_in_slo), share(counts.served_in_slo / Math.max(1, counts.offered))]);
  if (counts.retries > 0) rows.push(["further attempts (retries)", number(counts.retries), "–"]);
  return rows;
}
