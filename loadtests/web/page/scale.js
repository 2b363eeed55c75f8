// Axes: where a value lies, and which values get a line. Logarithmic where the span asks for it.

const WIDE = 15; // largest over smallest value from which on a linear axis would flatten the small ones
const ABOVE = 1.1; // room above a bound for its name

// values: what is drawn; bounds: what has to be on the axis too; mayBeLog: whether the quantity may be shown so.
export function scale(values, bounds, mayBeLog) {
  const positive = values.filter((value) => value > 0);
  const top = Math.max(...positive, ...bounds.map((bound) => bound * ABOVE), 0);
  const least = Math.min(...positive);
  return mayBeLog && positive.length && top / least > WIDE ? logarithmic(Math.min(least, ...bounds), top) : linear(top);
}

function linear(top) {
  const step = niceStep((top || 1) / 4);
  const end = step * Math.max(1, Math.ceil((top || 1) / step - 1e-9));
  const ticks = [];
  for (let k = 0; k * step <= end * 1.0001; k += 1) ticks.push(Number((k * step).toPrecision(12)));
  return { share: (value) => Math.max(0, value) / end, ticks, log: false };
}

function logarithmic(least, top) {
  const from = Math.floor(Math.log10(least));
  const to = Math.max(from + 1, Math.ceil(Math.log10(top)));
  const ticks = [];
  for (let power = from; power <= to; power += 1) ticks.push(Number(`1e${power}`));
  const share = (value) => (value > 0 ? Math.max(0, (Math.log10(value) - from) / (to - from)) : 0);
  return { share, ticks, log: true };
}

// 1, 2, 2.5 or 5 times a power of ten, at least as large.
export function niceStep(least) {
  const ten = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 2.5, 5, 10].map((k) => k * ten).find((step) => step >= least * 0.9999);
}
