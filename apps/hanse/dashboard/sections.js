// The sections below the topology, each from the whole view; what several nodes tell of one thing is put together.

const place = id => document.getElementById(id);
const answering = view => view.nodes.filter(n => n.ok);

function show_nodes(view) {
  show_table(place("nodes"), [{title: "node"}, {title: "up", number: true}, {title: "links", number: true},
    {title: "msg/s in", number: true}, {title: "out", number: true}, {title: "octets/s in", number: true}, {title: "out", number: true},
    {title: "engines"}],
    view.nodes.map(n => ({key: n.socket, tone: n.ok ? "" : "bad", cells: n.ok ? [n.name, duration_text(n.uptime_ms * 1000),
      String(n.links.filter(l => l.connected).length), rate(n.messages.received), rate(n.messages.sent),
      octet_rate(n.octets.received), octet_rate(n.octets.sent), n.engines.map(e => e.name).join(", ")]
      : [n.name || n.socket, "no answer", "", "", "", "", "", n.error.code]})), "no nodes");
}

function show_links(view, graph, chosen) {
  const rows = [...graph.links.values()].filter(l => !chosen || l.a === chosen || l.b === chosen)
    .sort((x, y) => graph.nodes.get(x.a).name.localeCompare(graph.nodes.get(y.a).name, "en", {numeric: true}));
  show_table(place("links"), [{title: "link, as the first sees it"}, {title: "round trip", number: true}, {title: "loss", number: true},
    {title: "msg/s in", number: true}, {title: "out", number: true}, {title: "octets/s in", number: true}, {title: "out", number: true},
    {title: "queue", number: true}, {title: "transport"}],
    rows.map(({key, a, b, link: l}) => ({key, cells: [`${graph.nodes.get(a).name} – ${graph.nodes.get(b).name}`, l.rtt_us === null ? "–" : duration_text(l.rtt_us),
      l.loss === null ? "–" : (l.loss * 100).toFixed(1) + " %", rate(l.messages_in), rate(l.messages_out), octet_rate(l.octets_in),
      octet_rate(l.octets_out), String(l.queued), l.transport || ""]})), "no links");
}

function show_drops(view) {
  const reasons = new Map();
  for (const n of answering(view)) for (const [reason, count] of Object.entries(n.drops)) {
    const r = reasons.get(reason) || {reason, total: 0, per_s: null, where: []};
    r.total += count.total;
    r.per_s = sum([r.per_s, count.per_s]);
    r.where.push(`${n.name} ${count.total}`);
    reasons.set(reason, r);
  }
  const rows = [...reasons.values()].sort((a, b) => b.total - a.total);
  const box = place("drops");
  if (!box.bars) { box.nothing = add(box, "p", {class: "empty"}, "nothing was dropped"); box.bars = add(box, "div", {class: "bars"}); }
  box.nothing.hidden = rows.length > 0;
  keep(box.bars, rows, r => r.reason, () => {
    const bar = document.createElement("div");
    bar.className = "bar";
    const row = add(bar, "div", {class: "row"});
    add(row, "b");
    add(row, "span");
    add(add(bar, "div", {class: "track"}), "div", {class: "fill"});
    add(bar, "div", {class: "dim"});
    return bar;
  }, (bar, r) => {
    const [row, track, where] = bar.children;
    set_text(row.children[0], r.reason);
    set_text(row.children[1], `${r.total}${r.per_s ? `, ${number_text(r.per_s)} a second` : ""}`);
    track.firstChild.style.width = Math.max(2, 100 * r.total / rows[0].total) + "%";
    set_text(where, r.where.join(", "));
  });
}

function show_node_detail(graph, chosen) {
  const list = place("node-detail"), n = chosen && graph.nodes.get(chosen);
  list.hidden = !n;
  if (!n) return;
  const about = [["node", n.name], ["identity", n.id]];
  if (n.watched && n.ok) about.push(["addresses", n.node.addresses.join(", ")], ["runs", `version ${n.node.version}, process ${n.node.pid}`],
    ["engines", n.node.engines.map(e => `${e.name} (${e.protocols.join(", ")})`).join("; ") || "none"], ["socket", n.node.socket]);
  else if (n.watched) about.push(["no answer", `${n.node.error.code}: ${n.node.error.detail}`], ["socket", n.node.socket]);
  else about.push(["", "not watched here: only what its neighbours tell of it is known"]);
  keep(list, about.flatMap(([name, value]) => [{key: name + " name", tag: "dt", text: name}, {key: name + " value", tag: "dd", text: value}]),
    i => i.key, i => document.createElement(i.tag), (e, i) => set_text(e, i.text));
}

