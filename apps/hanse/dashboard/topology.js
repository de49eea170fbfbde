// Pictures of nodes on an ellipse: the topology with its rates, and a topic's tree.

// Everything that nodes tell of each other, as one graph: {nodes: Map by identity, links: Map by pair}.
function graph_of(view) {
  const nodes = new Map(), links = new Map();
  view.nodes.forEach((n, index) => {
    const id = n.identity || n.socket;
    nodes.set(id, {id, name: n.name || short_id(n.identity || n.socket.split("/").slice(-3)[0]), watched: true, ok: n.ok, index, node: n});
  });
  for (const n of view.nodes) {
    if (!n.ok) continue;
    for (const l of n.links) {
      if (!nodes.has(l.peer)) nodes.set(l.peer, {id: l.peer, name: l.name || short_id(l.peer), watched: false, ok: l.connected});
      if (!l.connected) continue;
      const key = [n.identity, l.peer].sort().join(" ");
      if (!links.has(key)) links.set(key, {key, a: n.identity, b: l.peer, link: l});
    }
  }
  return {nodes: new Map([...nodes].sort((x, y) => x[1].name.localeCompare(y[1].name, "en", {numeric: true}))), links};
}

// Where each node is; y grows downwards.
function places_of(ids, width, height) {
  const at = new Map();
  ids.forEach((id, i) => {
    const angle = 2 * Math.PI * i / Math.max(1, ids.length) - Math.PI / 2;
    const x = ids.length === 1 ? width / 2 : width / 2 + (width / 2 - 62) * Math.cos(angle);
    const y = ids.length === 1 ? height / 2 : height / 2 + (height / 2 - 50) * Math.sin(angle);
    at.set(id, {x, y, above: y < height / 2 - 1});
  });
  return at;
}

function sized_svg(place, label) {
  const width = Math.max(280, Math.floor(place.clientWidth));
  const height = Math.round(Math.min(440, Math.max(260, width * .55)));
  if (!place.svg) {
    place.svg = add(place, "svg", {class: "net", role: "group", "aria-label": label});
    place.edges = add(place.svg, "g");
    place.labels = add(place.svg, "g");
    place.dots = add(place.svg, "g");
  }
  set_attributes(place.svg, {viewBox: `0 0 ${width} ${height}`, height});
  return {width, height};
}

function draw_nodes(place, nodes, at, chosen, choose, text_of) {
  place.choose_node = choose;
  keep(place.dots, nodes, n => n.id, n => {
    const g = document.createElementNS(svg_space, "g");
    set_attributes(g, {tabindex: 0, role: "button"});
    add(g, "circle", {r: 11});
    add(g, "text");
    add(g, "text", {class: "small"});
    add(g, "title");
    g.addEventListener("click", () => place.choose_node(n.id));
    g.addEventListener("keydown", e => {
      if (e.key === "Enter" || e.key === " ") { e.preventDefault(); place.choose_node(n.id); }
    });
    return g;
  }, (g, n) => {
    const p = at.get(n.id), [circle, name, more, title] = g.children;
    g.setAttribute("class", "node" + (n.watched ? " watched" : "") + (n.ok ? "" : " down") + (n.id === chosen ? " chosen" : ""));
    set_attributes(g, {"aria-pressed": n.id === chosen, "aria-label": n.name + " " + text_of(n)});
    set_attributes(circle, {cx: p.x.toFixed(1), cy: p.y.toFixed(1)});
    set_attributes(name, {x: p.x.toFixed(1), y: (p.above ? p.y - 32 : p.y + 27).toFixed(1)});
    set_attributes(more, {x: p.x.toFixed(1), y: (p.above ? p.y - 18 : p.y + 42).toFixed(1)});
    set_text(name, n.name.length > 16 ? n.name.slice(0, 15) + "…" : n.name);
    set_text(more, text_of(n));
    set_text(title, n.name + "\n" + n.id);
  });
}

