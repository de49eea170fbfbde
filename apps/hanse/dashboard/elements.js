// Making and renewing elements. Everything from a node goes in as text, never as markup.
"use strict";

const svg_space = "http://www.w3.org/2000/svg";

function set_attributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes))
    if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
  return element;
}

function add(parent, tag, attributes = {}, text = null) {
  const is_svg = tag === "svg" || parent.namespaceURI === svg_space;
  const element = is_svg ? document.createElementNS(svg_space, tag) : document.createElement(tag);
  set_attributes(element, attributes);
  if (text !== null) element.textContent = text;
  parent.append(element);
  return element;
}

function set_text(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Keeps one child of `parent` per item, by key, in the order of `items`: what has the focus keeps it.
function keep(parent, items, key_of, make, renew) {
  const old = parent.kept || new Map(), now = new Map();
  let at = null;
  for (const item of items) {
    const key = key_of(item);
    const element = old.get(key) || make(item);
    now.set(key, element);
    renew(element, item);
    const next = at ? at.nextSibling : parent.firstChild;
    if (next !== element) parent.insertBefore(element, next);
    at = element;
  }
  for (const [key, element] of old) if (!now.has(key)) element.remove();
  parent.kept = now;
}

// columns: [{title, number: true?}]; rows: [{key, cells: [text, …], tone: "bad"?}]
function show_table(place, columns, rows, nothing) {
  if (!place.table) {
    place.nothing = add(place, "p", {class: "empty"});
    place.table = add(place, "table");
    const head = add(add(place.table, "thead"), "tr");
    for (const c of columns) add(head, "th", c.number ? {class: "n", scope: "col"} : {scope: "col"}, c.title);
    place.rows = add(place.table, "tbody");
  }
  place.table.hidden = rows.length === 0;
  place.nothing.hidden = rows.length > 0;
  set_text(place.nothing, nothing);
  keep(place.rows, rows, r => r.key, r => {
    const row = document.createElement("tr");
    r.cells.forEach((_, i) => add(row, "td", columns[i].number ? {class: "n"} : {}));
    return row;
  }, (row, r) => {
    row.className = r.tone || "";
    r.cells.forEach((text, i) => set_text(row.children[i], text));
  });
}

// Buttons of which one is pressed.
function show_choices(place, items, chosen, choose) {
  place.choose = choose;
  keep(place, items, i => i.key, i => {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => place.choose(i.key));
    return button;
  }, (button, i) => {
    set_text(button, i.text);
    set_attributes(button, {"aria-pressed": i.key === chosen});
  });
}

function number_text(x) {
  if (x === null || x === undefined) return "–";
  if (x <= 0) return "0";
  if (x >= 9995) return (x / 1000).toFixed(x >= 99950 ? 0 : 1) + "k";
  return x.toFixed(x >= 9.95 ? 0 : 1);
}

function size_text(octets) {
  if (octets === null || octets === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (octets >= 1024 && unit < 4) { octets /= 1024; unit++; }
  return (unit === 0 ? Math.round(octets) : octets.toFixed(1)) + " " + units[unit];
}

function duration_text(us) {
  if (us === null || us === undefined) return "–";
  if (us < 1000) return "<1 ms"; // links measure in milliseconds
  if (us < 1e6) return (us / 1000).toFixed(us < 1e4 ? 1 : 0) + " ms";
  const s = Math.floor(us / 1e6);
  if (s < 120) return s + " s";
  if (s < 7200) return Math.floor(s / 60) + " min";
  return s < 172800 ? Math.floor(s / 3600) + " h" : Math.floor(s / 86400) + " d";
}

function rate(counter) { return number_text(counter ? counter.per_s : null); }
function octet_rate(counter) { return size_text(counter ? counter.per_s : null); }
function short_id(id) { return id.length > 15 ? id.slice(0, 9) + "…" + id.slice(-4) : id; }
function sum(values) {
  const known = values.filter(v => v !== null && v !== undefined);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
}
