// Causal multicast: what its user calls, and publishing. See causal_multicast.hpp.
// Not the order (causal_delivery.cpp), not repair (causal_repair.cpp).
#include "hanse/protocols/causal_multicast.hpp"

#include "hanse/protocols/internal/causal_state.hpp"

#include <algorithm>

namespace hanse {

expected<unit> causal_multicast::impl::publish(const identity& publisher, shared_bytes body, event_mode mode, time_ms) {
  const auto it = publishers_.find(publisher);
  if (it == publishers_.end()) return error{errc::not_found, "no such publisher here"};
  if (!may_publish(publisher) || forked_.contains(publisher)) return errc::permission_denied;
  if (body.size() > event_body_max) return error{errc::too_long, "body of an event"};
  if (it->second.queue.size() >= config_.publish_queue_max) return errc::queue_full;
  it->second.queue.emplace_back(std::move(body), mode == event_mode::join ? event_mode::causal : mode);
  return ok();
}

// The heads of all other chains become deps, what else was delivered since the last own event becomes `seen`.
void causal_multicast::impl::take_past(topic_event& e) {
  std::vector<chain*> taken;
  for (const auto& [key, c] : heads_) {
    if (key == e.chain || !c->tip) continue;
    if (e.deps.size() == event_deps_max) break;
    e.deps.push_back({key, c->delivered, *c->tip});
    taken.push_back(c);
  }
  for (auto* c : taken) set_head(*c, false);
  for (auto* c : touched_) {
    c->is_touched = false;
    const auto is_dep = std::ranges::find(taken, c) != taken.end();
    if (!is_dep && c->key != e.chain && e.seen.size() < event_seen_max && c->delivered > 0)
      e.seen.push_back({c->key, c->delivered});
  }
  touched_.clear();
  std::ranges::sort(e.seen);
}

topic_event causal_multicast::impl::next_event(local_publisher& p, std::uint64_t seq,
                                               const std::optional<digest>& previous, event_mode mode, time_ms now) {
  topic_event e;
  e.topic = topic_;
  e.chain = p.key;
  e.mode = mode;
  e.published_ms = std::min(now, wire_number_max);
  if (mode == event_mode::unreliable) {
    e.seq = ++p.loose_seq;
  } else {
    e.seq = seq;
    e.previous = previous;
    take_past(e);
  }
  return e;
}

// Signs, delivers here and sends.
void causal_multicast::impl::seal(local_publisher& p, std::vector<bytes>& wires, std::vector<topic_event>& events,
                                  std::vector<digest>& ids, time_ms now, multicast_effects& out) {
  const std::vector<byte_view> views{wires.begin(), wires.end()};
  auto parcel = std::make_shared<const event_parcel>(seal_parcel(*p.signer, views, ids));
  auto& c = *find_or_make(p.key, true);
  for (std::size_t i = 0; i < events.size(); ++i) {
    ++stats_.published;
    if (events[i].mode == event_mode::unreliable) {
      accept_loose(c, std::move(events[i]), ids[i], out);
    } else {
      deliver(c, std::move(events[i]), slot{parcel, static_cast<std::uint32_t>(i)}, now, out);
    }
  }
  out.emplace_back(multicast_broadcast{parcel->wire});
}

// Publishes as many events as one parcel takes; `from` goes on.
void causal_multicast::impl::publish_parcel(local_publisher& p, std::size_t& from, time_ms now,
                                            multicast_effects& out) {
  const auto left = std::min(p.queue.size() - from, parcel_events_max);
  std::vector<bytes> wires;
  std::vector<topic_event> events;
  std::vector<digest> ids;
  wires.reserve(left);
  events.reserve(left);
  ids.reserve(left);
  auto& c = *find_or_make(p.key, true);
  auto seq = c.delivered;
  auto previous = c.tip;
  std::size_t octets = parcel_overhead_max + 1024; // 1 KiB: a single signature
  for (; from < p.queue.size() && events.size() < parcel_events_max; ++from) {
    auto& [body, mode] = p.queue[from];
    constexpr std::size_t around_body = 4096; // an event with all its deps and seen marks, without its body
    if (!events.empty() && octets + body.size() + around_body > parcel_size_max) break;
    auto e = next_event(p, seq + 1, previous, mode, now);
    e.body = std::move(body);
    wires.push_back(encode(e));
    ids.push_back(event_id(wires.back()));
    octets += wires.back().size() + parcel_overhead_per_event_max;
    if (mode != event_mode::unreliable) {
      ++seq;
      previous = ids.back();
    }
    events.push_back(std::move(e));
  }
  seal(p, wires, events, ids, now, out);
}

// More heads than one event takes are taken in by events of their own, so that the past is never cut short.
void causal_multicast::impl::fold_heads(local_publisher& p, time_ms now, multicast_effects& out) {
  while (heads_.size() - heads_.count(p.key) > event_deps_max) {
    auto& c = *find_or_make(p.key, true);
    std::vector<topic_event> events{next_event(p, c.delivered + 1, c.tip, event_mode::join, now)};
    if (events[0].deps.empty()) return; // what is left has no known tip
    std::vector<bytes> wires{encode(events[0])};
    std::vector<digest> ids{event_id(wires[0])};
    seal(p, wires, events, ids, now, out);
  }
}

void causal_multicast::impl::flush(time_ms now, multicast_effects& out) {
  for (auto& [publisher, p] : publishers_) {
    if (p.queue.empty()) continue;
    fold_heads(p, now, out);
    for (std::size_t from = 0; from < p.queue.size();) publish_parcel(p, from, now, out);
    p.queue.clear();
  }
}

bool causal_multicast::impl::is_member(const identity& node) const {
  return std::ranges::binary_search(members_, node);
}

std::optional<time_ms> causal_multicast::impl::next_timer() const {
  auto next = digest_at_;
  const auto sooner = [&](time_ms when) { next = next ? std::min(*next, when) : when; };
  for (const auto& key : needy_) sooner(chains_.at(key).want_at);
  if (started_ && !joined_) sooner(join_at_);
  if (strangers_at_) sooner(*strangers_at_);
  return next;
}

causal_multicast::causal_multicast(const identity& topic, const identity& self, event_verifier& verifier,
                                   random_source& random, const multicast_config& config)
    : impl_(std::make_unique<impl>(topic, self, verifier, random, config)) {}
causal_multicast::~causal_multicast() = default;
causal_multicast::causal_multicast(causal_multicast&&) noexcept = default;
causal_multicast& causal_multicast::operator=(causal_multicast&&) noexcept = default;

void causal_multicast::authorise(std::function<bool(const identity&)> may_publish) {
  impl_->authorised_ = std::move(may_publish);
}

void causal_multicast::peers_changed(std::vector<identity> members, std::vector<identity> near, time_ms now) {
  std::ranges::sort(members);
  std::erase(members, impl_->self_);
  std::erase_if(near, [&](const identity& n) { return !std::ranges::binary_search(members, n); });
  const bool grew = members.size() > impl_->members_.size();
  impl_->members_ = std::move(members);
  impl_->near_ = std::move(near);
  std::erase_if(impl_->peers_, [&](const auto& p) { return !impl_->is_member(p.first); });
  if (grew && impl_->joined_) impl_->news(now); // whoever is new, or back, may lack something
}

std::vector<chain_mark> causal_multicast::marks() const {
  std::vector<chain_mark> marks;
  for (const auto& [key, c] : impl_->chains_)
    if (c.verified || c.delivered > 0) marks.push_back({key, c.delivered});
  return marks;
}

expected<unit> causal_multicast::add_publisher(std::shared_ptr<event_signer> signer, std::uint64_t epoch) {
  const auto publisher = signer->publisher();
  if (impl_->publishers_.contains(publisher)) return errc::already_exists;
  const chain_key key{publisher, std::min(epoch, wire_number_max)};
  if (!impl_->find_or_make(key, true)) return errc::table_full;
  impl_->publishers_[publisher] = {std::move(signer), key, 0, {}};
  return ok();
}

void causal_multicast::remove_publisher(const identity& publisher) {
  impl_->publishers_.erase(publisher);
}

expected<unit> causal_multicast::publish(const identity& publisher, shared_bytes body, event_mode mode, time_ms now) {
  return impl_->publish(publisher, std::move(body), mode, now);
}

void causal_multicast::flush(time_ms now, multicast_effects& out) {
  impl_->flush(now, out);
}

payload_verdict causal_multicast::offer(const identity& from, const shared_bytes& parcel, time_ms now,
                                        multicast_effects& out) {
  return impl_->offer(from, parcel, false, now, out);
}

expected<unit> causal_multicast::receive(const identity& from, byte_view body, time_ms now, multicast_effects& out) {
  if (!impl_->is_member(from)) return error{errc::permission_denied, "not a node of this topic"};
  HANSE_TRY(const auto control, decode_multicast_control(body));
  std::visit([&](const auto& c) { impl_->on(from, c, now, out); }, control);
  return ok();
}

void causal_multicast::tick(time_ms now, multicast_effects& out) {
  impl_->tick_joining(now, out);
  if (impl_->strangers_at_ && *impl_->strangers_at_ <= now) {
    impl_->strangers_at_.reset();
    impl_->drain_all(now, out);
  }
  impl_->send_wants(now, out);
  if (impl_->digest_at_ && *impl_->digest_at_ <= now) impl_->send_digests(now, out);
}

std::optional<time_ms> causal_multicast::next_timer() const {
  return impl_->next_timer();
}

std::vector<multicast_deliver> causal_multicast::history(std::size_t count) const {
  std::vector<multicast_deliver> events;
  std::map<const impl::chain*, std::size_t> taken; // from the end of each chain's store
  auto& order = impl_->order_;
  for (auto it = order.rbegin(); it != order.rend() && events.size() < count; ++it) {
    const auto& stored = (*it)->stored;
    const auto& where = stored[stored.size() - ++taken[*it]];
    auto event = decode_event(where.parcel->wire.slice(where.parcel->events[where.index]));
    if (event && event->mode != event_mode::join)
      events.push_back({*std::move(event), where.id(), {where.parcel, where.index}});
  }
  std::ranges::reverse(events);
  return events;
}

bool causal_multicast::joined() const noexcept {
  return impl_->joined_;
}

multicast_stats causal_multicast::stats() const {
  auto stats = impl_->stats_;
  stats.stored = impl_->order_.size();
  stats.chains = impl_->chains_.size();
  return stats;
}

} // namespace hanse
