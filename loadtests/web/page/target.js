// One line on what the target says of itself.
import { number } from "./format.js";

export function targetLine({ target, problem }) {
  if (problem) return problem.sentence;
  if (!target) return "";
  const model = target.model ? `model ${target.model}` : "names no model";
  return [target.url, model, limits(target)].join(" · ");
}

function limits(target) {
  if (!target.limits) return "no gateway metrics: limits unknown";
  const { max_active, queue_max, queue_mode } = target.limits;
  const waiting = queue_mode === "reject" ? "refuses when they are taken" : `queue of ${number(queue_max)}`;
  const now = target.active ? `, ${number(target.active)} in use now` : "";
  return `${number(max_active)} slots, ${waiting}${now}`;
}
