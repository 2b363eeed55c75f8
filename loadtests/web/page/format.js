// Numbers for people: three digits, units, a dash for what is not known.

export function number(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-GB");
  if (size >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && Math.abs(value) < 1) return `${number(value * 1000)} ms`;
  return value < 120 ? `${number(value)} s` : span(value);
}

export function span(value) {
  const whole = Math.round(value);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = whole % 60;
  return [hours ? `${hours} h` : "", minutes ? `${minutes} min` : "", rest || !whole ? `${rest} s` : ""]
    .filter(Boolean).join(" ");
}

export const share = (value) => (value === null || value === undefined ? "–" : `${number(100 * value)} %`);

export const perSecond = (value) => (value === null || value === undefined ? "–" : `${number(value)}/s`);

export function when(unixSeconds) {
  return new Date(unixSeconds * 1000).toLocaleString("en-GB", {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  });
}

export const counted = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;
