// The scenarios as cards with a small drawing of their shape.
import { el, svg } from "./dom.js";

const WIDTH = 160;
const HEIGHT = 44;

export function cards(scenarios, chosen, onChoose) {
  return scenarios.map((scenario) => {
    const radio = el("input", { type: "radio", name: "scenario", value: scenario.name, checked: scenario.name === chosen });
    radio.addEventListener("change", () => onChoose(scenario.name));
    return el("label", { class: "scenario" }, radio, drawing(scenario),
      el("b", {}, scenario.name), el("small", {}, scenario.title));
  });
}

function drawing(scenario) {
  const parts = scenario.rate.length ? drawn(scenario) : scenario.name === "closed" ? lanes() : recorded();
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true", class: "shape" }, ...parts);
}

// The rate as an area, the arrivals of a small plan as ticks below it.
function drawn({ rate, due }) {
  const top = Math.max(2, ...rate);
  const ground = HEIGHT - 9;
  const y = (level) => ground - (ground - 3) * level / top;
  const step = WIDTH / rate.length;
  const line = rate.map((level, k) => `${k ? "L" : "M"}${(k * step).toFixed(1)} ${y(level).toFixed(1)}H${((k + 1) * step).toFixed(1)}`).join("");
  const ticks = due.map((share) => `M${(share * WIDTH).toFixed(1)} ${HEIGHT - 6}v6`).join("");
  return [
    svg("path", { d: `${line}V${ground}H0Z`, class: "area" }),
    svg("path", { d: line, class: "edge" }),
    svg("path", { d: ticks, class: "ticks" }),
  ];
}

// Users that send, wait, think: bars of uneven length.
function lanes() {
  const ask = [[2, 40, 52, 30, 90, 55], [8, 28, 44, 60, 112, 40], [0, 60, 70, 22, 100, 30, 138, 20]];
  return ask.flatMap((bars, lane) => {
    const made = [];
    for (let k = 0; k < bars.length; k += 2)
      made.push(svg("rect", { x: bars[k], y: 4 + lane * 14, width: bars[k + 1], height: 8, rx: 2, class: "area" }));
    return made;
  });
}

// A file's own ticks.
function recorded() {
  const at = [3, 9, 12, 14, 30, 33, 35, 36, 38, 39, 58, 71, 74, 75, 77, 99, 103, 104, 106, 107, 109, 126, 141, 143, 152];
  return [
    svg("path", { d: "M0 38H160", class: "edge" }),
    svg("path", { d: at.map((x, k) => `M${x} 36v${-(10 + (k * 7) % 22)}`).join(""), class: "ticks" }),
  ];
}
