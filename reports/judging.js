"use strict";
// The arithmetic of the page's own judgement: `SLO.judge`, `stats/choice.py` and `reports/numbers.py` over what
// `reports/judging.py` packed. No document here; `judge.js` shows it.
const judging = (() => {
  const AXES = ["ttft_s", "tpot_s", "e2e_s"];
  const Z_95 = 1.959963984540054;

  // Numbers for people, to the letter those of numbers.py. Python rounds an exact half to the even digit.
  const fixed = (value, decimals) => {
    const scaled = Math.abs(value) * 10 ** decimals;
    if (!Number.isInteger(value * 2 ** (decimals + 1)) || scaled % 1 !== 0.5) return value.toFixed(decimals);
    const even = 2 * Math.round(scaled / 2);
    return ((Math.sign(value) * even) / 10 ** decimals).toFixed(decimals);
  };
  const missing = (value) => value === null || value === undefined || !Number.isFinite(value);
  const significant = (value, digits = 3) => {
    if (missing(value)) return "–";
    if (value === 0) return "0";
    const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
    const text = fixed(value, decimals);
    const long = text.replace(/^[-0.]+/, "").replace(".", "").length > digits;
    return decimals && long ? fixed(value, decimals - 1) : text;
  };
  const rate = (value) => (missing(value) ? "–" : `${significant(value)}/s`);
  const percent = (ratio) => {
    if (missing(ratio)) return "–";
    if (Math.min(Math.abs(ratio), Math.abs(ratio - 1)) < 1e-12) return `${Math.round(ratio) * 100} %`;
    if (ratio >= 0.9995 && ratio < 1) return "> 99.9 %";
    if (ratio > 0 && ratio < 0.0005) return "< 0.1 %";
    return `${fixed(ratio * 100, 1)} %`;
  };
  const count = (value) => (missing(value) ? "–" : fixed(value, 0).replace(/\B(?=(\d{3})+$)/g, "\u202f"));
  const between = (low, high, show) => {
    if (missing(low) || missing(high)) return "";
    let [left, right] = [show(low), show(high)];
    for (const unit of ["/s", " %"]) if (left.endsWith(unit) && right.endsWith(unit)) left = left.slice(0, -unit.length);
    return /\d$/.test(left) ? `${left}–${right}` : `${left} – ${right}`;
  };

  // A bound as an objective says it, and the objective as `--slo` takes it.
  const span = (bound) => (bound >= 1 ? `${Number(bound.toPrecision(6))}s` : `${Number((bound * 1e3).toPrecision(6))}ms`);
  const terms = (bounds, fixed) => [
    ...AXES.filter((axis) => bounds[axis] !== null).map((axis) => `${axis.replace("_s", "")}<=${span(bounds[axis])}`),
    ...(fixed ? [fixed] : []),
    `attainment>=${Number(bounds.attainment.toPrecision(6))}`,
  ].join(",");
  const byClass = (data) => data.common !== "";
  const objective = (data, bounds) => {
    const parts = data.objectives.map((own, k) => terms(bounds[k], own.fixed));
    return byClass(data) ? [data.common, ...parts.map((part, k) => `${data.objectives[k].name}:${part}`)].join(";") : parts[0];
  };

  // Every bound that can be chosen (bound_grid.py), and the one of them that somebody meant.
  const edges = (digits, own) => {
    const found = new Set(own === null ? [] : [own]);
    for (let decade = -6; decade < 4; decade++) {
      for (let mantissa = 10 ** (digits - 1); mantissa < 10 ** digits; mantissa++) {
        const whole = Number(`${mantissa}e${decade - digits + 1}`);
        found.add(whole >= 1 ? whole : Number(`${mantissa}e${decade - digits + 4}`) * 1e-3);
      }
    }
    return Float64Array.from(found).sort();
  };
  const snapped = (seconds, digits, own) => {
    if (own !== null && Math.abs(seconds - own) <= own * 1e-6) return own;
    return seconds >= 1 ? Number(seconds.toPrecision(digits)) : Number((seconds * 1e3).toPrecision(digits)) * 1e-3;
  };

  // One cell's histogram: see packed_cell.py.
  const unpacked = (base64) => {
    const raw = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    let at = 0;
    const next = () => {
      for (let value = 0, scale = 1; ; scale *= 128) {
        const byte = raw[at++];
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    };
    const used = AXES.map(() => {
      const places = [];
      for (let left = next(), place = 0; left > 0; left--) places.push((place += next()));
      return places;
    });
    const size = next();
    const places = AXES.map(() => new Uint16Array(size));
    const counts = new Uint32Array(size);
    for (let k = 0, box = 0; k < size; k++) {
      const step = next();
      box += Math.floor(step / 2);
      counts[k] = step % 2 ? next() : 1;
      for (let axis = 2, rest = box; axis >= 0; axis--) {
        const rank = rest % used[axis].length;
        places[axis][k] = used[axis][rank];
        rest = (rest - rank) / used[axis].length;
      }
    }
    return { places, counts };
  };
  const unpack = (data) => ({
    edges: data.objectives.map((own) => AXES.map((axis) => edges(data.digits, own[axis]))),
    cells: data.cells.map((cell) => (cell.packed ? cell.packed.split(".").map(unpacked) : null)),
  });

  const total = (values) => values.reduce((sum, value) => sum + value, 0);

  /** Requests of each cell within the bounds, of each load class by its own (seconds, null: not asked); null where
   * nothing is known. bounds: one for each of `data.objectives`. */
  const goodOf = (packed, bounds) => {
    const limits = bounds.map((own, of) => AXES.map((axis, at) => place(packed.edges[of][at], own[axis])));
    return packed.cells.map((cell) => cell && cell.map(({ places: [ttft, tpot, e2e], counts }, of) => {
      let sum = 0;
      for (let k = 0; k < counts.length; k++) {
        if (ttft[k] <= limits[of][0] && tpot[k] <= limits[of][1] && e2e[k] <= limits[of][2]) sum += counts[k];
      }
      return sum;
    }));
  };
  const place = (edges, bound) => {
    if (bound === null) return Infinity;
    let [low, high] = [0, edges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (edges[middle] <= bound) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const good = (of) => of.map((cell) => cell && total(cell));
  const per = (goods, whole) => (cell) => goods[cell] / whole(cell);

  /** A mean of `judging.Mean`: plain, or with weights that bring it to the arrivals of the others; NaN without cells. */
  const mean = ({ cells, weights }, of) => {
    if (!cells.length) return NaN;
    const values = cells.map(of);
    if (!weights) return total(values) / cells.length;
    const sum = total(values.map((value, at) => weights[at] * value));
    return Math.abs(sum) < 1e-12 * Math.max(...values.map(Math.abs)) ? 0 : sum;
  };
  const goodput = (data, goods) => per(goods, (cell) => data.cells[cell].window_s);
  const attainment = (data, goods) => per(goods, (cell) => data.cells[cell].offered);

  /** A setting at a load as the command tells it: the mean goodput of its stretches, the attainment of all requests. */
  const told = (data, goods, cells) => ({
    goodput: mean({ cells }, goodput(data, goods)),
    attainment: total(cells.map((cell) => goods[cell])) / total(cells.map((cell) => data.cells[cell].offered)),
  });

  const wilson = (hits, n) => {
    const [p, z2] = [hits / n, Z_95 ** 2];
    const middle = p + z2 / (2 * n);
    const half = Z_95 * Math.sqrt(Math.max(0, (p * (1 - p)) / n + z2 / (4 * n * n)));
    const scale = 1 + z2 / n;
    return [hits <= 0 ? 0 : Math.max(0, (middle - half) / scale), hits >= n ? 1 : Math.min(1, (middle + half) / scale)];
  };

  /** Of a load class in these cells: its share in time with the ends of its interval; null where none was offered. */
  const served = (data, of, cells, k) => {
    const known = cells.filter((cell) => of[cell] !== null);
    const offered = total(known.map((cell) => data.cells[cell].offered_of[k]));
    if (!offered) return null;
    const hits = total(known.map((cell) => of[cell][k]));
    const [low, high] = wilson(hits, offered);
    const shares = known.map((cell) => of[cell][k] / Math.max(1, data.cells[cell].offered_of[k]));
    if (shares.length < 3) return { share: hits / offered, low, high };
    const middle = total(shares) / shares.length;
    const sd = Math.sqrt(total(shares.map((share) => (share - middle) ** 2)) / (shares.length - 1));
    const half = data.share_widths[shares.length] * sd;
    return { share: hits / offered, low: Math.min(low, middle - half), high: Math.max(high, middle + half) };
  };

  /** Places of the load classes ("" for everybody) whose share in these cells is below their objective's, or `surely` so. */
  const missed = (data, of, bounds, cells, surely = false) => data.objectives.map((_, k) => k).filter((k) => {
    const seen = served(data, of, cells, k);
    return seen !== null && (surely ? seen.high : seen.share) < bounds[k].attainment;
  });
  const named = (data, classes) => classes.map((k) => data.objectives[k].name);

  // Whether the data show the first cells above the second (stats/goodput.py). Below three common traces the command
  // draws spans of time; here good requests stand for independent ones, which makes the interval wider.
  const above = (data, goods, first, second) => {
    const met = (cell) => data.cells[cell].arrivals;
    const pairs = first.flatMap((a) => second.filter((b) => met(a) === met(b)).map((b) => [a, b]));
    const n = pairs.length;
    if (n === 0) return false;
    const of = goodput(data, goods);
    const mean = (values) => total(values) / n;
    const values = pairs.map(([a, b]) => of(a) - of(b));
    const middle = mean(values);
    if (n >= 3) {
      const spread = Math.sqrt(total(values.map((value) => (value - middle) ** 2)) / (n - 1));
      const sd = Math.max(spread, 0.5 / data.cells[pairs[0][0]].window_s);
      return middle - (data.half_widths[n] * sd) / Math.sqrt(n) > 0;
    }
    const top = Math.max(mean(pairs.map(([a]) => of(a))), mean(pairs.map(([, b]) => of(b))));
    const variance = mean(pairs.map(([a, b]) => of(a) / data.cells[a].window_s + of(b) / data.cells[b].window_s)) / n;
    return middle - Z_95 * Math.hypot(Math.sqrt(variance), data.run_to_run * Math.sqrt(2 / n) * top) > 0;
  };

  /** Least worst-case regret over the loads, and modesty where it is free (stats/choice.py); null: nobody is good. */
  const choose = (data, of_class, bounds) => {
    const { contenders: whole, bars, raced, nominal } = data.choice;
    const goods = good(of_class);
    const loads = data.choice.loads.map((_, at) => at);
    const of = goodput(data, goods);
    const values = whole.map((one) => one.means.map((one) => mean(one, of)));
    const best = loads.map((load) => Math.max(...values.map((own) => own[load]), ...bars[load].map((bar) => mean(bar, of))));
    if (!whole.length || !best.some((value) => value > 0)) return null;
    const regrets = values.map((own) => Math.max(...loads.map((load) => (best[load] > 0 ? 1 - own[load] / best[load] : 0))));
    // Every load class has to be satisfied (decide/load_classes.py), unless no setting does; here its requests stand for
    // independent ones.
    const there = whole.map((one) => [...new Set([...one.cells[nominal], ...one.told[nominal]])]);
    const surely = there.map((cells) => (byClass(data) ? missed(data, of_class, bounds, cells, true) : []));
    const nobody = surely.every((classes) => classes.length);
    // Left out is who misses a class that one who surely misses none serves surely better.
    const better = there.filter((_, at) => !surely[at].length);
    const outdone = (at, k) => better.some((cells) => (served(data, of_class, cells, k)?.low ?? 0) > served(data, of_class, there[at], k).share);
    const ruled = surely.map((classes, at) => (nobody ? classes : classes.filter((k) => outdone(at, k))));
    const left = whole.map((_, at) => !nobody && ruled[at].length > 0);
    const winner = regrets.indexOf(Math.min(...regrets.filter((_, at) => !left[at])));
    const beaten = (at) => loads.some((load) => above(data, goods, whole[winner].cells[load], whole[at].cells[load]));
    const tied = whole.map((_, at) => at).filter((at) => !left[at] && (at === winner || !beaten(at)));
    const chosen = tied.find((at) => regrets[at] <= regrets[winner] + data.indifference);
    return {
      setting: whole[chosen].setting,
      regret: regrets[chosen],
      nobody,
      left: ruled.filter((_, at) => left[at]).map((classes) => named(data, classes)),
      // A race tells settings apart by joint draws, which are not made here.
      tied: raced ? [] : tied.filter((at) => at !== chosen).map((at) => whole[at].setting),
      loads: loads.map((load) => ({
        ...data.choice.loads[load], ...told(data, goods, whole[chosen].told[load]), note: whole[chosen].notes[load],
        missed: named(data, missed(data, of_class, bounds, whole[chosen].told[load])),
      })),
    };
  };

  /** Under which loads which load class misses its objective. */
  const marginOfClasses = (loads) => {
    const missing = loads.filter((load) => load.missed.length);
    if (!missing.length) return "Every load class meets its objective at every load.";
    return missing.map((load) => `Under ${load.name} ${load.missed.join(" and ")} ${load.missed.length > 1 ? "miss" : "misses"} the objective of the class.`).join(" ");
  };

  /** Up to which load it meets the target, a sentence per workload (answer.py). */
  const margin = (loads, target) => [...new Set(loads.map((load) => load.workload))].map((workload) => {
    const lowest = new Map();
    for (const load of loads.filter((one) => one.workload === workload)) {
      const before = lowest.get(load.rate_per_s);
      if (!before || load.attainment < before.attainment) lowest.set(load.rate_per_s, load);
    }
    const rates = [...lowest.values()].sort((a, b) => a.rate_per_s - b.rate_per_s);
    const met = rates.filter((load) => load.attainment >= target).pop();
    const name = workload ? `${workload}: ` : "";
    if (!met) return `${name}It misses the target of ${percent(target)} at every load.`;
    const missed = rates.find((load) => load.rate_per_s > met.rate_per_s);
    const above = missed
      ? `; under ${missed.rate} its attainment is ${percent(missed.attainment)}.`
      : ", the highest that was measured: where it breaks was not reached.";
    return `${name}It meets the objective up to the load of ${met.rate}${above}`;
  }).join(" ");

  return {
    AXES, attainment, between, byClass, choose, count, edges, good, goodOf, goodput, margin, marginOfClasses, mean, missed,
    objective, percent, rate, significant, snapped, span, unpack, wilson,
  };
})();
