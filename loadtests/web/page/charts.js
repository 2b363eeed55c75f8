// The charts of a run: which points of the series each shows. bound: the latency whose SLO bound is drawn across.
import { perSecond, seconds } from "./format.js";

const spread = (name) => [
  { key: `${name}_p50_s`, name: "p50", color: "blue" },
  { key: `${name}_p95_s`, name: "p95", color: "orange", dash: "6 3" },
  { key: `${name}_max_s`, name: "largest", color: "grey", dash: "2 3" },
];

export const CHARTS = [
  { title: "TTFT from the due time, the last 5 s", bound: "ttft_s", mayBeLog: true, format: seconds, lines: spread("ttft") },
  { title: "TPOT, the last 5 s", bound: "tpot_s", mayBeLog: true, format: seconds, lines: spread("tpot") },
  { title: "E2E from the due time, the last 5 s", bound: "e2e_s", mayBeLog: true, format: seconds, lines: spread("e2e") },
  { title: "Requests per second", format: perSecond, lines: [
    { key: "due_per_s", name: "due", color: "grey" },
    { key: "served_per_s", name: "served", color: "blue" },
    { key: "good_per_s", name: "in SLO", color: "green", dash: "6 3" },
    { key: "failed_per_s", name: "not served", color: "red", dash: "2 3" }] },
  { title: "In flight: client, gateway, engine", lines: [
    { key: "in_flight", name: "client", color: "blue" },
    { key: "gateway_active", name: "gateway slots", color: "green" },
    { key: "gateway_queue", name: "gateway queue", color: "orange", dash: "6 3" },
    { key: "engine_running", name: "engine running", color: "purple", dash: "2 3" },
    { key: "engine_waiting", name: "engine waiting", color: "grey", dash: "8 3 2 3" }] },
  { title: "Output tokens per second, mean of the last 5 s", lines: [{ key: "output_tokens_per_s", name: "tokens/s", color: "purple" }] },
];