// domain → what each watched node says of it
function domains_of(view) {
  const domains = new Map();
  for (const [index, n] of view.nodes.entries()) for (const d of n.ok ? n.domains : []) {
    if (!domains.has(d.domain)) domains.set(d.domain, {id: d.domain, name: d.name || short_id(d.domain), told: []});
    domains.get(d.domain).told.push({index, node: n, d});
  }
  return [...domains.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function show_domains(view, chosen, choose, ask_lace) {
  const box = place("domains"), domains = domains_of(view);
  if (!box.parts) {
    box.parts = {nothing: add(box, "p", {class: "empty"}, "the watched nodes know no domain"), choices: add(box, "div", {class: "choices"}), about: add(box, "p", {class: "dim"})};
    const two = add(box, "div", {class: "two"}), left = add(two, "div"), right = add(two, "div");
    add(left, "h3", {}, "Members");
    box.parts.members = add(left, "div", {class: "scroll"});
    add(left, "h3", {}, "Nodes in it");
    box.parts.nodes = add(left, "div", {class: "scroll"});
    add(right, "h3", {}, "Blocklace, as one node has it");
    box.parts.from = add(right, "div", {class: "choices"});
    box.parts.lace = add(right, "div", {class: "lace", tabindex: 0, role: "group", "aria-label": "Blocklace"});
    add(right, "p", {class: "note"}, "A lane for each member, newer blocks below. Red: an equivocation. A dashed ring: not acknowledged yet. Point at a block to see what it says.");
    box.parts.two = two;
  }
  const p = box.parts, domain = domains.find(d => d.id === chosen.domain) || domains[0];
  p.nothing.hidden = !!domain;
  p.choices.hidden = p.about.hidden = p.two.hidden = !domain;
  if (!domain) return;
  show_choices(p.choices, domains.map(d => ({key: d.id, text: d.name})), domain.id, id => choose({domain: id, node: null}));
  const inside = domain.told.filter(t => t.d.role === "member");
  const best = inside.reduce((a, b) => (!a || b.d.online > a.d.online ? b : a), null);
  const states = new Set(inside.map(t => t.d.state));
  const byzantine = new Set(inside.flatMap(t => t.d.byzantine || []));
  set_text(p.about, `${short_id(domain.id)}: ${best ? best.d.members : 0} members, ${best ? best.d.online : 0} online` +
    (best ? `; ${best.d.blocks} blocks; ` + (states.size === 1 ? "watched members agree" : `watched members have ${states.size} states`) : "; no watched node is in it") +
    (byzantine.size ? `; ${byzantine.size} equivocated` : ""));
  show_table(p.members, [{title: "member"}, {title: "level", number: true}, {title: "online"}, {title: "note"}],
    best ? best.d.list.sort((a, b) => a.level - b.level || a.name.localeCompare(b.name, "en", {numeric: true})).map(m => ({key: m.identity, tone: m.byzantine ? "bad" : "", cells: [m.name || short_id(m.identity), String(m.level),
      m.online ? "yes" : "no", m.byzantine ? "equivocated: expel it" : ""]})) : [], "no members are known here");
  show_table(p.nodes, [{title: "node"}, {title: "role"}, {title: "blocks", number: true}, {title: "pending", number: true}, {title: "state"}, {title: "spreads events by"}],
    domain.told.map(t => ({key: t.node.socket, cells: [t.node.name, t.d.role + (t.d.introduces ? ", introducer" : ""), String(t.d.blocks), String(t.d.pending),
      (t.d.state || "").slice(0, 8), ((t.d.protocols || {}).dissemination || {}).protocol || ""]})), "");
  const from = inside.find(t => t.index === chosen.node) || best;
  p.from.hidden = !from;
  if (!from) { p.lace.hidden = true; return; }
  p.lace.hidden = false;
  show_choices(p.from, inside.map(t => ({key: t.index, text: t.node.name})), from.index, index => choose({domain: domain.id, node: index}));
  ask_lace(p.lace, from.index, domain.id, from.d.state + " " + from.d.blocks);
}

function show_topics(view, graph, chosen, choose) {
  const box = place("topics"), topics = new Map();
  for (const n of answering(view)) for (const t of n.topics) {
    const all = topics.get(t.topic) || {id: t.topic, name: t.name || short_id(t.topic), told: [], members: new Set()};
    all.told.push(t);
    t.nodes.forEach(id => all.members.add(id));
    if (t.here) all.members.add(n.identity); // a node does not list itself
    topics.set(t.topic, all);
  }
  const list = [...topics.values()].sort((a, b) => a.name.localeCompare(b.name)), total = (t, key) => sum(t.told.map(x => x[key].total)) || 0;
  if (!box.parts) {
    box.parts = {table: add(box, "div", {class: "scroll"}), choices: add(box, "div", {class: "choices"}), about: add(box, "p", {class: "note"}), net: add(box, "div")};
    box.parts.choices.style.marginTop = "12px";
  }
  const p = box.parts;
  show_table(p.table, [{title: "topic"}, {title: "spreads by"}, {title: "nodes", number: true}, {title: "events/s", number: true}, {title: "delivered/s", number: true},
    {title: "twice", number: true}, {title: "repaired", number: true}, {title: "pending", number: true}, {title: "lost", number: true}, {title: "refused", number: true}, {title: "tags"}],
    list.map(t => ({key: t.id, tone: t.told.some(x => x.forked.length) ? "bad" : "", cells: [t.name, t.told.map(x => x.dissemination).find(x => x) || "", String(t.members.size),
      number_text(sum(t.told.map(x => x.published.per_s))), number_text(sum(t.told.map(x => x.delivered.per_s))), String(total(t, "duplicates")), String(total(t, "repaired")),
      String(sum(t.told.map(x => x.pending)) || 0), String(sum(t.told.map(x => x.lost)) || 0), String(total(t, "unauthorised") + total(t, "invalid")), t.told[0].tags.join(", ")]})),
    "the watched nodes know no topic");
  const topic = list.find(t => t.id === chosen) || list.find(t => t.members.size > 0) || list[0];
  p.choices.hidden = p.net.hidden = p.about.hidden = !topic;
  if (!topic) return;
  show_choices(p.choices, list.map(t => ({key: t.id, text: t.name})), topic.id, choose);
  const by = topic.told.map(t => t.dissemination).find(x => x) || "";
  const forked = new Set(topic.told.flatMap(t => t.forked));
  set_text(p.about, topic.members.size === 0 ? "Nobody takes part in it."
    : (by.startsWith("plumtree") ? "Solid: links of the spanning tree, events run along them at once. Dotted: links that only announce."
      : `With ${by || "this protocol"} each node sends an event to all of its neighbours at once (solid).`)
      + (forked.size ? ` ${forked.size} publisher contradicted itself.` : ""));
  const members = [...topic.members].sort((a, b) => ((graph.nodes.get(a) || {}).name || a).localeCompare((graph.nodes.get(b) || {}).name || b, "en", {numeric: true}));
  p.net.hidden = members.length === 0;
  if (members.length > 0) draw_topic(p.net, graph, topic.id, members);
}

// Whatever nodes say of their blocks in numbers, and what is wrong: a row for each that is not zero everywhere, a column
// for each node.
function show_blocks(view) {
  const told = answering(view).filter(n => n.blocks), rows = new Map(), box = place("blocks");
  place("blocks-section").hidden = told.length === 0;
  if (told.length === 0) return;
  const take = (value, path, column) => {
    if (Array.isArray(value)) value.forEach((v, i) => take(v, [...path, v && v.name || String(i + 1)], column));
    else if (value !== null && typeof value === "object") for (const [k, v] of Object.entries(value)) take(v, [...path, k], column);
    else if (typeof value === "number" || (value && path.at(-1) === "why")) {
      const what = (path[0] === "domains" ? `in ${path[1]}: ` + path.slice(2).join(" ") : path.join(" ")).replaceAll("_", " ");
      if (!rows.has(what)) rows.set(what, {key: what, tone: path.at(-1) === "why" ? "bad" : "", cells: [what, ...told.map(() => "")]});
      rows.get(what).cells[column] = path.some(p => p.includes("octets")) ? size_text(value) : String(value);
    }
  };
  told.forEach((n, i) => take(n.blocks, [], i + 1));
  const names = told.map(n => n.name), drawn = names.join(" ");
  if (box.drawn !== drawn) { box.replaceChildren(); box.table = null; box.drawn = drawn; }
  const some = [...rows.values()].filter(r => r.cells.slice(1).some(c => !["", "0", "0 B"].includes(c)));
  show_table(box, [{title: "what is not zero"}, ...names.map(title => ({title, number: true}))],
    some.sort((a, b) => a.key.startsWith("in ") - b.key.startsWith("in ") || a.key.localeCompare(b.key)), "all zero");
}
