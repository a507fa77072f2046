"use strict";
// Elements and numbers. Texts of the run are only ever set as text, never as HTML.
const data = JSON.parse(document.getElementById("data").textContent);

function put(parent, name, attributes, ...children) {
  const svg = parent instanceof SVGElement || name === "svg";
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children) made.append(child instanceof Node ? child : String(child));
  if (parent) parent.append(made);
  return made;
}

const whole = (value) => (value === null || value === undefined ? "unknown" : Math.round(value).toLocaleString("en"));
const percent = (value) => `${(100 * value).toFixed(1)} %`;

function decimal(value, digits = 3) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

function short(value) { // 12,300,000 -> "12.3 M"
  if (value === null || value === undefined) return "unknown";
  for (const [size, unit] of [[1e12, " T"], [1e9, " G"], [1e6, " M"], [1e3, " k"]]) {
    if (Math.abs(value) >= size) return `${+(value / size).toPrecision(3)}${unit}`;
  }
  return String(+value.toPrecision(3));
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function bytes(value) {
  for (const [size, unit] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return `${value} B`;
}

function numbers(text, kind) { // base64 of little-endian whole numbers
  const raw = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)), view = new DataView(raw.buffer);
  const signed = kind === Int16Array, found = new kind(raw.length / 2);
  for (let i = 0; i < found.length; i++) found[i] = signed ? view.getInt16(2 * i, true) : view.getUint16(2 * i, true);
  return found;
}

// A table with columns of text ("") or numbers ("n"). A cell is a text, a number or an element.
function putTable(parent, columns, rows) {
  const table = put(put(parent, "div", { class: "scroll" }), "table");
  const head = put(put(table, "thead"), "tr"), body = put(table, "tbody");
  for (const [name, kind] of columns) put(head, "th", { scope: "col", class: kind }, name);
  for (const row of rows) {
    const line = put(body, "tr");
    row.forEach((cell, at) => put(line, "td", { class: columns[at][1] || "wrap", "data-name": at ? columns[at][0] : null }, cell));
  }
  return table;
}

const content = document.getElementById("content"), tip = document.getElementById("tip");

function section(id, title, note) {
  const card = put(content, "section", { class: "card", id, "aria-labelledby": `${id}-title` });
  put(card, "h2", { id: `${id}-title` }, title);
  if (note) put(card, "p", { class: "note" }, note);
  put(document.getElementById("sections"), "a", { href: `#${id}` }, title);
  return card;
}

function showTip(x, y, title, text) {
  tip.replaceChildren();
  put(tip, "b", {}, title);
  tip.append(text);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 6))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18}px`;
}

function hideTip() { tip.hidden = true; }
addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });

// Draw now, and again whenever the width changes: letters keep their size on every screen.
function onWidth(element, draw) {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.round(element.clientWidth);
    if (now && now !== width) draw(width = now);
  }).observe(element);
}
