// Asking, choosing, and what a person asks for: a trace, why, a blocklace. The address holds the token; see the server.

const state = {view: null, node: null, domain: {domain: null, node: null}, topic: null, paused: false};

async function ask(what, as_text = false) {
  const reply = await fetch(what, {cache: "no-store"});
  if (as_text && reply.ok) return reply.text();
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error ? answer.error.detail || answer.error.code : reply.statusText);
  return answer;
}

// Asked for again only when the domain has changed. Its style is kept from the page's by a shadow root.
async function show_lace(box, node, domain, version) {
  const wanted = [node, domain, version].join(" ");
  if (box.wanted === wanted) return;
  box.wanted = wanted;
  const root = box.shadowRoot || box.attachShadow({mode: "open"});
  try {
    const text = await ask(`api/lace.svg?node=${node}&domain=${encodeURIComponent(domain)}`, true);
    if (box.wanted !== wanted) return;
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    const style = document.createElement("style"); // on the page's own ground
    style.textContent = "svg { background: none !important } .lane:not(.odd) { fill: none !important }";
    root.replaceChildren(document.importNode(svg, true), style);
  } catch (e) {
    box.wanted = null;
    root.replaceChildren(e.message);
  }
}

function draw() {
  const view = state.view;
  if (!view) return;
  const graph = graph_of(view);
  if (!graph.nodes.has(state.node)) state.node = null;
  draw_topology(place("topology"), graph, state.node, id => { state.node = state.node === id ? null : id; draw(); });
  show_node_detail(graph, state.node);
  show_nodes(view);
  show_links(view, graph, state.node);
  show_drops(view);
  show_domains(view, state.domain, choice => { state.domain = choice; draw(); }, show_lace);
  show_topics(view, graph, state.topic, id => { state.topic = id; draw(); });
  show_blocks(view);
  keep(place("why-node"), view.nodes.map((n, index) => ({index, name: n.name || n.socket})), n => n.index,
    n => { const o = document.createElement("option"); o.value = n.index; return o; }, (o, n) => set_text(o, n.name));
}

function say_status(lost) {
  const view = state.view, line = place("status");
  line.className = lost ? "lost" : "";
  if (lost) return set_text(line, "The dashboard does not answer: has `hanse dashboard` ended? What is shown is old.");
  const up = answering(view), silent = view.nodes.length - up.length;
  const rates = sum(up.map(n => n.messages.received.per_s));
  set_text(line, `${view.nodes.length} ${view.nodes.length === 1 ? "node" : "nodes"}` + (silent ? `, ${silent} without an answer` : "") +
    ` · ${number_text(rates)} msg/s · ${new Date(view.at_ms).toLocaleTimeString()}` + (state.paused ? " · paused" : ""));
}

async function look() {
  if (!state.paused && !document.hidden) {
    try {
      const view = await ask("api/now");
      if (!state.paused) state.view = view;
      say_status(false);
      draw();
    } catch (e) {
      if (state.view) say_status(true); else set_text(place("status"), e.message);
    }
  }
  setTimeout(look, 1000);
}

async function show_recent() {
  if (!state.paused && !document.hidden) {
    const box = place("trace-recent");
    if (!box.list) { box.heading = add(box, "h3", {}, ""); box.list = add(box, "div", {class: "recent"}); }
    try {
      const traces = (await ask("api/traces")).traces.slice(0, 24);
      set_text(box.heading, traces.length ? "Newest" : "No traced message so far: `hanse send` makes one.");
      const graph = graph_of(state.view || {nodes: []});
      keep(box.list, traces, t => t.trace, t => {
        const button = document.createElement("button");
        button.type = "button";
        add(button, "span");
        button.append(" ");
        add(button, "code", {}, t.trace.slice(0, 8));
        button.addEventListener("click", () => { place("trace-id").value = t.trace; show_trace(t.trace); });
        return button;
      }, (button, t) => set_text(button.firstChild, `${new Date(t.time_us / 1000).toLocaleTimeString()} ${called(graph, t.source)} → ${called(graph, t.destination)}`));
    } catch { /* the status line tells */ }
  }
  setTimeout(show_recent, 3000);
}

// The name of a node or of an engine on a watched node, or the short identity. Details of steps have shortened ones.
function called(graph, id) {
  const begin = id && id.endsWith("…") ? id.slice(0, -1) : null;
  const node = begin ? [...graph.nodes.values()].find(n => n.id.startsWith(begin)) : graph.nodes.get(id);
  if (node) return node.name;
  for (const n of graph.nodes.values()) for (const e of n.watched && n.ok ? n.node.engines : [])
    if (e.identity === id) return n.name + "/" + e.name;
  return short_id(id || "?");
}

