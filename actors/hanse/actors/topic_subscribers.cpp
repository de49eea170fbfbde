// Subscribers of topics at this node: actors, and those who fetch (the control socket). See topic_engine.hpp.
#include "hanse/actors/errors.hpp"
#include "hanse/actors/topic_engine.hpp"

#include <algorithm>

namespace hanse {

expected<std::uint64_t> topic_engine::subscribe(topic_wish wish) {
  if (subscriptions_.size() >= topic_subscriptions_max) return error{errc::table_full, "subscriptions"};
  if (wish.topic) HANSE_CHECK(available(wish.topic));
  const auto token = ++last_token_;
  auto& s = subscriptions_[token];
  s.fetched_ms = now();
  if (wish.listener) s.listener = caf::actor_cast<topic_listener_actor>(wish.listener);
  const auto history = static_cast<std::uint32_t>(std::min<std::size_t>(wish.history, join_history_max));
  if (blocks_ && wish.topic && wish.history > 0) {
    auto& r = replays_[token];
    r.topic = wish.topic;
    r.wanted = std::min(wish.history, topic_history_max);
    r.round = ++last_round_;
  }
  topics_effects out;
  auto done = wish.topic ? machine().subscribe(wish.topic, token, history, now(), out)
                         : machine().subscribe_tag(wish.domain, wish.tag, token, history, now(), out);
  if (!done) {
    subscriptions_.erase(token);
    replays_.erase(token);
    return done.error();
  }
  perform(std::move(out));
  if (wish.topic) topic_is_joined(wish.topic); // if it is
  hand_over();
  finish_burst();
  if (wish.listener)
    compat::on_termination(wish.listener, [topics = topic_actor{self_}, token](const caf::error&) {
      compat::anon_send(topics, remove_atom_v, token);
    });
  return token;
}

void topic_engine::unsubscribe(std::uint64_t token) {
  auto node = subscriptions_.extract(token);
  if (!node) return;
  if (node.mapped().waiting) node.mapped().waiting->deliver(topic_fetch{});
  to_listeners_.erase(token);
  fetchable_.erase(token);
  replays_.erase(token);
  topics_effects out;
  machine().unsubscribe(token, now(), out);
  perform(std::move(out));
  finish_burst();
}

void topic_engine::deliver(topic_deliver& d) {
  if (!replays_.empty()) note_first(d);
  if (!wait_for_content(d)) deliver_now(d);
}

/// Collects; `hand_over` sends.
void topic_engine::deliver_now(topic_deliver& d) {
  const auto& e = d.event;
  const topic_delivery event{
      e.topic, e.chain.publisher, e.chain.epoch, e.seq, e.published_ms, e.mode != event_mode::unreliable, e.body};
  for (const auto token : *d.to) {
    const auto i = subscriptions_.find(token);
    if (i == subscriptions_.end()) continue; // the one that keeps topics
    if (const auto r = replays_.find(token); r != replays_.end()) {
      r->second.octets += event.body.size();
      r->second.held.push_back(event);
      if (r->second.held.size() > topic_fetch_events_max || r->second.octets > topic_fetch_octets_max)
        end_replay(token); // what comes now goes before what was
      continue;
    }
    hand(token, i->second, event);
  }
}

/// What was given from an archive before is left out; unreliable events count by themselves.
void topic_engine::hand(std::uint64_t token, subscription& s, topic_delivery event) {
  if (!s.given.empty() && event.is_causal) {
    const auto g = s.given.find({event.publisher, event.epoch});
    if (g != s.given.end() && event.seq <= g->second) return;
    if (g != s.given.end()) s.given.erase(g);
  }
  if (s.listener) {
    to_listeners_[token].push_back(std::move(event));
    return;
  }
  s.octets += event.body.size();
  s.events.push_back(std::move(event));
  while (s.events.size() > topic_fetch_events_max || s.octets > topic_fetch_octets_max) {
    s.octets -= s.events.front().body.size();
    s.events.pop_front();
    ++s.missed;
  }
  if (s.waiting) fetchable_.insert(token);
}

void topic_engine::hand_over() {
  for (auto& [token, events] : std::exchange(to_listeners_, {}))
    if (const auto i = subscriptions_.find(token); i != subscriptions_.end())
      compat::tell(self_, i->second.listener, std::move(events));
  for (const auto token : std::exchange(fetchable_, {}))
    if (const auto i = subscriptions_.find(token); i != subscriptions_.end()) answer_fetch(i->second);
}

caf::result<topic_fetch> topic_engine::fetch(std::uint64_t token, std::uint32_t count, std::uint32_t wait_ms) {
  const auto i = subscriptions_.find(token);
  if (i == subscriptions_.end() || i->second.listener)
    return to_caf(error{errc::not_found, "no such subscription (any more): subscribe again"});
  auto& s = i->second;
  s.fetched_ms = now();
  if (s.waiting) std::exchange(s.waiting, std::nullopt)->deliver(topic_fetch{}); // the later one gets them
  if (!s.events.empty() || s.missed != 0 || wait_ms == 0) {
    auto fetched = take_fetched(s, count);
    if (!replays_.empty()) hand_on(token); // there is room again
    return fetched;
  }
  s.waiting = self_->make_response_promise<topic_fetch>();
  s.wanted = count;
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{wait_ms}, retry_atom_v, token, ++s.round);
  return *s.waiting;
}

/// Answers the one who waits for events, if somebody does.
void topic_engine::answer_fetch(subscription& s) {
  if (s.waiting) std::exchange(s.waiting, std::nullopt)->deliver(take_fetched(s, s.wanted));
}

topic_fetch topic_engine::take_fetched(subscription& s, std::uint32_t count) {
  topic_fetch result;
  result.missed = std::exchange(s.missed, 0);
  std::size_t octets = 0;
  while (!s.events.empty() && result.events.size() < count && octets < topic_answer_octets_max) {
    octets += s.events.front().body.size();
    s.octets -= s.events.front().body.size();
    result.events.push_back(std::move(s.events.front()));
    s.events.pop_front();
  }
  s.fetched_ms = now();
  return result;
}

void topic_engine::let_idle_go() {
  std::vector<std::uint64_t> idle;
  for (const auto& [token, s] : subscriptions_)
    if (!s.listener && !s.waiting && s.fetched_ms + topic_fetch_idle_ms < now()) idle.push_back(token);
  for (const auto token : idle) unsubscribe(token);
}

} // namespace hanse
