// The router's way out: from a post to a link, a local engine, or a fault. See router_engine.hpp.
#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/router_engine.hpp"
#include "hanse/protocols/message_batch.hpp"

namespace hanse {

namespace {

bool has_default_preferences(const envelope& e) {
  return e.routing == routing_preferences{} && e.transport == transport_preferences{};
}

/// What a program may get wrong; sent on, it would spoil the batch it travels in.
expected<unit> check_post(const envelope& e) {
  if (!e.destination) return error{errc::bad_value, "a message needs a destination"};
  if (!is_protocol_name(e.protocol.name))
    return error{errc::unsupported_protocol, "no protocol: declare the interface's with HANSE_PROTOCOL"};
  return check(e);
}

} // namespace

/// The engine's key, or the node's; null if the source is not of this node.
const key_pair* router_engine::key_of(const identity& source) const {
  if (source == services_->self) return &key_;
  auto i = engines_.find(source);
  return i == engines_.end() ? nullptr : &*i->second.key;
}

/// Gives the message its id; before the first lease is durable it waits.
void router_engine::accept(post p) {
  if (!key_of(p.message.source)) {
    services_->counters.drop(errc::not_hosted);
    return fail_post(p, {errc::engine_down, "the sending engine is not on this node"});
  }
  auto id = clock_.next(services_->now_us());
  if (!id) {
    if (without_id_.size() >= unresolved_posts_max) {
      services_->counters.drop(errc::queue_full);
      return fail_post(p, {errc::queue_full, "the node has no ids yet"});
    }
    without_id_.push_back(std::move(p));
    return;
  }
  p.message.id = *id;
  admit(std::move(p));
}

void router_engine::admit(post p) {
  auto& e = p.message;
  e.sent_ms = services_->now_ms();
  if (p.traced && !e.trace) services_->random().fill(e.trace.octets);
  if (auto fine = check_post(e); !fine) {
    services_->counters.drop(fine.code());
    return fail_post(p, fine.error());
  }
  if (!p.group && is_spread(e.destination) && !is_here(e)) return start_group(std::move(p));
  if (p.group && !groups_.contains(p.group)) return; // ended while the copy waited for its id
  if (p.reply_to || p.group) {
    if (pending_.size() >= pending_requests_max) {
      services_->counters.drop(errc::queue_full);
      return fail_post(p, {errc::queue_full, "too many requests wait for answers"});
    }
    pending entry;
    entry.token = p.token;
    entry.reply_to = std::move(p.reply_to);
    entry.source = e.source;
    entry.destination = e.destination;
    entry.expires_ms = e.expires_ms();
    entry.acknowledgement = e.kind != message_kind::ask;
    entry.group = p.group;
    entry.member = p.member;
    entry.any_at_node = static_cast<bool>(p.next_hop);
    if (p.group)
      groups_.at(p.group).copies[p.member] = e.id;
    else if (!p.reliable && e.kind == message_kind::ask)
      entry.retry = e;
    pending_.emplace(e.id, std::move(entry));
  }
  if (!p.group) services_->trace(e, "post");
  if (p.next_hop) return send_to_node(p.next_hop, std::move(e));
  if (p.reliable && !is_here(e)) {
    note_stream(e.source, e);
    unicast_effects effects;
    auto copy = e; // for the fault, should it be refused
    copy.body = {};
    auto taken = unicast_.send(std::move(e), services_->now_ms(), effects);
    perform(std::move(effects));
    if (!taken) refuse(copy, taken.error());
    return;
  }
  resolve(std::move(e));
}

/// True if the destination is on this node and the message has been handed over.
bool router_engine::deliver_here(envelope& e) {
  if (e.destination != services_->self && !is_here(e)) return false;
  bool acknowledge = e.kind == message_kind::tell;
  auto id = e.id;
  if (auto i = pending_.find(id); i != pending_.end()) {
    i->second.handed_to = services_->self;
    i->second.any_at_node = e.destination != services_->self && !engines_.contains(e.destination);
  }
  dispatch(inbound{std::move(e), nullptr, std::nullopt, services_->self});
  if (acknowledge)
    if (auto i = pending_.find(id); i != pending_.end() && i->second.acknowledgement) {
      answer done;
      done.acknowledged = true;
      settle(id, std::move(done));
    }
  return true;
}

void router_engine::resolve(envelope e) {
  if (deliver_here(e)) return;
  if (has_default_preferences(e)) {
    auto& entry = routes_[e.destination];
    if (entry.known) return forward(std::move(e), entry.decided);
    if (unresolved_ >= unresolved_posts_max) return refuse(e, {errc::queue_full, "too many messages wait for a route"});
    ++unresolved_;
    auto destination = e.destination;
    if (entry.waiting.empty()) entry.since_ms = services_->now_ms();
    entry.waiting.push_back(std::move(e));
    if (!entry.asking) ask_route(destination);
    return;
  }
  if (unresolved_ >= unresolved_posts_max) return refuse(e, {errc::queue_full, "too many messages wait for a route"});
  ++unresolved_;
  resolve_particular(std::make_shared<envelope>(std::move(e)));
}

/// A route for one message, by its own preferences. It, too, waits for the advert of its destination.
void router_engine::resolve_particular(const std::shared_ptr<envelope>& message) {
  route_request request{message->destination, message->routing, message->transport, message->id, 0, message->ttl_ms};
  compat::request(self_, identities_, caf::infinite, resolve_atom_v, request)
      .then(
          [this, message](const route& r) {
            --unresolved_;
            forward(std::move(*message), r);
            flush_links();
          },
          [this, message](const caf::error& why) {
            auto reason = to_hanse(why);
            if (reason.code == errc::no_route &&
                may_be_advertised_soon(message->sent_ms, message->expires_ms(), services_->now_ms())) {
              self_->run_delayed(std::chrono::milliseconds{resolve_again_ms},
                                 [this, message] { resolve_particular(message); });
              return;
            }
            --unresolved_;
            refuse(*message, reason);
            flush_links();
          });
}

/// Whether it is worth to ask again, in resolve_again_ms, for what waits since `since_ms`.
bool router_engine::may_be_advertised_soon(time_ms since_ms, time_ms expires_ms, time_ms now) {
  return now < since_ms + route_patience_ms && now + resolve_again_ms < expires_ms;
}

void router_engine::ask_route(const identity& destination) {
  routes_[destination].asking = true;
  route_request request;
  request.destination = destination;
  compat::request(self_, identities_, caf::infinite, resolve_atom_v, request)
      .then([this, destination](route& r) { take_route(destination, std::move(r)); },
            [this, destination](const caf::error& why) { take_route(destination, to_hanse(why)); });
}

/// A destination that nobody has advertised may be about to be: its messages wait for a while.
void router_engine::take_route(const identity& destination, expected<route> decided) {
  auto i = routes_.find(destination);
  if (i == routes_.end()) return;
  auto& entry = i->second;
  entry.asking = false;
  if (!decided && decided.code() == errc::no_route && services_->now_ms() - entry.since_ms < route_patience_ms) {
    entry.last = decided.error();
    return;
  }
  auto waiting = std::move(entry.waiting);
  unresolved_ -= waiting.size();
  if (decided) {
    entry.decided = *decided;
    entry.waiting.clear();
    entry.known = true;
  } else {
    routes_.erase(i);
  }
  for (auto& m : waiting) {
    if (decided)
      forward(std::move(m), *decided);
    else
      refuse(m, decided.error());
  }
  flush_links();
}

void router_engine::give_up_routes(time_ms now) {
  std::vector<identity> late;
  for (auto& [destination, entry] : routes_)
    if (!entry.known && !entry.asking && now - entry.since_ms >= route_patience_ms) late.push_back(destination);
  for (auto& destination : late) take_route(destination, routes_.at(destination).last);
}

void router_engine::forward(envelope e, const route& r) {
  switch (r.what) {
  case route::kind::local:
    if (!deliver_here(e)) refuse(e, {errc::engine_down, "the engine is not running"});
    return;
  case route::kind::remote:
    return hand_over(std::move(e), r);
  case route::kind::group: { // has become known as one while it waited, or came back from a link that closed
    post again;
    if (auto i = pending_.find(e.id); i != pending_.end() && i->second.group == 0) {
      again.token = i->second.token; // who waits is answered by the group
      again.reply_to = std::move(i->second.reply_to);
      pending_.erase(i);
    }
    again.message = std::move(e);
    return start_group(std::move(again));
  }
  }
}

void router_engine::hand_to_link(const identity& node, envelope e) {
  services_->trace(e, "send", to_short_string(node));
  if (auto out = make_outbound(node, std::move(e))) add_to_batch(to_links_, node, std::move(*out));
}

/// None if it was refused: its engine has gone.
std::optional<outbound> router_engine::make_outbound(const identity& node, envelope e) {
  auto* key = key_of(e.source);
  if (!key) {
    refuse(e, {errc::engine_down, "the sending engine is not on this node"});
    return std::nullopt;
  }
  if (auto i = pending_.find(e.id); i != pending_.end()) {
    i->second.handed_to = node;
    if (i->second.group && !links_.contains(node)) copy_waits(i->second.group, i->second.member);
  }
  if (e.kind == message_kind::tell && !e.stream) settle(e.id, answer{}); // all that will ever be known of it
  outbound out;
  out.signer = *key;
  out.message = std::move(e);
  return out;
}

void router_engine::flush_links() {
  for (auto& [node, batch] : to_links_) {
    services_->counters.sent.inc(batch.size());
    if (auto i = links_.find(node); i != links_.end())
      compat::send(self_, caf::actor_cast<link_actor>(i->second.handle), std::move(batch));
    else
      compat::send(self_, transport_, node, std::move(batch));
  }
  to_links_.clear();
  flush_carriers();
  flush_gateways();
  for (auto& [sink, answers] : to_sinks_)
    compat::send(self_, caf::actor_cast<answer_sink_actor>(sink), std::move(answers));
  to_sinks_.clear();
}

/// Tells who waits for a post that it has failed before it was pending.
void router_engine::fail_post(post& p, const error& why) {
  if (p.group) return copy_ended(p.group, p.member, failed(0, fault_of(why)));
  if (p.reply_to) answer_to(p.reply_to, failed(p.token, fault_of(why)));
}

void router_engine::answer_to(const caf::strong_actor_ptr& sink, answer a) {
  add_to_batch(to_sinks_, sink, std::move(a));
}

/// A message of ours that cannot go out: counted, and whoever waits for it is told.
void router_engine::refuse(const envelope& e, const error& why) {
  services_->counters.drop(why.code);
  services_->trace(e, "drop", to_string(why));
  if (services_->logs(log_level::debug))
    services_->log(log_level::debug, "message_refused",
                   {{"destination", to_short_string(e.destination)}, {"reason", to_string(why)}});
  settle(e.id, failed(0, fault_of(why)));
}

void router_engine::settle(message_id id, answer a) {
  auto i = pending_.find(id);
  if (i == pending_.end()) return;
  a.token = i->second.token;
  a.id = id;
  auto entry = std::move(i->second);
  pending_.erase(i);
  if (entry.group) return copy_ended(entry.group, entry.member, std::move(a));
  answer_to(entry.reply_to, std::move(a));
}

/// What a closing link did not send goes another way, or waits for the next link; so does what would rather have gone
/// in datagrams, once. What was dropped by policy fails.
void router_engine::bounce(std::vector<outbound> unsent, const error& why) {
  auto now = services_->now_ms();
  for (auto& out : unsent) {
    const bool wished = std::exchange(out.message.transport.datagrams, false);
    auto i = pending_.find(out.message.id);
    if (i == pending_.end() && out.message.kind == message_kind::ask && !out.message.stream)
      services_->counters.drop(errc::cancelled); // nobody waits for its answer any more
    else if (wished && i != pending_.end() && i->second.group)
      hand_to_link(identity{i->second.handed_to}, std::move(out.message));
    else if (i != pending_.end() && i->second.group && !out.message.stream)
      settle(out.message.id, failed(0, fault_of(why)));
    else if ((wished || why.code == errc::link_closed) && now < out.message.expires_ms())
      resolve(std::move(out.message));
    else if (!out.message.stream) // streams retransmit by themselves
      refuse(out.message, why);
  }
  flush_links();
}

void router_engine::send_control(const identity& source, const identity& destination, const protocol_id& protocol,
                                 bytes body, message_kind kind, message_id in_reply_to,
                                 const transport_preferences& transport, std::uint32_t ttl_ms) {
  post p;
  p.message.source = source;
  p.message.destination = destination;
  p.message.protocol = protocol;
  p.message.kind = kind;
  p.message.in_reply_to = in_reply_to;
  p.message.transport = transport;
  p.message.ttl_ms = ttl_ms;
  p.message.body = shared_bytes{std::move(body)};
  accept(std::move(p));
}

/// Faults made on purpose, for tests and the demo: see control_backend.hpp.
void router_engine::inject(const identity& target, const std::string& kind, std::uint32_t count,
                           const identity& claim) {
  auto stranger = key_pair::generate(services_->random()); // valid signatures, but of nobody that this node hosts
  auto& signer = kind == "impostor" && !claim ? stranger : key_;
  std::vector<bytes> payloads;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto id = clock_.next(services_->now_us());
    if (!id) break;
    envelope e;
    e.source = claim ? claim : signer.identity();
    e.destination = target;
    e.id = *id;
    e.protocol = node_protocol();
    e.sent_ms = services_->now_ms();
    e.body = shared_bytes{*encode_body(std::string{"ping"})};
    auto wire = encode(e);
    byte_view one{wire};
    auto payload = wrap(one, message_signature{sign_single(signer, blake2b_256(wire))});
    if (kind == "broken_signature") payload.back() ^= std::byte{1};
    payloads.push_back(payload);
    if (kind == "replay") payloads.push_back(payload);
  }
  route_request request;
  request.destination = target;
  compat::request(self_, identities_, caf::infinite, resolve_atom_v, request)
      .then([this, payloads = std::move(payloads)](
                const route& r) { compat::send(self_, transport_, inject_atom_v, r.next_hop, payloads); },
            [](const caf::error&) {});
}

} // namespace hanse
