// Text whose contrast with what is behind it is below WCAG AA: [text, ratio, colour], none when all is well.
(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g); return m ? m.map(Number) : null; };
  const bright = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const behind = (at) => { for (; at; at = at.parentElement) { const c = parse(getComputedStyle(at).backgroundColor);
    if (c && (c.length < 4 || c[3] > 0.5)) return c; } return [255, 255, 255]; };
  const poor = [];
  for (const at of document.querySelectorAll("body *")) {
    const own = [...at.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const box = at.getBoundingClientRect();
    if (!own || box.width === 0 || at.closest("script, style, #matrix svg")) continue;
    const style = getComputedStyle(at);
    const ink = parse(at.closest("svg") ? style.fill : style.color);
    const [a, b] = [bright(ink), bright(behind(at))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) poor.push([at.textContent.trim().slice(0, 40), Math.round(ratio * 100) / 100, style.color]);
  }
  return poor;
})()
