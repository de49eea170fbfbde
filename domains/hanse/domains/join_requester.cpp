// The requester's side of joins and leaves.
// Every step is repeated until it is answered; every answer is taken once, as its nonce is of this try.
#include "hanse/domains/join_requester.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr unsigned restarts_max = 3; ///< with one introducer, when the link changed under a proof; a guess

/// Whether asking again later can help.
bool may_pass(errc code) noexcept {
  switch (code) {
  case errc::timed_out:
  case errc::unreachable:
  case errc::link_closed:
  case errc::no_address:
  case errc::no_route:
  case errc::rate_limited:
  case errc::table_full:
  case errc::queue_full:
  case errc::stale:    // it is behind, and will catch up
  case errc::in_doubt: // it waits for other members before it writes
  case errc::io_error:
    return true;
  default:
    return false;
  }
}

/// The refusal that says most: one that time does not change, else any but silence.
error main_reason(const std::vector<join_try>& tries) {
  for (const auto& t : tries)
    if (!may_pass(t.why.code)) return t.why;
  for (const auto& t : tries)
    if (t.why.code != errc::timed_out) return t.why;
  return tries.empty() ? error{errc::not_found, "no introducer"} : tries.front().why;
}

bool has_valid_key(const psk_list& keys, time_ms now) {
  return std::ranges::any_of(keys, [&](const auto& k) { return k.valid_at(now); });
}

} // namespace

join_requester::join_requester(const identity& self, random_source& random, const join_requester_config& config)
    : self_(self), random_(random), config_(config) {}

expected<unit> join_requester::start(join_task task, time_ms now, requester_effects& out) {
  const auto domain = task.advert.value.domain;
  if (attempts_.contains(domain)) return error{errc::already_exists, "a join or leave is under way"};
  if (attempts_.size() >= config_.attempts_max) return errc::table_full;
  if (!task.leave && task.advert.value.auth == auth_mechanism::psk && !has_valid_key(task.keys, now))
    return error{errc::bad_proof, "the domain asks for a pre-shared key, and there is none that is valid"};
  if (!task.instance.empty() && !find_instance(task.advert.value, task.instance))
    return error{errc::not_found, "the domain names no instance " + task.instance};
  attempt a;
  a.task = std::move(task);
  HANSE_CHECK(plan(a));
  contact(attempts_.emplace(domain, std::move(a)).first->second, now, out);
  return ok();
}

bool join_requester::cancel(const identity& domain) {
  return attempts_.erase(domain) != 0;
}

/// Whom to ask, in which order, by the advert that we have now.
expected<unit> join_requester::plan(attempt& a) {
  const auto& config = a.task.advert.value;
  a.order = introducers_of(config, a.task.instance);
  std::erase_if(a.order, [&](const introducer& i) { return i.node == self_; });
  if (a.order.empty()) return error{errc::not_found, "the domain names no introducer"};
  const auto* instance = find_instance(config, a.task.instance);
  const auto near = instance ? std::min(a.order.size(), instance->introducers.size()) : 0;
  shuffle(a.order, 0, near);
  shuffle(a.order, near, a.order.size());
  a.at = 0;
  a.tries.clear();
  return ok();
}

void join_requester::shuffle(std::vector<introducer>& order, std::size_t from, std::size_t to) {
  for (auto i = from; i + 1 < to; ++i) std::swap(order[i], order[i + random_.below(to - i)]);
}

void join_requester::contact(attempt& a, time_ms now, requester_effects& out) {
  a.pause_until = 0;
  a.key = 0;
  a.restarts = 0;
  next_key(a, now);
  out.push_back(join_reach{a.order[a.at].node, a.order[a.at].advert});
  ask(a, now, out);
}

/// Begins a try with the introducer in turn.
void join_requester::ask(attempt& a, time_ms now, requester_effects& out) {
  const auto& config = a.task.advert.value;
  random_.fill(a.nonce);
  a.proven.reset();
  a.give_up_at = now + config_.introducer_ms;
  if (a.task.leave)
    send(a, encode(leave_request{config.domain, a.nonce}), now, out);
  else
    send(a, encode(join_request{config.domain, a.nonce, config.version, a.task.instance}), now, out);
}

