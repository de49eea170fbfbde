// The router's way in: verified messages from links pass the checks in their order (host, time, replay), then go to an
// engine's gateway, to a stream, to a waiting request, or to the node itself. See router_engine.hpp.
#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/router_engine.hpp"

namespace hanse {

void router_engine::receive(const identity& peer, inbound in) {
  services_->trace(in.message, "receive", to_short_string(peer));
  in.peer = peer;
  if (in.message.source == peer) return screen(std::move(in));
  check_host(peer, std::move(in));
}

/// Refuses a source that is not hosted by the node that sent it (design section 7). The answer is cached until an
/// advert changes.
void router_engine::check_host(const identity& peer, inbound in) {
  auto source = in.message.source;
  auto& entry = hosts_[source];
  if (entry.known) {
    if (entry.node == peer) return screen(std::move(in));
    return reject(in.message, {errc::not_hosted, "its source is not advertised at the node that sent it"});
  }
  if (held_ >= held_messages_max) return reject(in.message, errc::queue_full);
  ++held_;
  bool first = entry.waiting.empty();
  entry.waiting.emplace_back(peer, std::move(in));
  if (!first) return;
  auto resume = [this, source](const identity& node) {
    auto i = hosts_.find(source);
    if (i == hosts_.end()) return;
    auto waiting = std::move(i->second.waiting);
    held_ -= waiting.size();
    i->second.waiting.clear();
    i->second.node = node;
    i->second.known = static_cast<bool>(node);
    if (!node) hosts_.erase(i); // nothing is remembered of strangers
    for (auto& [from, m] : waiting) {
      if (from == node)
        screen(std::move(m));
      else
        reject(m.message, {errc::not_hosted, "its source is not advertised at the node that sent it"});
    }
    finish();
  };
  compat::request(self_, identities_, caf::infinite, find_atom_v, source, true)
      .then([resume](const identity& node) { resume(node); }, [resume](const caf::error&) { resume(identity{}); });
}

/// Time and replay. Reliable messages have their own duplicate check in their stream.
void router_engine::screen(inbound in) {
  auto& m = in.message;
  auto now = services_->now_ms();
  if (!in.judged)
    if (auto timely = check_time(m, now); !timely) return reject(m, timely.error());
  auto within = check_scope(m, in.peer);
  if (!within && m.stream) { // told at once in words, and settled in its stream, so that what follows it goes on
    reject(m, within.error());
    unicast_effects effects;
    (void)unicast_.refuse(m, within.code(), now, effects);
    return perform(std::move(effects));
  }
  if (!within) return reject(m, within.error());
  if (m.stream) {
    note_stream(m.destination, m);
    if (m.destination != services_->self && !engines_.contains(m.destination))
      return reject(m, {errc::engine_down, "no such engine on this node"});
    unicast_effects effects;
    auto envelope_only = m;
    auto taken = unicast_.receive(std::move(m), now, effects);
    perform(std::move(effects));
    if (!taken) {
      services_->counters.drop(taken.code());
      services_->trace(envelope_only, "drop", to_string(taken.error()));
    }
    return;
  }
  if (in.judged) return dispatch(std::move(in));
  auto verdict = replay_.accept(m.source, m.destination, m.id, m.expires_ms(), now);
  if (!verdict) {
    // No fault is sent for a replay: it would answer a request of the true sender.
    services_->counters.drop(verdict.code());
    services_->trace(m, "drop", to_string(verdict.error()));
    return;
  }
  if (*verdict == replay_verdict::wait) {
    if (without_mark_.size() >= held_messages_max) return reject(m, errc::queue_full);
    without_mark_.push_back(std::move(in));
    return;
  }
  dispatch(std::move(in));
}

void router_engine::dispatch(inbound in) {
  auto& m = in.message;
  if (m.protocol.name == unicast_protocol().name) {
    if (m.destination != services_->self && !engines_.contains(m.destination)) // not its place
      return services_->counters.drop(errc::wrong_recipient);
    unicast_effects effects;
    auto done = unicast_.receive_control(m.source, m.destination, m.body.view(), services_->now_ms(), effects);
    perform(std::move(effects));
    if (!done) services_->counters.drop(done.code());
    return;
  }
  bool is_answer = m.kind == message_kind::reply || m.kind == message_kind::fault;
  if (!is_answer && m.destination != services_->self) return to_engine(std::move(in));
  auto delivery = std::move(in.delivery);
  if (is_answer)
    take_answer(std::move(in));
  else
    to_node(std::move(in));
  if (delivery) settle_delivery(*delivery, errc::none);
}

void router_engine::settle_delivery(const stream_ref& delivery, errc result) {
  unicast_effects effects;
  unicast_.handled(delivery, result, services_->now_ms(), effects);
  perform(std::move(effects));
}

void router_engine::to_engine(inbound in) {
  auto& m = in.message;
  if (auto* service = claimant(m)) return to_service(*service, std::move(in));
  auto target = m.destination;
  if (domains_.contains(target)) {
    auto serving = serving_engine(m);
    if (!serving) return reject(m, serving.error());
    target = *serving;
    auto& all = serving_.at(m.destination); // the next message goes to another one
    std::rotate(all.begin(), all.begin() + 1, all.end());
  }
  auto i = engines_.find(target);
  if (i == engines_.end()) {
    if (in.delivery) settle_delivery(*in.delivery, errc::engine_down);
    return reject(m, {errc::wrong_recipient, "no such engine on this node"});
  }
  if (auto spoken = negotiate(i->second.protocols, m.protocol); !spoken) {
    if (in.delivery) settle_delivery(*in.delivery, spoken.code());
    return reject(m, spoken.error());
  }
  services_->trace(m, "deliver");
  services_->counters.delivered.inc();
  add_to_batch(to_gateways_, i->second.gateway, std::move(in));
}

void router_engine::flush_gateways() {
  for (auto& [gateway, batch] : to_gateways_)
    compat::send(self_, caf::actor_cast<gateway_actor>(gateway), std::move(batch));
  to_gateways_.clear();
}

/// What is addressed to the node itself: pings, watches, and what its services serve.
void router_engine::to_node(inbound in) {
  auto& m = in.message;
  if (auto i = services_of_node_.find(m.protocol.name); i != services_of_node_.end())
    return to_service(i->second, std::move(in));
  if (m.protocol.name == monitor_protocol().name) return take_watch(m.source, m.body.view());
  if (m.protocol.name != node_protocol().name)
    return reject(m, {errc::unsupported_protocol, "no service of this node speaks " + m.protocol.name});
  if (m.protocol.major != node_protocol().major)
    return reject(m, {errc::unsupported_version, "this node speaks " + to_string(node_protocol())});
  if (m.kind != message_kind::ask) return;
  auto request = decode_body<std::string>(m.body.view());
  if (!request || std::get<0>(*request) != "ping")
    return reject(m, {errc::schema_mismatch, "a node answers [\"ping\"]"});
  post p;
  p.message.source = services_->self;
  p.message.destination = m.source;
  p.message.kind = message_kind::reply;
  p.message.in_reply_to = m.id;
  p.message.protocol = node_protocol();
  p.message.trace = m.trace;
  p.message.transport = m.transport; // back by the ways that it may have come
  p.message.ttl_ms = m.ttl_ms;
  p.message.body = shared_bytes{*encode_body(std::string{"pong"})};
  accept(std::move(p));
}

void router_engine::take_answer(inbound in) {
  auto& m = in.message;
  auto i = pending_.find(m.in_reply_to);
  if (i == pending_.end() || i->second.source != m.destination) {
    services_->counters.drop(errc::not_found); // given up by its asker, or never asked
    return;
  }
  auto& entry = i->second;
  bool from_asked = entry.destination == m.source || (entry.any_at_node && in.peer && in.peer == entry.handed_to);
  bool fault = m.kind == message_kind::fault;
  answer a;
  if (fault) {
    auto body = decode_fault(m.body.view());
    a.fault = body ? *body : fault_of({errc::schema_mismatch, "the fault cannot be read"});
  }
  if (!from_asked) {
    // Only the node that was believed to host the engine may say that it does not. What is believed now does not
    // count: the advert of a move may have come before this fault.
    if (!fault || entry.handed_to != m.source) {
      services_->counters.drop(errc::wrong_signer);
      return;
    }
    bool elsewhere = a.fault->code == errc::wrong_recipient;
    if (elsewhere && entry.retry && services_->now_ms() + resolve_again_ms < entry.expires_ms)
      return retry_later(m.in_reply_to);
    if (elsewhere && !entry.group) a.fault = fault_of({errc::engine_down, "the engine is not running"});
  }
  a.body = m.body;
  a.trace = m.trace;
  a.from = m.source;
  services_->trace(m, fault ? "fault" : "reply");
  settle(m.in_reply_to, std::move(a));
}

/// Counts a received message that is refused, and tells its sender if it waits for an answer.
void router_engine::reject(const envelope& e, const error& why) {
  services_->counters.drop(why.code);
  services_->trace(e, "drop", to_string(why));
  if (services_->logs(log_level::debug))
    services_->log(log_level::debug, "message_rejected",
                   {{"source", to_short_string(e.source)}, {"reason", to_string(why)}});
  if (e.kind == message_kind::ask || e.stream)
    send_control(services_->self, e.source, node_protocol(), encode(fault_of(why)), message_kind::fault, e.id,
                 e.transport, e.ttl_ms);
}

} // namespace hanse
