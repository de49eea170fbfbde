// Causal multicast: joining a topic that others are in already. See causal_multicast.hpp.
// A joining node keeps all that arrives, asks members where the chains are, and delivers from there on. It believes the
// member that answers: one that lies can hide what was published before the join, or make the node fetch old events.
#include "hanse/protocols/internal/causal_state.hpp"

#include <algorithm>

namespace hanse {

using impl = causal_multicast::impl;

void causal_multicast::start(std::uint32_t history, time_ms now) {
  auto& i = *impl_;
  i.history_ = std::min<std::uint32_t>(history, join_history_max);
  i.started_ = true;
  i.started_ms_ = now;
  i.join_at_ = now;
}

void causal_multicast::resume(const std::vector<chain_mark>& marks, time_ms now, multicast_effects& out) {
  impl_->started_ = true;
  impl_->settle(marks, now, out);
}

void impl::tick_joining(time_ms now, multicast_effects& out) {
  if (!started_ || joined_ || join_at_ > now) return;
  if (members_.empty()) {
    if (now - started_ms_ >= config_.join_alone_ms) return settle({}, now, out);
    join_at_ = std::min(now + config_.join_timeout_ms, started_ms_ + config_.join_alone_ms);
    return;
  }
  if (++join_tries_ > config_.join_tries) return settle({}, now, out);
  join_at_ = now + config_.join_timeout_ms;
  // Those nearby first; after them, and in turn with them, any member.
  const bool near = join_tries_ <= near_.size();
  send(near ? near_[join_tries_ - 1] : members_[random_.below(members_.size())], multicast_join{history_}, out);
}

void impl::on(const identity& from, const multicast_join& j, time_ms now, multicast_effects& out) {
  multicast_welcome welcome;
  welcome.settled = joined_;
  std::size_t octets = 1024;
  if (joined_) {
    for (const auto& [key, c] : chains_) {
      if (welcome.marks.size() == join_marks_max) break;
      if (c.delivered > 0) welcome.marks.push_back({key, c.delivered});
    }
    octets += 64 * welcome.marks.size();
    std::map<const chain*, std::size_t> taken;
    std::vector<std::pair<const event_parcel*, std::vector<std::uint32_t>>> latest; // newest first
    std::size_t left = std::min<std::size_t>(j.history, join_history_max);
    for (auto it = order_.rbegin(); it != order_.rend() && left > 0; ++it, --left) {
      const auto& stored = (*it)->stored;
      const auto& where = stored[stored.size() - ++taken[*it]];
      if (latest.empty() || latest.back().first != where.parcel.get()) latest.push_back({where.parcel.get(), {}});
      latest.back().second.push_back(where.index);
    }
    const auto add = [&](shared_bytes parcel) {
      if (octets + parcel.size() > answer_octets_max || welcome.parcels.size() == join_history_max) return false;
      octets += parcel.size();
      welcome.parcels.push_back(std::move(parcel));
      return true;
    };
    // Newest first, so that what does not fit is the oldest; the receiver puts them in order. A parcel that is wanted
    // in part goes by single events: a whole one would begin the history of its chain before that of others.
    bool fits = true;
    for (auto l = latest.begin(); fits && l != latest.end(); ++l) {
      if (l->second.size() == l->first->events.size()) {
        fits = add(l->first->wire);
      } else {
        for (const auto i : l->second) fits = fits && add(shared_bytes{parcel_alone(*l->first, i)});
      }
    }
  }
  if (spend(from, octets, now)) send(from, welcome, out);
}

void impl::on(const identity& from, const multicast_welcome& w, time_ms now, multicast_effects& out) {
  if (!started_ || joined_) return;
  if (!w.settled) {
    unsettled_.insert(from); // of members only
    join_at_ = now;          // the next one
    if (unsettled_.size() >= std::min<std::size_t>(3, members_.size())) settle({}, now, out);
    return;
  }
  // What arrived before the join and lies before the marks is left out: it may depend, through events that are not
  // here, on others that were not received. The history is the end of an order of delivery, so nothing in it does.
  for (const auto& mark : w.marks)
    if (auto* c = find(mark.chain)) forget_pending(*c, mark.seq);
  // The newest come first: what is before one that is refused here could come after what depends on it through that.
  for (const auto& parcel : w.parcels) {
    const auto read = read_parcel(parcel);
    if (read && (!may_publish(read->publisher) || forked_.contains(read->publisher))) break;
    offer_answer(from, parcel, now, out);
  }
  settle(w.marks, now, out);
}

// From here on everything is delivered: of each chain what follows its mark, and the history before it.
void impl::settle(const std::vector<chain_mark>& marks, time_ms now, multicast_effects& out) {
  joined_ = true;
  for (const auto& mark : marks) {
    // Of publishers that may not publish as well: this node may only not know yet that they may, and what is before
    // the mark would then come after what depends on it.
    if (forked_.contains(mark.chain.publisher)) continue;
    auto* c = find_or_make(mark.chain, true);
    if (!c || c->delivered > 0) continue; // a chain of this node's own
    c->delivered = mark.seq;
    if (!c->pending.empty()) c->delivered = std::min(mark.seq, c->pending.begin()->first - 1);
    c->known = std::max(c->known, mark.seq);
  }
  unsettled_.clear();
  out.emplace_back(multicast_joined{});
  news(now);
  drain_all(now, out);
  for (auto& [key, c] : chains_)
    if (c.known > c.delivered && !forked_.contains(key.publisher)) need(c, now);
}

} // namespace hanse