void join_requester::send(attempt& a, bytes body, time_ms now, requester_effects& out) {
  a.body = std::move(body);
  a.wait_ms = config_.resend_ms;
  a.resend_at = now + a.wait_ms;
  out.push_back(peer_message{a.order[a.at].node, a.body});
}

/// Moves on to the first key from a.key on that is valid; false if there is none.
bool join_requester::next_key(attempt& a, time_ms now) const {
  while (a.key < a.task.keys.size() && !a.task.keys[a.key].valid_at(now)) ++a.key;
  return a.key < a.task.keys.size();
}

void join_requester::pass_over(attempts::iterator i, error why, time_ms now, requester_effects& out) {
  auto& a = i->second;
  if (a.at == 0) a.tries.clear(); // of the round before: told until there is news
  a.tries.push_back({a.order[a.at].node, std::move(why)});
  out.push_back(join_passed_over{i->first, a.tries.back()});
  if (++a.at < a.order.size())
    contact(a, now, out);
  else
    end_round(i, now, out);
}

void join_requester::end_round(attempts::iterator i, time_ms now, requester_effects& out) {
  auto& a = i->second;
  const bool hope = std::ranges::any_of(a.tries, [](const auto& t) { return may_pass(t.why.code); });
  if (!hope || (config_.rounds_max != 0 && a.round >= config_.rounds_max)) {
    out.push_back(join_failed{i->first, main_reason(a.tries), std::move(a.tries)});
    attempts_.erase(i);
    return;
  }
  auto pause = config_.pause_min_ms << std::min(a.round - 1, 16U);
  pause = std::min(pause, config_.pause_max_ms);
  pause += random_.below(pause / 2 + 1); // so that many that failed together do not come back together
  a.pause_until = now + std::max(pause, a.retry_after_ms);
  a.retry_after_ms = 0;
  ++a.round;
}

expected<unit> join_requester::receive(const identity& from, const join_channel& channel, byte_view body, time_ms now,
                                       requester_effects& out) {
  HANSE_TRY(const auto decoded, decode_join_body(body));
  if (std::holds_alternative<join_request>(decoded) || std::holds_alternative<join_answer>(decoded) ||
      std::holds_alternative<leave_request>(decoded))
    return error{errc::bad_type, "not for requesters"};
  const auto i = attempts_.find(std::visit([](const auto& b) { return b.domain; }, decoded));
  if (i == attempts_.end()) return ok();
  auto& a = i->second;
  const auto nonce = std::visit([](const auto& b) { return b.nonce; }, decoded);
  if (a.pause_until != 0 || a.order[a.at].node != from || a.nonce != nonce) return ok();
  if (const auto* c = std::get_if<join_challenge>(&decoded)) {
    if (!a.task.leave) on(i, channel, *c, now, out);
  } else if (const auto* yes = std::get_if<join_accept>(&decoded)) {
    if (!a.task.leave) on(i, *yes, now, out);
  } else if (const auto* no = std::get_if<join_refuse>(&decoded)) {
    on(i, channel, *no, now, out);
  } else if (a.task.leave) {
    out.push_back(join_left{i->first, from});
    attempts_.erase(i);
  }
  return ok();
}

void join_requester::on(attempts::iterator i, const join_channel& channel, const join_challenge& c, time_ms now,
                        requester_effects& out) {
  auto& a = i->second;
  if (a.proven) return; // answered already; the answer is repeated by the timer
  if (!next_key(a, now))
    return pass_over(i, {errc::bad_proof, "a pre-shared key is asked for, and there is none that is valid"}, now, out);
  a.proven = join_facts{c.domain, self_, a.order[a.at].node, a.nonce, c.challenge, channel};
  const auto proof = prove(a.task.keys[a.key].key(), join_role::requester, *a.proven);
  a.give_up_at = now + config_.introducer_ms;
  send(a, encode(join_answer{c.domain, a.nonce, proof}), now, out);
}

