// How many workers there are, and how many there should be; nothing where one process sends by itself.
import { counted } from "./format.js";

export function workersLine(workers) {
  if (!workers) return "";
  const { expected, connected, late, lost } = workers;
  const parts = [`${counted(connected, "worker", "workers")} connected, ${expected} expected`];
  if (connected < expected) parts.push(`${expected - connected} missing`);
  if (late) parts.push(`${late} came too late for this run and ${late === 1 ? "waits" : "wait"} for the next`);
  if (lost) parts.push(`${lost} lost`);
  return parts.join(" · ");
}

export const workersWrong = (workers) => Boolean(workers) && (workers.connected < workers.expected || workers.lost > 0);
