// See sim_node.hpp. Here: messages, as router_engine and the gateway of an engine handle them.
#include "hanse/sim/sim_body.hpp"
#include "hanse/sim/sim_node.hpp"

namespace hanse::sim {

namespace {

constexpr std::size_t held_max = 4096;        // as held_messages_max and unresolved_posts_max in actors/
constexpr std::uint64_t handling_max_ms = 20; // what an engine takes for a message; arbitrary
constexpr std::uint64_t engine_errors_permille = 30;
constexpr errc engine_error_code = errc::schema_mismatch; // what simulated engines answer if they fail

const protocol_id& sim_protocol() {
  static const protocol_id id{"hanse.unicast.test", 1, 0};
  return id;
}

/// 0 for what is not from engine to engine.
std::uint64_t message_number(const envelope& m) {
  return m.protocol.name == sim_protocol().name ? number_in(m.body.view()) : 0;
}

} // namespace

// --- out ---

void sim_node::post(std::uint64_t number, std::size_t octets) {
  later(0, [this, number, octets] { send(number, octets); });
}

void sim_node::send(std::uint64_t number, std::size_t octets) {
  const auto& m = world_.messages[number];
  posted p;
  p.reliable = m.reliable;
  p.number = number;
  p.message.source = engine_id();
  p.message.destination = world_.nodes[m.to]->engine_id();
  p.message.protocol = sim_protocol();
  p.message.ttl_ms = m.ttl_ms;
  p.message.body = shared_bytes{body_of(number, octets)};
  ++world_.counters.sent;
  world_.record(trace_kind::send, index_, number, m.to);
  world_.judge.sent(number, index_, m.to, m.reliable, fingerprint(p.message.body.view()));
  accept(std::move(p));
}

/// Gives the message its id; before the first lease is durable it waits.
void sim_node::accept(posted p) {
  if (p.message.source != engine_id() && p.message.source != node_id())
    return world_.drop(index_, p.number, errc::not_hosted); // an answer to what was never meant for this node
  const auto id = life_->clock.next(local() * 1000);
  if (id) {
    p.message.id = *id;
    return admit(std::move(p));
  }
  if (life_->without_id.size() < held_max) return life_->without_id.push_back(std::move(p));
  world_.drop(index_, p.number, errc::queue_full);
  if (p.number && p.reliable) world_.judge.ended(p.number, outcome::refused, {});
}

void sim_node::admit(posted p) {
  auto& e = p.message;
  e.sent_ms = local();
  if (!p.reliable) return resolve(std::move(e));
  if (p.number) life_->numbers[e.id] = p.number;
  const auto id = e.id;
  unicast_effects effects;
  const auto taken = life_->unicast.send(std::move(e), local(), effects);
  perform(std::move(effects));
  if (taken) return;
  ++world_.counters.refused;
  life_->numbers.erase(id);
  world_.drop(index_, p.number, taken.error().code);
  if (p.number) world_.judge.ended(p.number, outcome::refused, {});
}

void sim_node::resolve(envelope e) {
  if (e.destination == engine_id()) return dispatch(std::move(e), {});
  route_request request{e.destination, e.routing, e.transport, e.id, local()};
  const auto decided = routes_.decide(request, *this);
  if (!decided) return world_.drop(index_, message_number(e), decided.error().code);
  hand_to_link(decided->next_hop, std::move(e));
}

void sim_node::hand_to_link(const identity& node, envelope e) {
  outbound out;
  out.signer = e.source == node_id() ? key_ : engine_key_;
  out.message = std::move(e);
  if (const auto it = life_->announced.find(node); it != life_->announced.end()) {
    life_->connections.at(it->second).queue.push_back(std::move(out));
    life_->dirty.insert(it->second);
    return;
  }
  if (!life_->pool.knows(node)) with_addresses(node);
  pool_effects fx;
  life_->pool.send(node, std::move(out), local(), fx);
  perform(std::move(fx));
}

/// What a link or the pool did not send goes another way; streams retransmit by themselves.
void sim_node::bounce(std::vector<outbound> unsent, const error& why) {
  for (auto& out : unsent) {
    if (why.code == errc::link_closed && local() < out.message.expires_ms())
      resolve(std::move(out.message));
    else if (!out.message.stream)
      world_.drop(index_, message_number(out.message), why.code);
  }
}

// --- in ---

/// The checks in the router's order: host, time, then stream or replay.
void sim_node::receive(const identity& peer, envelope m) {
  world_.record(trace_kind::receive, index_, message_number(m), world_.owner(m.source),
                world_.log && m.destination == node_id() ? m.protocol.name : std::string{});
  if (m.source != peer && life_->adverts.node_of(m.source) != peer)
    return world_.drop(index_, message_number(m), errc::not_hosted);
  screen(std::move(m));
}

void sim_node::screen(envelope m) {
  const auto now = local();
  const auto number = message_number(m);
  if (const auto timely = check_time(m, now); !timely) return world_.drop(index_, number, timely.error().code);
  if (const auto within = in_scope(m); !within) return world_.drop(index_, number, within.error().code);
  if (m.stream) {
    if (m.destination != engine_id()) return world_.drop(index_, number, errc::engine_down);
    unicast_effects effects;
    const auto taken = life_->unicast.receive(std::move(m), now, effects);
    perform(std::move(effects));
    if (!taken) world_.drop(index_, number, taken.error().code);
    return;
  }
  const auto verdict = life_->replay.accept(m.source, m.destination, m.id, m.expires_ms(), now);
  if (!verdict) return world_.drop(index_, number, verdict.error().code);
  if (*verdict == replay_verdict::fresh) return dispatch(std::move(m), {});
  if (life_->without_mark.size() >= held_max) return world_.drop(index_, number, errc::queue_full);
  life_->without_mark.push_back(std::move(m));
}

void sim_node::dispatch(envelope m, std::optional<stream_ref> delivery) {
  if (life_->shared && m.destination == node_id()) return to_services(m);
  if (m.protocol.name != unicast_protocol().name) return to_engine(m, std::move(delivery));
  unicast_effects effects;
  const auto done = life_->unicast.receive_control(m.source, m.destination, m.body.view(), local(), effects);
  perform(std::move(effects));
  if (!done) world_.drop(index_, 0, done.error().code);
}

void sim_node::to_engine(const envelope& m, std::optional<stream_ref> delivery) {
  const auto number = number_in(m.body.view());
  if (m.destination != engine_id()) return world_.drop(index_, number, errc::wrong_recipient);
  const auto from = world_.owner(m.source);
  ++world_.counters.delivered;
  world_.record(trace_kind::deliver, index_, number, from);
  const bool known = world_.judge.delivered(number, from, index_, fingerprint(m.body.view()));
  later(random_.below(handling_max_ms),
        [this, number = known ? number : 0, delivery] { engine_done(number, delivery); });
}

/// The engine has handled a message: it may have sent another one meanwhile, and it fails now and then.
void sim_node::engine_done(std::uint64_t number, const std::optional<stream_ref>& delivery) {
  const auto m = world_.messages[number]; // [0]: of nobody
  const bool fails = !m.probe && random_.below(1000) < engine_errors_permille;
  if (m.reply_permille > 0 && random_.below(1000) < m.reply_permille && world_.nodes.size() > 1 && !world_.healed) {
    message_info reply = m;
    reply.from = index_;
    reply.to = static_cast<std::uint32_t>(random_.below(world_.nodes.size() - 1));
    if (reply.to >= index_) ++reply.to;
    reply.reliable = true;
    send(world_.number(reply), 8);
  }
  world_.record(trace_kind::handled, index_, number, fails ? static_cast<std::uint64_t>(engine_error_code) : 0);
  if (number) world_.judge.handled(number, fails ? static_cast<int>(engine_error_code) : 0);
  if (!delivery) return;
  unicast_effects effects;
  life_->unicast.handled(*delivery, fails ? engine_error_code : errc::none, local(), effects);
  perform(std::move(effects));
}

// --- streams ---

void sim_node::perform(unicast_effects effects) {
  for (auto& effect : effects) {
    if (auto* x = std::get_if<unicast_transmit>(&effect)) {
      resolve(envelope{*x->message});
    } else if (auto* x = std::get_if<unicast_transmit_control>(&effect)) {
      posted p;
      p.message.source = x->source;
      p.message.destination = x->destination;
      p.message.protocol = unicast_protocol();
      p.message.body = shared_bytes{std::move(x->body)};
      accept(std::move(p));
    } else if (auto* x = std::get_if<unicast_persist>(&effect)) {
      save(table::unicast, std::move(x->writes), [this, token = x->token] {
        unicast_effects more;
        life_->unicast.persisted(token, local(), more);
        perform(std::move(more));
      });
    } else if (auto* x = std::get_if<unicast_deliver>(&effect)) {
      const auto& s = *x->message.stream;
      dispatch(std::move(x->message), stream_ref{x->message.source, x->message.destination, s.epoch, s.seq});
    } else if (auto* x = std::get_if<unicast_confirmed>(&effect)) {
      ended(x->id, nullptr);
    } else if (auto* x = std::get_if<unicast_failed>(&effect)) {
      ended(x->id, &x->why);
    } else {
      world_.drop(index_, 0, std::get<unicast_dropped>(effect).why.code);
    }
  }
}

/// The sender's engine is told how message `id` ended; `why` null: confirmed.
void sim_node::ended(message_id id, const error* why) {
  const auto it = life_->numbers.find(id);
  const auto number = it == life_->numbers.end() ? 0 : it->second;
  world_.record(why ? trace_kind::fail : trace_kind::confirm, index_, number,
                why ? static_cast<std::uint64_t>(why->code) : 0);
  if (number == 0) return world_.judge.violate(invariant::one_outcome, "an outcome for a message that has one");
  life_->numbers.erase(it);
  ++(why ? world_.counters.failed : world_.counters.confirmed);
  const bool final = why && (why->code == errc::in_doubt || why->code == errc::expired);
  if (why && why->code == errc::in_doubt) ++world_.counters.in_doubt;
  std::optional<int> engine_code;
  if (why && why->code == engine_error_code) engine_code = static_cast<int>(engine_error_code);
  world_.judge.ended(number, !why ? outcome::confirmed : final ? outcome::failed_final : outcome::failed, engine_code);
  if (!world_.messages[number].probe) return;
  if (why)
    world_.judge.violate(invariant::converges,
                         "message #" + std::to_string(number) + ", sent when all was well, failed: " + to_string(*why));
  else
    --world_.probes_open;
}

void sim_node::arm_unicast() {
  const auto due = life_->unicast.next_timer();
  if (!due) return;
  const auto now = local();
  const auto at = world_.now + (*due > now ? *due - now : 1);
  auto& armed = life_->unicast_timer;
  if (armed != 0 && armed <= at) return;
  armed = at;
  later(at - world_.now, [this, at] {
    if (life_->unicast_timer == at) life_->unicast_timer = 0;
    unicast_effects effects;
    life_->unicast.tick(local(), effects);
    perform(std::move(effects));
  });
}

} // namespace hanse::sim
