// See group_send.hpp. The members form a tree of groups; `advance` brings one level to where it should be, from its
// members' states alone, and hands the outcome of a level to the one above.
#include "hanse/protocols/group_send.hpp"

#include <algorithm>

namespace hanse {

namespace {

/// Whether another copy to the same member may fare better: it was not reached, or its engine was just moving.
bool is_transient(errc code) noexcept {
  return code == errc::wrong_recipient || code == errc::link_closed || code == errc::unreachable ||
         code == errc::queue_full;
}

/// Says nothing about why: what a member has said itself is told before these.
bool is_silence(errc code) noexcept {
  return code == errc::expired || code == errc::timed_out || code == errc::unreachable || code == errc::link_closed ||
         code == errc::no_route;
}

} // namespace

group_send::group_send(const route& r, time_ms expires_ms)
    : expires_ms_(expires_ms),
      one_needed_(r.members.size() == 1 || r.pattern == delivery::anycast || r.pattern == delivery::unicast) {
  assert(r.what == route::kind::group && !r.members.empty());
  add(r, 0);
}

std::size_t group_send::add(const route& r, std::size_t above) {
  const auto index = groups_.size();
  groups_.push_back({above, r.weight, r.threshold, state::unused, {}});
  for (const auto& m : r.members) {
    if (m.what == route::kind::group) {
      const auto below = add(m, index);
      groups_[index].children.push_back({true, below});
    } else {
      groups_[index].children.push_back({false, leaves_.size()});
      const bool local = m.what == route::kind::local;
      leaves_.push_back({index, m.weight, m.destination, m.next_hop, local || m.connected, state::unused, 0, 0});
    }
  }
  return index;
}

std::uint64_t group_send::weight_in(const group& g, std::initializer_list<state> states) const {
  std::uint64_t sum = 0;
  for (const auto& c : g.children)
    if (std::ranges::find(states, state_of(c)) != states.end()) sum += weight_of(c);
  return sum;
}

void group_send::start(time_ms now, group_effects& out) {
  advance(0, now, out);
}

/// Ends the level if its outcome is clear, else sees to it that enough members are at work.
void group_send::advance(std::size_t index, time_ms now, group_effects& out) {
  using enum state;
  for (;;) {
    auto& g = groups_[index];
    if (done_ || g.now == answered || g.now == failed) return;
    g.now = std::max(g.now, waiting);
    if (weight_in(g, {answered}) >= g.threshold) return settle(index, answered, now, out);
    if (weight_in(g, {answered, waiting, late, again, unused}) < g.threshold) return settle(index, failed, now, out);
    if (weight_in(g, {answered, waiting}) >= g.threshold || !send_next(index, now, out)) break;
  }
  // A nested group whose members are all late is late itself: its neighbours come in beside it.
  auto& g = groups_[index];
  const bool late_now = weight_in(g, {answered, waiting}) < g.threshold;
  const auto before = std::exchange(g.now, late_now ? late : waiting);
  if (index != 0 && before == waiting && late_now) advance(g.above, now, out);
}

/// Sends to the best member that is unused, else to one that may be tried again. False if there is none now.
bool group_send::send_next(std::size_t index, time_ms now, group_effects& out) {
  const auto unused =
      std::ranges::find_if(groups_[index].children, [this](const child& c) { return state_of(c) == state::unused; });
  if (unused != groups_[index].children.end()) {
    const auto next = *unused;
    if (next.group)
      advance(next.index, now, out);
    else
      send(next.index, now, out);
    return true;
  }
  for (const auto& c : groups_[index].children)
    if (!c.group && leaves_[c.index].now == state::again && leaves_[c.index].due_ms <= now) {
      send(c.index, now, out);
      return true;
    }
  return false;
}

void group_send::send(std::size_t member, time_ms now, group_effects& out) {
  auto& m = leaves_[member];
  m.now = state::waiting;
  ++m.tries;
  const auto left = expires_ms_ > now ? expires_ms_ - now : 0;
  m.due_ms = now + (m.linked ? left / 2 : std::min<time_ms>(left / 2, group_patience_unlinked_ms));
  out.push_back(group_copy{member, m.destination, m.node});
}

void group_send::settle(std::size_t index, state outcome, time_ms now, group_effects& out) {
  groups_[index].now = outcome;
  if (index != 0) return advance(groups_[index].above, now, out);
  if (outcome == state::answered) return finish({}, out);
  finish(why_not(), out);
}

void group_send::answered(std::size_t member, shared_bytes body, time_ms now, group_effects& out) {
  if (done_ || member >= leaves_.size()) return;
  auto& m = leaves_[member];
  if (m.now == state::answered || m.now == state::unused) return;
  m.now = state::answered; // also after a fault: the copy of an earlier try got through
  if (!first_answer_) {
    first_answer_ = std::move(body);
    first_from_ = m.destination;
  }
  advance(m.above, now, out);
}

void group_send::failed(std::size_t member, fault_body fault, time_ms now, group_effects& out) {
  if (done_ || member >= leaves_.size()) return;
  auto& m = leaves_[member];
  if (m.now != state::waiting && m.now != state::late) return;
  const bool may_try = is_transient(fault.code) && m.tries < group_tries_max;
  m.now = may_try ? state::again : state::failed;
  m.due_ms = now + group_retry_ms * m.tries;
  const bool final = one_needed_ && fault.code == errc::engine_error;
  if (!last_from_ || !is_silence(fault.code)) {
    last_fault_ = std::move(fault);
    last_from_ = m.destination;
  }
  if (final) return finish(last_fault_, out); // never silent, so it is this one
  advance(m.above, now, out);
}

void group_send::unlinked(std::size_t member, time_ms now) {
  if (done_ || member >= leaves_.size()) return;
  auto& m = leaves_[member];
  m.linked = false;
  if (m.now == state::waiting) m.due_ms = std::min(m.due_ms, now + group_patience_unlinked_ms);
}

void group_send::tick(time_ms now, group_effects& out) {
  if (done_) return;
  if (now >= expires_ms_) return finish(why_not(), out);
  for (auto& m : leaves_) {
    if (m.due_ms > now) continue;
    if (m.now == state::waiting) m.now = state::late;
    if (m.now == state::again) m.due_ms = 0; // ready when it is needed: no timer
  }
  // Deepest groups first, so that each level sees what became of those below it.
  for (auto i = groups_.size(); i-- > 0 && !done_;)
    if (groups_[i].now != state::unused) advance(i, now, out);
}

std::optional<time_ms> group_send::next_timer() const {
  if (done_) return std::nullopt;
  auto due = expires_ms_;
  for (const auto& m : leaves_)
    if (m.now == state::waiting || (m.now == state::again && m.due_ms != 0)) due = std::min(due, m.due_ms);
  return due;
}

/// What the caller is told when too few members have answered.
fault_body group_send::why_not() const {
  auto last = last_fault_;
  if (!last_from_) last = {errc::timed_out, "no answer before the message expired", 0, {}};
  if (last.code == errc::wrong_recipient) last = {errc::engine_down, "the engine is not running", 0, {}};
  if (one_needed_) return last;
  fault_body fault;
  fault.code = errc::threshold_not_met;
  fault.detail = "answers weigh " + std::to_string(weight_in(groups_[0], {state::answered})) + " of " +
                 std::to_string(groups_[0].threshold) + "; last: " + std::string{to_string(last.code)};
  if (last_from_) fault.detail += " from " + to_short_string(last_from_);
  if (!last.detail.empty()) fault.detail += ", " + last.detail;
  return fault;
}

void group_send::finish(std::optional<fault_body> fault, group_effects& out) {
  done_ = true;
  group_done end;
  end.from = fault ? last_from_ : first_from_;
  if (!fault && first_answer_) end.body = std::move(*first_answer_);
  end.fault = std::move(fault);
  out.push_back(std::move(end));
}

} // namespace hanse
