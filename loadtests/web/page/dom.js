// Making elements. What comes from a server becomes text, never markup.

export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

export const byId = (id) => document.getElementById(id);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A table with a head, numbers at the right. columns: [{title, n}], rows: arrays of texts or elements.
export function table(caption, columns, rows) {
  const head = el("tr", {}, ...columns.map((c) => el("th", { scope: "col", class: c.n ? "n" : null }, c.title)));
  const body = rows.map((cells) =>
    el("tr", {}, ...cells.map((cell, k) => el("td", { class: columns[k].n ? "n" : null }, cell ?? "–"))));
  return el("table", {}, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...body));
}

// What may be wider than its box scrolls inside it, by keyboard too.
export function scrolling(name, content) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, content);
}
