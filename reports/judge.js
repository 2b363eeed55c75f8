// The controls of "Judge by another objective" and everything of the page that follows them (arithmetic: judging.js).
// What is changed is remembered as it was written, so that a reset, and paper, show the run's own objective.
(() => {
  const section = document.getElementById("judge");
  if (!section) return;
  const data = JSON.parse(section.dataset.run);
  const packed = judging.unpack(data);
  const NAMES = [...judging.AXES, "attainment"];
  const own = data.objectives.map((one) => Object.fromEntries(NAMES.map((name) => [name, one[name]])));
  let bounds = own.map((one) => ({ ...one }));
  let chosen = 0; // of `own`: whose bounds the controls move

  // Everything is put back from here.
  const written = new Map();
  const added = [];
  const remember = (node) => {
    if (!written.has(node)) written.set(node, [node.innerHTML, [...node.attributes].map((one) => [one.name, one.value])]);
    return node;
  };
  const restore = () => {
    for (const [node, [inside, attributes]] of written) {
      node.innerHTML = inside;
      for (const name of node.getAttributeNames()) node.removeAttribute(name);
      for (const [name, value] of attributes) node.setAttribute(name, value);
    }
    written.clear();
    for (const node of added.splice(0)) node.remove();
    document.documentElement.classList.remove("moved");
  };
  const write = (node, text, value, small, good) => {
    if (!node) return;
    remember(node).textContent = text;
    if (Number.isFinite(value)) node.dataset.v = value;
    else node.removeAttribute("data-v");
    if (good !== undefined) node.classList.toggle("good", good);
    if (!small) return;
    const line = document.createElement("small");
    line.textContent = small;
    node.append(line);
  };

  const drawCell = (cell, good, met) => {
    const known = good !== null && cell.offered > 0;
    const share = known ? good / cell.offered : NaN;
    const goodput = known && cell.window_s > 0 ? good / cell.window_s : NaN;
    const ends = known ? judging.wilson(good, cell.offered) : [NaN, NaN];
    const link = document.querySelector(`#table-cells a[href="#${cell.anchor}"]`);
    if (link) {
      const row = link.closest("tr");
      const perSecond = ends.map((end) => end * cell.offered_per_s);
      write(row.cells[2], judging.rate(goodput), goodput, judging.between(...perSecond, judging.rate));
      write(row.cells[3], judging.percent(share), share, judging.between(...ends, judging.percent), known && met);
    }
    const line = document.querySelector(`#${cell.anchor} > summary > span`);
    if (!line || cell.offered === null) return;
    const [rate, part] = [judging.rate(goodput), judging.percent(share)];
    remember(line).textContent = `${rate} goodput · ${part} of ${judging.count(cell.offered)} offered served in SLO`;
  };

  const draw = (parent, tag, attributes) => {
    const node = document.createElementNS(parent.namespaceURI, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    parent.append(node);
    return node;
  };
  const corners = (path) => {
    const numbers = path.getAttribute("d").match(/-?[\d.]+/g).map(Number);
    const [x, y] = [0, 1].map((odd) => numbers.filter((_, at) => at % 2 === odd));
    return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];
  };
  const drawHeat = (what, values, show, choice) => {
    const figure = document.getElementById(`fig-heat-${what}`);
    if (!figure) return;
    const svg = figure.querySelector("svg");
    const rows = figure.querySelectorAll("table tbody tr");
    const usable = values.filter((value, at) => data.boxes[at].valid && Number.isFinite(value));
    const [low, high] = usable.length ? [Math.min(...usable), Math.max(...usable)] : [0, 1];
    for (const mark of svg.querySelectorAll("[data-mark=best], [data-mark=near]")) remember(mark).style.display = "none";
    const marks = draw(svg, "g", {});
    added.push(marks);
    const hatch = draw(marks, "pattern", { id: `judge-hatch-${what}`, width: 3, height: 3, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    draw(hatch, "path", { d: "M0 0V3", style: "stroke: var(--ink)" });
    data.boxes.forEach((box, at) => {
      const [path, text, count] = ["box\"] path", "text\"] text", "count\"] text"].map((one) => svg.querySelector(`[data-mark="${at}-${one}`));
      if (!path || !text) return;
      const value = values[at];
      const known = Number.isFinite(value);
      const step = high <= low ? 0 : Math.min(6, Math.max(0, Math.trunc(((value - low) / (high - low)) * 7)));
      remember(path).style.fill = known && box.valid ? `var(--cool${step})` : "var(--shade)";
      for (const one of count ? [text, count] : [text]) remember(one).style.fill = known && box.valid ? `var(--on-cool${step})` : "var(--muted)";
      text.textContent = show(value) + (known && !box.valid ? " ×" : "");
      if (rows[at]) write(rows[at].cells[3], judging.significant(value), value);
      const [left, top, right, bottom] = corners(path);
      const [width, height] = [right - left, bottom - top];
      if (choice && box.setting === choice.setting) {
        const inner = { x: left + 0.04 * width, y: top + 0.04 * height, width: 0.92 * width, height: 0.92 * height };
        draw(marks, "rect", { ...inner, style: "fill: none; stroke: var(--orange); stroke-width: 2.4" });
      } else if (choice && choice.tied.includes(box.setting)) {
        const [x, y] = [right - 0.45 * width, bottom - 0.45 * height];
        draw(marks, "path", { d: `M${right} ${bottom}V${y}L${x} ${bottom}Z`, style: `fill: url(#judge-hatch-${what})` });
      }
    });
  };

  // The answer in words, and the setting under each load.
  const answer = document.getElementById("judge-answer");
  const table = document.getElementById("judge-under");
  const command = document.getElementById("judge-command");
  const sentences = (choice) => {
    if (!choice) return [data.choice.undecided ? `It is not decided: ${data.choice.undecided}.` : "No request of any cell met these limits."];
    const said = [];
    const lost = judging.percent(choice.regret);
    said.push(choice.regret > 0 ? `Where it is worst it has ${lost} less goodput than the best setting there.` : "At every load no setting has more goodput.");
    said.push(judging.byClass(data) ? judging.marginOfClasses(choice.loads) : judging.margin(choice.loads, bounds[0].attainment));
    if (choice.nobody && judging.byClass(data)) said.push("No setting satisfies every load class.");
    if (choice.left.length) said.push(`Left out, since ${choice.left.length > 1 ? "they" : "it"} surely ${choice.left.length > 1 ? "miss" : "misses"} the objective of ${[...new Set(choice.left.flat())].sort().join(" and ")}: ${choice.left.length} setting${choice.left.length > 1 ? "s" : ""}.`);
    if (data.choice.raced) said.push("It has the least worst-case regret of the goodputs on common arrivals; what cannot be told apart was not drawn anew: the command below does that, and may choose otherwise among the near ones.");
    if (!choice.tied.length) return said;
    const few = data.choice.contenders.some((one) => one.cells.some((cells) => cells.length < 3));
    const guess = few ? " (estimated: fewer than three repeats)" : "";
    return [...said, `This run cannot tell from it${guess}: ${choice.tied.join("; ")}.`];
  };
  const drawUnder = (choice) => {
    remember(table).hidden = !choice;
    const body = remember(table.tBodies[0]);
    body.replaceChildren();
    for (const load of choice ? choice.loads : []) {
      const met = !load.missed.length;
      const row = body.insertRow();
      const texts = [load.name, judging.rate(load.goodput), `${judging.percent(load.attainment)} ${met ? "meets" : "misses"}${judging.byClass(data) && !met ? ` (${load.missed.join(", ")})` : ""}`];
      texts.forEach((text, at) => {
        const cell = row.insertCell();
        cell.textContent = text;
        if (!at && load.note) {
          const note = document.createElement("span");
          note.className = "quiet";
          note.textContent = load.note;
          cell.append(" ", note);
        }
        if (at) cell.className = at === 2 ? `n ${met ? "good" : "bad"}` : "n";
      });
    }
  };

  const show = () => {
    restore();
    const moved = own.some((one, k) => NAMES.some((name) => one[name] !== bounds[k][name]));
    document.getElementById("judge-reset").disabled = !moved;
    if (!moved || matchMedia("print").matches) return;
    const of = judging.goodOf(packed, bounds);
    const goods = judging.good(of);
    const choice = judging.choose(data, of, bounds);
    const text = judging.objective(data, bounds);
    document.documentElement.classList.add("moved");
    for (const node of document.querySelectorAll(".judged-by")) remember(node).textContent = text;
    data.cells.forEach((cell, at) => drawCell(cell, goods[at], !judging.missed(data, of, bounds, [at]).length));
    const [goodput, attainment] = [judging.goodput(data, goods), judging.attainment(data, goods)];
    drawHeat("goodput_per_s", data.boxes.map((box) => judging.mean(box.mean, goodput)), judging.significant, choice);
    drawHeat("attainment", data.boxes.map((box) => judging.mean(box.mean, attainment)), judging.percent, choice);
    const best = document.createElement("b");
    best.textContent = choice ? `Best setting: ${choice.setting}.` : "No setting is the best.";
    remember(answer).replaceChildren(best, ` ${sentences(choice).join(" ")}`);
    drawUnder(choice);
    const bound = bounds.every((one, k) => data.objectives[k].fixed || judging.AXES.some((axis) => one[axis] !== null));
    remember(command).textContent = bound ? `python -m reports ${data.run} --slo '${text}'` : "An objective needs a limit on a time.";
  };

  // The controls: a field takes any number, the slider stops at those of two digits between the measured ones.
  const UNITS = { ttft_s: 1e-3, tpot_s: 1e-3, e2e_s: 1, attainment: 1e-2 };
  const shown = (name, value) => (value === null ? "" : String(Number((value / UNITS[name]).toPrecision(6))));
  const spoken = (name, value) => (value === null ? "no limit" : name === "attainment" ? judging.percent(value) : judging.span(value));
  const stops = (name, at) => {
    if (name === "attainment") {
      const shares = [...Array(51).keys()].map((step) => (50 + step) / 100);
      return [...new Set([...shares, 0.995, 0.999, own[chosen].attainment])].sort((a, b) => a - b);
    }
    let [low, high] = [Infinity, -Infinity];
    const edges = packed.edges[chosen][at];
    for (const cell of packed.cells) {
      for (const place of cell ? cell[chosen].places[at] : []) {
        if (place < 1 || place > edges.length) continue;
        low = Math.min(low, place);
        high = Math.max(high, place);
      }
    }
    const [least, most] = [low, high].map((place) => edges[place - 1]);
    const between = [...judging.edges(2, null)].filter((edge) => edge >= least * 0.9 && edge <= most * 1.1);
    const mine = own[chosen][name];
    const known = mine === null ? between : [...new Set([...between, mine])].sort((a, b) => a - b);
    return [...known, null];
  };
  const controls = NAMES.map((name, at) => {
    const [field, slider] = [document.getElementById(`judge-${name}`), document.getElementById(`judge-${name}-slider`)];
    let at_stop = [];
    const settle = (anew = false) => {
      if (anew) {
        at_stop = stops(name, at);
        slider.max = at_stop.length - 1;
      }
      const value = bounds[chosen][name];
      const nearest = at_stop.findIndex((stop) => stop === null || (value !== null && stop >= value));
      slider.value = nearest < 0 ? at_stop.length - 1 : nearest;
      slider.setAttribute("aria-valuetext", spoken(name, value));
      if (document.activeElement !== field) field.value = shown(name, value);
    };
    const take = (value) => {
      bounds = bounds.map((one, k) => (k === chosen ? { ...one, [name]: value } : one));
      settle();
      show();
    };
    slider.addEventListener("input", () => take(at_stop[Number(slider.value)]));
    const typed = () => {
      const number = field.valueAsNumber * UNITS[name];
      if (name === "attainment") return number > 0 && number <= 1 ? Number(number.toPrecision(6)) : own[chosen].attainment;
      return number > 0 ? judging.snapped(number, data.digits, own[chosen][name]) : null;
    };
    field.addEventListener("input", () => take(typed()));
    field.addEventListener("blur", () => settle());
    settle(true);
    return settle;
  });
  document.getElementById("judge-class")?.addEventListener("change", (event) => {
    chosen = event.target.selectedIndex;
    for (const settle of controls) settle(true);
  });
  document.getElementById("judge-reset").addEventListener("click", () => {
    bounds = own.map((one) => ({ ...one }));
    for (const settle of controls) settle();
    show();
    document.getElementById("judge-ttft_s").focus();
  });
  matchMedia("print").addEventListener("change", show);
  addEventListener("beforeprint", restore);
  addEventListener("afterprint", show);
})();