async function show_trace(id) {
  const box = place("trace-path");
  box.replaceChildren();
  try {
    const told = await ask("api/trace?id=" + encodeURIComponent(id.trim()));
    const silent = told.nodes.filter(n => !n.ok).length;
    if (told.events.length === 0) add(box, "p", {class: "empty"}, "None of the nodes watched here has a record of this trace: it is too old, was before a restart, or went elsewhere.");
    else draw_path(box, told.events, graph_of(state.view || {nodes: []}));
    if (silent > 0) add(box, "p", {class: "bad"}, `${silent} of ${told.nodes.length} nodes did not answer: their steps are missing.`);
  } catch (e) {
    add(box, "p", {class: "bad"}, e.message);
  }
}

// Lanes are nodes, rows are steps.
function draw_path(box, events, graph) {
  const lanes = [...new Set(events.map(e => e.node))], lane_width = 190, row = 30, left = 84, top = 40;
  const width = left + lanes.length * lane_width, height = top + events.length * row + 8;
  add(box, "h3", {}, `${called(graph, events[0].source)} → ${called(graph, events[0].destination)}: ${events.length} steps at ${lanes.length} ${lanes.length === 1 ? "node" : "nodes"}`);
  const svg = add(add(box, "div", {class: "scroll", tabindex: 0}), "svg", {class: "path", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Steps of the message"});
  const x_of = e => left + (lanes.indexOf(e.node) + .25) * lane_width;
  lanes.forEach((lane, i) => {
    const x = left + (i + .25) * lane_width;
    add(svg, "line", {class: "lane", x1: x, x2: x, y1: 26, y2: height});
    add(svg, "text", {class: "head", x, y: 16}, events.find(e => e.node === lane).node_name || short_id(lane));
  });
  add(svg, "polyline", {class: "step", points: events.map((e, i) => `${x_of(e)},${top + i * row}`).join(" ")});
  events.forEach((e, i) => {
    const g = add(svg, "g", {class: e.event === "drop" || e.event === "fault" ? "drop" : ""}), y = top + i * row;
    add(g, "text", {class: "time", x: left - 12, y: y + 4}, "+" + ((e.time_us - events[0].time_us) / 1000).toFixed(2) + " ms");
    add(g, "circle", {cx: x_of(e), cy: y, r: 5});
    const where = {send: " to ", receive: " from "}[e.event] || " ";
    const text = e.event + (e.detail ? where + (e.detail.startsWith("hk1") ? called(graph, e.detail) : e.detail) : "");
    add(g, "text", {x: x_of(e) + 12, y: y + 4}, text.length > 24 ? text.slice(0, 23) + "…" : text);
    add(g, "title", {}, `${e.event} ${e.detail}\nfrom ${e.source}\nto ${e.destination}\nid ${e.id}`);
  });
}

async function show_why(node, destination) {
  const box = place("why-answer");
  box.replaceChildren();
  try {
    const said = await ask(`api/why?node=${node}&destination=${encodeURIComponent(destination)}`);
    add(box, "p", {}, `${said.kind}: ${said.reason}`);
    show_table(add(box, "div", {class: "scroll"}), [{title: "candidate"}, {title: "verdict"}, {title: "link"}, {title: "trust", number: true}, {title: "reputation", number: true}, {title: "round trip", number: true}, {title: "reason"}],
      said.candidates.map((c, i) => ({key: i, tone: c.verdict === "chosen" ? "good" : "", cells: [c.name || short_id(c.node || ""), c.verdict, c.local ? "here" : c.connected ? "up" : "none", String(c.trust),
        String(c.reputation), c.rtt_us === null ? "–" : duration_text(c.rtt_us), c.reason]})), "no candidates");
  } catch (e) {
    add(box, "p", {class: "bad"}, e.message);
  }
}

place("trace-form").addEventListener("submit", e => { e.preventDefault(); show_trace(place("trace-id").value); });
place("why-form").addEventListener("submit", e => { e.preventDefault(); show_why(place("why-node").value, place("why-destination").value.trim()); });
place("pause").addEventListener("click", e => {
  state.paused = !state.paused;
  e.target.setAttribute("aria-pressed", state.paused);
  if (state.view) say_status(false);
});
addEventListener("resize", draw);
look();
show_recent();