/// Whether an acceptance is one. With auth psk the introducer must know the key as well: one that does not was dropped
/// by the owner, or never was one.
expected<unit> join_requester::believe(const attempt& a, const join_accept& yes) const {
  if (a.proven.has_value() != yes.proof.has_value()) return error{errc::bad_proof, "accepted without a proof"};
  if (!a.proven && a.task.advert.value.auth == auth_mechanism::psk)
    return error{errc::bad_proof, "accepted without asking for the pre-shared key"};
  if (a.proven && !equal_constant_time(prove(a.task.keys[a.key].key(), join_role::introducer, *a.proven), *yes.proof))
    return error{errc::bad_proof, "the introducer does not know the pre-shared key"};
  return ok();
}

void join_requester::on(attempts::iterator i, const join_accept& yes, time_ms now, requester_effects& out) {
  auto& a = i->second;
  const auto introducer = a.order[a.at].node;
  if (const auto believed = believe(a, yes); !believed) return pass_over(i, believed.error(), now, out);
  auto advert = decode_domain_advert(yes.advert);
  if (advert && advert->value.domain != i->first) advert = error{errc::wrong_signer, "the advert of another domain"};
  if (!advert) return pass_over(i, advert.error(), now, out);
  if (advert->value.version < a.task.advert.value.version) advert = a.task.advert; // it is behind; we do not go back
  out.push_back(join_done{i->first, introducer, yes.level, *std::move(advert), yes.adverts});
  attempts_.erase(i);
}

void join_requester::on(attempts::iterator i, const join_channel& channel, const join_refuse& no, time_ms now,
                        requester_effects& out) {
  auto& a = i->second;
  if (!no.advert.empty()) {
    auto newer = decode_domain_advert(no.advert);
    if (newer && newer->value.domain == i->first && newer->value.version > a.task.advert.value.version) {
      a.task.advert = *std::move(newer);
      out.push_back(join_advert{a.task.advert});
      if (!find_instance(a.task.advert.value, a.task.instance)) a.task.instance.clear();
      if (plan(a)) return contact(a, now, out);
      out.push_back(join_failed{i->first, {errc::not_found, "the domain names no introducer any more"}, {}});
      attempts_.erase(i);
      return;
    }
  }
  if (no.code == errc::bad_proof && a.proven) {
    if (a.proven->channel != channel && a.restarts < restarts_max) { // the link changed under the proof
      ++a.restarts;
      return ask(a, now, out);
    }
    ++a.key;
    if (next_key(a, now)) return ask(a, now, out);
  }
  a.retry_after_ms = std::max<std::uint64_t>(a.retry_after_ms, no.retry_after_ms);
  pass_over(i, {no.code, no.detail}, now, out);
}

void join_requester::unreachable(const identity& node, const error& why, time_ms now, requester_effects& out) {
  for (auto i = attempts_.begin(); i != attempts_.end();) {
    const auto here = i++; // pass_over may erase it
    const auto& a = here->second;
    if (a.pause_until == 0 && a.order[a.at].node == node) pass_over(here, {errc::unreachable, why.detail}, now, out);
  }
}

void join_requester::tick(time_ms now, requester_effects& out) {
  for (auto i = attempts_.begin(); i != attempts_.end();) {
    const auto here = i++; // pass_over may erase it
    auto& a = here->second;
    if (a.pause_until != 0) {
      if (now < a.pause_until) continue;
      a.at = 0;
      contact(a, now, out);
    } else if (now >= a.give_up_at) {
      pass_over(here, {errc::timed_out, "no answer"}, now, out);
    } else if (now >= a.resend_at) {
      a.wait_ms *= 2;
      a.resend_at = now + a.wait_ms;
      out.push_back(peer_message{a.order[a.at].node, a.body});
    }
  }
}

std::optional<time_ms> join_requester::next_timer() const {
  std::optional<time_ms> next;
  for (const auto& [domain, a] : attempts_) {
    const auto at = a.pause_until != 0 ? a.pause_until : std::min(a.resend_at, a.give_up_at);
    if (!next || at < *next) next = at;
  }
  return next;
}

std::vector<join_report> join_requester::reports() const {
  std::vector<join_report> all;
  for (const auto& [domain, a] : attempts_) {
    const auto asked = a.pause_until == 0 ? a.order[a.at].node : identity{};
    all.push_back({domain, a.task.leave, asked, a.round, a.pause_until, a.tries});
  }
  return all;
}

} // namespace hanse
