// One chart over time: lines or bars, lines across for bounds, values under the pointer or the arrow keys, and the
// table behind it.
import { el, svg, table, scrolling } from "./dom.js";
import { number } from "./format.js";
import { niceStep, scale } from "./scale.js";

const HEIGHT = 190;
const LEFT = 46;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;

export class Chart {
  // title: what is drawn, with its unit. lines: [{key, name, color, dash}]. bars: the first line is drawn as bars.
  // mayBeLog: latencies. format: of a value.
  constructor({ title, lines, bars = false, mayBeLog = false, format = number }) {
    Object.assign(this, { title, lines, bars, mayBeLog, format, points: [], marks: {}, at: null });
    this.canvas = svg("svg", { class: "chart", tabindex: "0", role: "img" });
    this.readout = el("p", { class: "readout quiet" });
    this.behind = el("details", { class: "behind" }, el("summary", {}, "Table"));
    this.behind.addEventListener("toggle", () => this.fillTable());
    this.figure = el("figure", {}, el("h3", {}, title), this.canvas, this.readout, this.behind);
    this.canvas.addEventListener("pointermove", (event) => this.point(this.indexAt(event)));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    this.canvas.addEventListener("keydown", (event) => this.step(event));
    this.canvas.addEventListener("blur", () => this.point(null));
    new ResizeObserver(() => this.draw()).observe(this.figure);
  }

  // points: [{t_s, key: value|null}], ascending. marks: {end_s, warm_up_s, bounds: [{value, name}]}.
  show(points, marks) {
    this.points = points;
    this.marks = marks;
    this.draw();
    if (this.behind.open) this.fillTable();
  }

  draw() {
    const width = Math.max(240, this.figure.clientWidth);
    this.width = width;
    this.canvas.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const { end_s = 1, warm_up_s = 0, bounds = [] } = this.marks;
    const values = this.points.flatMap((p) => this.lines.map((line) => p[line.key] ?? 0));
    this.end = Math.max(end_s, this.points.at(-1)?.t_s ?? 0, 1e-9);
    this.axis = scale(values, bounds.map((b) => b.value), this.mayBeLog);
    const parts = [...this.grid(), ...this.times()];
    if (warm_up_s > 0)
      parts.unshift(svg("rect", { x: LEFT, y: TOP, width: Math.max(0, this.x(warm_up_s) - LEFT), height: HEIGHT - TOP - BOTTOM, class: "warm-up" }));
    parts.push(...this.lines.map((line, k) => (this.bars && k === 0 ? this.barred(line) : this.drawn(line))));
    parts.push(...bounds.flatMap((bound) => this.bound(bound)));
    this.cursor = svg("g", { class: "cursor" });
    this.canvas.replaceChildren(...parts, this.cursor);
    this.canvas.setAttribute("aria-label", this.spoken());
    this.point(this.at);
  }

  x(t) {
    return LEFT + (this.width - LEFT - RIGHT) * Math.max(0, t) / this.end;
  }

  y(value) {
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * Math.min(1, this.axis.share(value));
  }

  grid() {
    return this.axis.ticks.flatMap((tick) => [
      svg("line", { x1: LEFT, x2: this.width - RIGHT, y1: this.y(tick), y2: this.y(tick), class: "grid" }),
      svg("text", { x: LEFT - 6, y: this.y(tick) + 4, "text-anchor": "end" }, this.format(tick)),
    ]);
  }

  times() {
    const step = niceStep(this.end / Math.max(2, Math.floor(this.width / 90)));
    const texts = [];
    for (let t = 0; t <= this.end * 1.0001; t += step) {
      const last = t + step > this.end * 1.0001;
      texts.push(svg("text", { x: this.x(t), y: HEIGHT - 7, "text-anchor": last && t > 0 ? "end" : t ? "middle" : "start" }, `${number(t)} s`));
    }
    return texts;
  }

  drawn(line) {
    let path = "";
    let pen = "M";
    for (const p of this.points) {
      const value = p[line.key];
      if (value === undefined || value === null || (this.axis.log && value <= 0)) { pen = "M"; continue; }
      path += `${pen}${this.x(p.t_s).toFixed(1)} ${this.y(value).toFixed(1)}`;
      pen = "L";
    }
    return svg("path", { d: path, fill: "none", stroke: `var(--${line.color})`, "stroke-width": 2, "stroke-dasharray": line.dash ?? null, "stroke-linejoin": "round", "data-line": line.key });
  }

  barred(line) {
    const ground = HEIGHT - BOTTOM;
    const wide = this.points.length > 1 ? this.x(this.points[1].t_s) - this.x(this.points[0].t_s) : this.width - LEFT - RIGHT;
    const path = this.points.map((p) => `M${this.x(p.t_s).toFixed(1)} ${ground}V${this.y(p[line.key] ?? 0).toFixed(1)}h${wide.toFixed(2)}V${ground}Z`).join("");
    return svg("path", { d: path, fill: `var(--${line.color})`, "data-line": line.key });
  }

  bound({ value, name }) {
    return [
      svg("line", { x1: LEFT, x2: this.width - RIGHT, y1: this.y(value), y2: this.y(value), class: "bound" }),
      svg("text", { x: this.width - RIGHT, y: this.y(value) - 4, "text-anchor": "end", class: "bound-name" }, name),
    ];
  }

  indexAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const t = ((event.clientX - box.left) * this.width / box.width - LEFT) / (this.width - LEFT - RIGHT) * this.end;
    let nearest = null;
    this.points.forEach((p, k) => {
      if (nearest === null || Math.abs(p.t_s - t) < Math.abs(this.points[nearest].t_s - t)) nearest = k;
    });
    return nearest;
  }

  step(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || !this.points.length) return;
    event.preventDefault();
    const from = this.at ?? (move > 0 ? -1 : this.points.length);
    this.point(Math.min(this.points.length - 1, Math.max(0, from + move)));
  }

  // Shows the values of one point, or with null what the lines are.
  point(index) {
    this.at = index !== null && index < this.points.length ? index : null;
    const p = this.at === null ? null : this.points[this.at];
    const x = p ? this.x(p.t_s) : 0;
    this.cursor?.replaceChildren(...(p ? [svg("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM })] : []));
    this.readout.replaceChildren(...(p ? [el("span", {}, `${number(p.t_s)} s`)] : []), ...this.lines.map((line) => this.named(line, p)));
  }

  named(line, p) {
    const swatch = svg("svg", { class: "swatch", viewBox: "0 0 16 4", "aria-hidden": "true" },
      svg("path", { d: "M0 2H16", stroke: `var(--${line.color})`, "stroke-width": 3, "stroke-dasharray": line.dash ? "4 2" : null }));
    return el("span", {}, swatch, p ? `${line.name} ${this.format(p[line.key])}` : line.name);
  }

  spoken() {
    const last = this.points.at(-1);
    const values = last ? this.lines.map((line) => `${line.name} ${this.format(last[line.key])}`).join(", ") : "nothing yet";
    return `${this.title}. Last: ${values}. Arrow keys step through it.`;
  }

  fillTable() {
    if (!this.behind.open) return;
    const columns = [{ title: "s", n: true }, ...this.lines.map((line) => ({ title: line.name, n: true }))];
    const every = Math.ceil(this.points.length / 120);
    const rows = this.points.filter((_, k) => k % every === 0).map((p) => [number(p.t_s), ...this.lines.map((line) => this.format(p[line.key]))]);
    const caption = every > 1 ? `${this.title}, every ${every}th point` : this.title;
    this.behind.replaceChildren(this.behind.firstChild, scrolling(this.title, table(caption, columns, rows)));
  }
}