function draw_topology(place, graph, chosen, choose) {
  const {width, height} = sized_svg(place, "Nodes and links");
  const nodes = [...graph.nodes.values()], links = [...graph.links.values()];
  const at = places_of(nodes.map(n => n.id), width, height);
  const touches = l => !chosen || l.a === chosen || l.b === chosen;
  keep(place.edges, links, l => l.key, () => {
    const line = document.createElementNS(svg_space, "line");
    add(line, "title");
    return line;
  }, (line, l) => {
    const a = at.get(l.a), b = at.get(l.b);
    const octets = sum([l.link.octets_in.per_s, l.link.octets_out.per_s]) || 0;
    set_attributes(line, {x1: a.x.toFixed(1), y1: a.y.toFixed(1), x2: b.x.toFixed(1), y2: b.y.toFixed(1),
      "stroke-width": (1 + Math.min(7, Math.log2(1 + octets / 512))).toFixed(1), class: touches(l) ? "" : "faded"});
    set_text(line.firstChild, `${graph.nodes.get(l.a).name} – ${graph.nodes.get(l.b).name}: ${size_text(octets)}/s, round trip ${duration_text(l.link.rtt_us)}`);
  });
  // A label for each link would hide all else in a large graph; the chosen node's links have theirs.
  const labelled = links.filter(l => chosen ? touches(l) : links.length <= (width < 500 ? 10 : 24));
  keep(place.labels, labelled, l => l.key, () => document.createElementNS(svg_space, "text"), (text, l) => {
    // Not in the middle, where links cross.
    const from = at.get(chosen === l.b ? l.b : l.a), to = at.get(chosen === l.b ? l.a : l.b), t = .36;
    set_attributes(text, {class: "small", x: (from.x + (to.x - from.x) * t).toFixed(1), y: (from.y + (to.y - from.y) * t + 4).toFixed(1)});
    set_text(text, number_text(sum([l.link.messages_in.per_s, l.link.messages_out.per_s])) + "/s");
  });
  draw_nodes(place, nodes, at, chosen, choose, n => {
    if (!n.watched) return n.ok ? "not watched" : "no link";
    return n.ok ? `${rate(n.node.messages.received)} in, ${rate(n.node.messages.sent)} out` : "no answer";
  });
}

// Who gets a topic's payloads from whom, as far as watched nodes tell.
function draw_topic(place, graph, topic_id, members) {
  const {width, height} = sized_svg(place, "Nodes of the topic");
  const nodes = members.map(id => graph.nodes.get(id) || {id, name: short_id(id), watched: false, ok: true});
  const at = places_of(members, width, height), pairs = new Map();
  for (const n of nodes) {
    const told = n.watched && n.ok && n.node.topics.find(t => t.topic === topic_id);
    if (!told) continue;
    for (const peer of told.neighbours || []) {
      if (!at.has(peer)) continue;
      const key = [n.id, peer].sort().join(" "), pair = pairs.get(key) || {key, a: n.id, b: peer, tree: false};
      pair.tree = pair.tree || told.eager.includes(peer);
      pairs.set(key, pair);
    }
  }
  keep(place.edges, [...pairs.values()], p => p.key, () => document.createElementNS(svg_space, "line"), (line, p) => {
    const a = at.get(p.a), b = at.get(p.b);
    set_attributes(line, {x1: a.x.toFixed(1), y1: a.y.toFixed(1), x2: b.x.toFixed(1), y2: b.y.toFixed(1),
      "stroke-width": p.tree ? 2.5 : 1.2, class: p.tree ? "tree" : "lazy"});
  });
  draw_nodes(place, nodes, at, null, () => {}, n => {
    const t = n.watched && n.ok && n.node.topics.find(x => x.topic === topic_id);
    return !n.watched ? "not watched" : t && t.joined ? rate(t.delivered) + "/s" : "not joined";
  });
}
