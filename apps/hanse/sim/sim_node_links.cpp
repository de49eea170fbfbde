// See sim_node.hpp. Here: links and adverts, as transport_engine, link_engine and identity_store_engine handle them.
#include "hanse/sim/sim_node.hpp"

#include "hanse/protocols/message_batch.hpp"
#include "hanse/transport/plain_session.hpp"

namespace hanse::sim {

namespace {

constexpr std::size_t shared_adverts_max = 1024; // as in actors/

} // namespace

// --- links ---

void sim_node::on_event(sim_event& e) {
  if (!life_) return;
  if (paused_until_ > world_.now)
    return later(0, [this, e]() mutable { on_event(e); }); // `later` keeps the order of what waits for the end of it
  ++world_.counters.network_events;
  if (e.what == sim_event::kind::accepted) {
    pool_effects fx;
    const auto id = life_->pool.accept(local(), fx);
    perform(std::move(fx));
    if (!id) {
      world_.drop(index_, 0, id.error().code);
      world_.net.close(e.endpoint, world_.now);
    } else {
      open_link(*id, link_role::acceptor, e.endpoint, std::nullopt);
    }
    return finish();
  }
  const auto it = life_->by_endpoint.find(e.endpoint);
  if (it == life_->by_endpoint.end()) return;
  const auto id = it->second;
  auto& machine = *life_->connections.at(id).machine;
  link_effects fx;
  if (e.what == sim_event::kind::connected) machine.start(local(), fx);
  if (e.what == sim_event::kind::data) machine.received(e.octets, local(), fx);
  if (e.what == sim_event::kind::closed) machine.disconnected(e.why, fx);
  machine.flush(local(), fx);
  settle(id, std::move(fx));
  finish();
}

void sim_node::open_link(link_id id, link_role role, endpoint_id endpoint, const std::optional<identity>& expected) {
  link_config config;
  config.self = node_id();
  config.expected_peer = expected;
  config.ours.protocols = {link_protocol};
  config.ours.id_floor = life_->replay.floor();
  config.ours.life = life_->nonce;
  connection c;
  c.machine = std::make_unique<link>(role, make_plain_session(role, node_id(), expected), config, random_);
  c.endpoint = endpoint;
  if (expected) c.peer = *expected;
  life_->by_endpoint[endpoint] = id;
  auto& stored = life_->connections.emplace(id, std::move(c)).first->second;
  if (role == link_role::dialer) return; // it starts when the stream is open
  link_effects fx;
  stored.machine->start(local(), fx);
  settle(id, std::move(fx));
}

/// Performs what a link did. The link may be gone afterwards.
void sim_node::settle(link_id id, link_effects fx) {
  const auto it = life_->connections.find(id);
  if (it == life_->connections.end()) return;
  auto& c = it->second;
  if (!fx.output.empty()) {
    world_.counters.octets += fx.output.size();
    (void)world_.net.send(c.endpoint, fx.output, world_.now);
    c.machine->written(fx.output.size(), local());
  }
  if (fx.up) {
    c.peer = fx.up->peer;
    c.theirs = std::move(*fx.up);
    c.up = true;
    ++world_.counters.links;
    world_.record(trace_kind::link_up, index_, world_.owner(c.peer), id);
    pool_effects more;
    life_->pool.link_up(id, c.peer, c.theirs.theirs.life, local(), more);
    perform(std::move(more));
    if (life_->connections.contains(id)) check_peer(c.peer);
  }
  if (!life_->connections.contains(id)) return;
  const auto peer = c.peer;
  for (const auto& payload : fx.adverts) {
    if (const auto wires = decode_adverts(payload.view()))
      learn(*wires, advert_origin::learned, peer);
    else
      world_.drop(index_, 0, wires.error().code);
  }
  for (const auto& payload : fx.data) {
    if (behaviour_) remember(payload);
    life_->pool.active(id, local());
    const auto opened = world_.signing.open(payload);
    if (!opened) {
      world_.drop(index_, 0, opened.error().code);
      continue;
    }
    for (const auto& m : opened->messages) receive(peer, m);
  }
  if (fx.closed) return end_link(id, *fx.closed);
  if (const auto still = life_->connections.find(id); still != life_->connections.end()) arm(id, still->second);
}

void sim_node::end_link(link_id id, const error& why) {
  auto node = life_->connections.extract(id);
  if (node.empty()) return;
  auto& c = node.mapped();
  world_.net.close(c.endpoint, world_.now);
  life_->by_endpoint.erase(c.endpoint);
  life_->dirty.erase(id);
  if (c.up) ++world_.counters.links_lost;
  world_.record(trace_kind::link_down, index_, world_.owner(c.peer), static_cast<std::uint64_t>(why.code), why.detail);
  pool_effects fx;
  life_->pool.link_closed(id, why, local(), fx);
  perform(std::move(fx));
  if (c.peer) check_peer(c.peer);
  bounce({std::make_move_iterator(c.queue.begin()), std::make_move_iterator(c.queue.end())},
         {errc::link_closed, "the link has closed"});
}

void sim_node::perform(pool_effects fx) {
  for (auto& d : fx.dropped) {
    std::vector<outbound> one;
    one.push_back(std::move(d.message));
    bounce(std::move(one), d.why);
  }
  for (auto& t : fx.transmit) {
    const auto it = life_->connections.find(t.link);
    if (it == life_->connections.end()) continue;
    for (auto& m : t.messages) it->second.queue.push_back(std::move(m));
    life_->dirty.insert(t.link);
  }
  for (const auto& c : fx.close) {
    const auto it = life_->connections.find(c.link);
    if (it == life_->connections.end()) continue;
    link_effects more;
    if (c.graceful && it->second.machine->state() == link_state::up)
      it->second.machine->finish(c.why, local(), more);
    else
      it->second.machine->close(c.why, more);
    it->second.machine->flush(local(), more);
    settle(c.link, std::move(more));
  }
  for (const auto& d : fx.dial) {
    ++world_.counters.dials;
    world_.record(trace_kind::dial, index_, world_.owner(d.peer), d.link);
    open_link(d.link, link_role::dialer, world_.net.connect(network_host(index_), d.address.host, world_.now), d.peer);
  }
  for (const auto& p : fx.up) check_peer(p.peer);
  for (const auto& p : fx.down) check_peer(p.peer);
}

void sim_node::with_addresses(const identity& peer) {
  auto addresses = life_->adverts.addresses_of(peer);
  if (addresses.empty()) return;
  pool_effects fx;
  (void)life_->pool.set_addresses(peer, std::move(addresses), address_origin::advertised, local(), fx);
  perform(std::move(fx));
}

/// Decides which link messages to `peer` take now.
void sim_node::check_peer(const identity& peer) {
  const auto current = life_->pool.link_of(peer).value_or(0);
  const auto it = life_->announced.find(peer);
  const auto told = it == life_->announced.end() ? 0 : it->second;
  const auto link = life_->connections.find(current);
  const bool usable = link != life_->connections.end() && link->second.up;
  if (told == current || (told != 0 && !usable && life_->connections.contains(told))) return;
  if (told != 0) {
    life_->announced.erase(it);
    domain_link(peer, false);
  }
  if (!usable) return;
  life_->announced[peer] = current;
  announce(peer, current);
  domain_link(peer, true);
}

/// Adverts go first on a new link: no message may overtake the advert of its source.
void sim_node::announce(const identity& peer, link_id id) {
  const auto floor = life_->connections.at(id).theirs.theirs.id_floor;
  send_adverts(id, worth_telling());
  life_->clock.raise_to(floor, local() * 1000);
  unicast_effects effects;
  for (const auto& engine : life_->adverts.engines_of(peer))
    life_->unicast.destination_reachable(engine, local(), effects);
  perform(std::move(effects));
}

void sim_node::arm(link_id id, connection& c) {
  const auto due = c.machine->next_timer();
  if (due == UINT64_MAX) return;
  const auto now = local();
  const auto at = world_.now + (due > now ? due - now : 1);
  if (c.timer_at != 0 && c.timer_at <= at) return;
  c.timer_at = at;
  later(at - world_.now, [this, id, at] {
    const auto it = life_->connections.find(id);
    if (it == life_->connections.end() || it->second.timer_at != at) return;
    it->second.timer_at = 0;
    link_effects fx;
    it->second.machine->tick(local(), fx);
    it->second.machine->flush(local(), fx);
    settle(id, std::move(fx));
  });
}

void sim_node::arm_pool() {
  const auto due = life_->pool.next_timer();
  if (due == UINT64_MAX) return;
  const auto now = local();
  const auto at = world_.now + (due > now ? due - now : 1);
  auto& armed = life_->pool_timer;
  if (armed != 0 && armed <= at) return;
  armed = at;
  later(at - world_.now, [this, at] {
    if (life_->pool_timer == at) life_->pool_timer = 0;
    pool_effects fx;
    life_->pool.tick(local(), fx);
    perform(std::move(fx));
  });
}

// --- from queues to links ---

void sim_node::flush_links() {
  while (!life_->dirty.empty()) {
    const auto id = *life_->dirty.begin();
    life_->dirty.erase(life_->dirty.begin());
    const auto it = life_->connections.find(id);
    if (it == life_->connections.end()) continue;
    if (it->second.machine->state() != link_state::up) continue; // its end is near, and gives the queue back
    link_effects fx;
    while (!it->second.queue.empty() && send_group(it->second, fx)) {
    }
    it->second.machine->flush(local(), fx);
    settle(id, std::move(fx));
  }
}

/// Signs the messages of one signer at the head of the queue. False if the link takes nothing now.
bool sim_node::send_group(connection& c, link_effects& fx) {
  const auto room = std::min(c.machine->writable_budget(), payload_size_max);
  if (room < queue_cost(c.queue.front()) + payload_overhead_max) return false;
  std::vector<bytes> encoded;
  const auto signer = *c.queue.front().signer;
  std::size_t used = payload_overhead_max;
  while (!c.queue.empty() && c.queue.front().message.source == signer.identity() &&
         encoded.size() < world_.signing.batch_max()) {
    used += queue_cost(c.queue.front()) + payload_overhead_per_message_max;
    if (used > room && !encoded.empty()) break;
    encoded.push_back(encode(c.queue.front().message));
    c.queue.pop_front();
  }
  const std::vector<byte_view> views{encoded.begin(), encoded.end()};
  auto payload = world_.signing.seal(signer, views, random_);
  ++world_.counters.payloads;
  if (behaviour_ == byzantine_behaviour::withhold) return true;
  if (behaviour_) remember(shared_bytes{payload});
  std::vector<time_ms> delays;
  world_.chaos.delays(index_, world_.owner(c.peer), world_.now, delays);
  if (delays.empty()) ++world_.counters.payloads_lost;
  if (delays.size() > 1) ++world_.counters.payloads_repeated;
  for (const auto delay : delays) {
    if (delay == 0) {
      (void)c.machine->send_data(payload, fx);
      continue;
    }
    ++world_.counters.payloads_late;
    later(delay, [this, peer = c.peer, payload] { put_on_link(peer, payload); });
  }
  return true;
}

/// Puts a finished payload on the link that `peer` has by now, if any.
void sim_node::put_on_link(const identity& peer, const bytes& payload) {
  const auto told = life_->announced.find(peer);
  if (told == life_->announced.end()) return;
  const auto id = told->second;
  auto& machine = *life_->connections.at(id).machine;
  link_effects fx;
  (void)machine.send_data(payload, fx);
  machine.flush(local(), fx);
  settle(id, std::move(fx));
}

// --- adverts ---

const advert_store& sim_node::adverts() const {
  return life_->adverts;
}

bool sim_node::connected(const identity& node) const {
  return life_->announced.contains(node);
}

expected<unit> sim_node::reachable(const identity& node, const transport_preferences& wanted) const {
  if (connected(node)) return ok();
  const auto addresses = life_->adverts.addresses_of(node);
  address_policy policy;
  policy.schemes = {"mem"};
  const auto found =
      select_addresses(node, addresses, address_origin::advertised, wanted, policy, failure_book{}, local());
  if (!found.candidates.empty()) return ok();
  return found.excluded.empty() ? error{errc::no_address, "no address of it is known"} : found.excluded.front().reason;
}

void sim_node::send_adverts(link_id id, const std::vector<bytes>& wires) {
  const auto it = life_->connections.find(id);
  if (it == life_->connections.end() || wires.empty()) return;
  link_effects fx;
  for (std::size_t i = 0; i < wires.size(); i += adverts_in_frame_max) {
    const auto part = std::span{wires}.subspan(i, std::min(adverts_in_frame_max, wires.size() - i));
    if (const auto sent = it->second.machine->send_adverts(encode_adverts(part), fx); !sent)
      world_.drop(index_, 0, sent.error().code);
  }
  it->second.machine->flush(local(), fx);
  settle(id, std::move(fx));
}

std::vector<bytes> sim_node::worth_telling() const {
  if (!world_.what.gossip || behaviour_ == byzantine_behaviour::withhold)
    return {life_->adverts.node(node_id())->wire, life_->adverts.engine(engine_id())->wire};
  std::vector<bytes> own, others;
  const auto sort_in = [&](advert_origin origin, const bytes& wire) {
    (origin == advert_origin::own ? own : others).push_back(wire);
  };
  for (const auto& n : life_->adverts.nodes(local()))
    if (n.advert) sort_in(n.origin, n.advert->wire);
  for (const auto& e : life_->adverts.engines()) sort_in(e.origin, e.advert->wire);
  std::move(others.begin(), others.end(), std::back_inserter(own));
  if (own.size() > shared_adverts_max) own.resize(shared_adverts_max);
  return own;
}

void sim_node::learn(const std::vector<bytes>& wires, advert_origin origin, const identity& from) {
  std::vector<bytes> news;
  for (const auto& wire : wires)
    if (learn_one(wire, origin)) news.push_back(wire);
  if (news.empty() || !(world_.what.gossip || origin == advert_origin::own)) return;
  if (behaviour_ == byzantine_behaviour::withhold && origin != advert_origin::own) return;
  std::vector<link_id> links;
  for (const auto& [peer, id] : life_->announced)
    if (peer != from) links.push_back(id);
  for (const auto id : links) send_adverts(id, news);
}

/// True if the advert was new.
bool sim_node::learn_one(const bytes& wire, advert_origin origin) {
  auto parsed = world_.parse(wire);
  if (!parsed) {
    world_.drop(index_, 0, parsed.error().code);
    return false;
  }
  advert_effects effects;
  expected<unit> done = ok();
  std::uint64_t version = 0;
  std::uint32_t subject = any_node;
  const bool is_engine = std::holds_alternative<signed_engine_advert>(*parsed);
  if (is_engine) {
    auto& a = std::get<signed_engine_advert>(*parsed);
    version = a.value.version;
    subject = world_.owner(a.value.engine);
    done = life_->adverts.put(std::move(a), origin, effects);
  } else {
    auto& a = std::get<signed_node_advert>(*parsed);
    if (origin == advert_origin::learned && a.value.node == node_id()) return false;
    version = a.value.version;
    subject = world_.owner(a.value.node);
    done = life_->adverts.put(std::move(a), origin, effects);
  }
  perform(std::move(effects));
  if (!done) {
    if (done.error().code != errc::stale && done.error().code != errc::already_exists)
      world_.drop(index_, 0, done.error().code);
    return false;
  }
  ++world_.counters.adverts_learned;
  world_.record(trace_kind::advert, index_, version, subject);
  if (subject == any_node) return true; // made up by a byzantine node
  const auto& owner = *world_.nodes[subject];
  const auto* node = life_->adverts.node(owner.node_id());
  const auto* engine = life_->adverts.engine(owner.engine_id());
  world_.judge.knows(index_, subject, is_engine, is_engine ? engine->value.version : node->value.version);
  return true;
}

void sim_node::perform(advert_effects effects) {
  std::vector<key_value_write> writes;
  for (auto& effect : effects) {
    if (auto* write = std::get_if<advert_persist>(&effect)) {
      writes.push_back(std::move(write->write));
    } else if (const auto* moved = std::get_if<engine_moved>(&effect)) {
      if (!moved->from) continue;
      unicast_effects more;
      life_->unicast.destination_moved(moved->engine, local(), more);
      perform(std::move(more));
    } else if (const auto* node = std::get_if<node_changed>(&effect)) {
      if (life_->pool.knows(node->node)) with_addresses(node->node);
    }
  }
  if (!writes.empty()) save(table::adverts, std::move(writes));
}

} // namespace hanse::sim
