// The blocks of a node: what comes from the network and from timers, effects, commits. See the header.
#include "hanse/actors/block_engine.hpp"

#include "hanse/actors/errors.hpp"
#include "hanse/actors/internal/reputation.hpp"
#include "hanse/actors/service.hpp"

#include <algorithm>

namespace hanse {

block_engine::block_engine(pointer self, std::shared_ptr<node_core> core, domain_actor domains,
                           std::shared_ptr<block_disk> disk, std::shared_ptr<const block_setup> setup)
    : self_(self), core_(std::move(core)), domains_(std::move(domains)), disk_(std::move(disk)),
      setup_(std::move(setup)) {
  compat::ignore_stray_errors(self_);
}

block_engine::~block_engine() {
  gets_.clear(); // before the machines that they refer to
  spreads_.clear();
  entries_.clear();
}

block_actor::behavior_type block_engine::make_behavior() {
  domains_changed();
  schedule();
  return {
      [this](std::vector<inbound>& messages) {
        for (auto& in : messages) receive(in);
        go_on_all();
      },
      [](link_up_atom, const identity&) {},
      [this](link_down_atom, const identity& peer) {
        for (auto& [domain, e] : entries_) {
          if (!e.machine) continue;
          block_effects out;
          e.machine->peer_down(peer, now(), out);
          go_on(domain, std::move(out));
        }
      },
      [this](stop_atom) { stop(); },
      [this](const domain_change&) { domains_changed(); },
      [this](const domain_role_changed&) { domains_changed(); },
      [this](put_atom, content_wish& wish, std::vector<bytes>& content) -> caf::result<content_kept> {
        if (content.size() != 1) return to_caf(error{errc::bad_value, "one content"});
        return put_whole(std::move(wish), std::move(content.front()));
      },
      [this](load_atom, content_get_wish& wish) { return get_whole(std::move(wish)); },
      [this](put_atom, const block_batch& b) { return put(b); },
      [this](flush_atom) -> caf::result<void> {
        auto promise = self_->make_response_promise<void>();
        flush([promise](const expected<unit>& done) mutable {
          if (done) return promise.deliver();
          promise.deliver(to_caf(done.error()));
        });
        return promise;
      },
      [this](keep_atom, const spread_wish& wish) -> caf::result<std::uint64_t> {
        auto token = spread(wish);
        if (!token) return to_caf(token.error());
        return own(*token);
      },
      [this](keep_atom, std::uint64_t token, std::uint32_t wait_ms) { return spread_progress(token, wait_ms); },
      [this](find_atom, const content_get_wish& wish) { return begin_get(wish); },
      [this](find_atom, std::uint64_t token, std::uint32_t wait_ms) { return fetch(token, wait_ms); },
      [this](remove_atom, std::uint64_t token) { remove(token); },
      [this](list_atom) { return report(); },
      [this](list_atom, const digest& after, std::uint32_t count) { return list(after, count); },
      [this](collect_atom) -> caf::result<std::uint64_t> {
        if (failed_) return to_caf(*failed_);
        auto ended = checked(store().collect(now()));
        settle_commits();
        if (!ended) return to_caf(ended.error());
        return *ended;
      },
      [this](verify_atom, const digest& after, std::uint32_t count) { return verify(after, count); },
      [this](learn_atom, const topic_tree& tree) { learn(tree); },
      [this](changed_atom) { look_at_domains(); },
      [this](retry_atom, std::uint64_t token, std::uint64_t round) {
        if (const auto g = gets_.find(token); g != gets_.end() && g->second.round == round) answer(token, true);
        if (const auto s = spreads_.find(token); s != spreads_.end() && s->second.round == round)
          answer_spread(token, true);
      },
      [this](tick_atom) { tick(); },
  };
}

void block_engine::refuse(std::string_view event, const identity& who, const error& why) {
  core_->services->counters.drop(why.code);
  core_->services->log(log_level::debug, event, {{"who", who ? to_short_string(who) : ""}, {"reason", to_string(why)}});
}

/// The entry of a domain whose members exchange blocks here. Errors: why they do not.
expected<block_engine::entry*> block_engine::open(const identity& domain) {
  if (failed_) return *failed_;
  const auto found = entries_.find(domain);
  if (found == entries_.end()) return error{errc::not_found, "this node is not in that domain"};
  if (!found->second.machine) return found->second.why;
  return &found->second;
}

/// From another node, within a domain, which the router has checked: both are members.
void block_engine::receive(inbound& in) {
  const auto& m = in.message;
  if (!in.peer || m.source != in.peer) return refuse("blocks_refused", in.peer, errc::wrong_signer);
  if (m.routing.scope != scope_kind::domain)
    return refuse("blocks_refused", in.peer, {errc::permission_denied, "blocks are exchanged within a domain"});
  auto e = open(m.routing.domain);
  if (!e) return refuse("blocks_refused", in.peer, e.error());
  const auto& speaks = (*e)->protocol.id;
  if (m.protocol.name != speaks.name || m.protocol.major != speaks.major)
    return refuse("blocks_refused", in.peer, {errc::unsupported_version, "the domain uses " + to_string(speaks)});
  block_effects out;
  if (auto done = (*e)->machine->receive(in.peer, m.body.view(), now(), out); !done)
    refuse("blocks_refused", in.peer, done.error());
  go_on(m.routing.domain, std::move(out));
}

/// Performs effects, and lets what is under way in the domain go on, until nothing more happens.
void block_engine::go_on(const identity& domain, block_effects effects) {
  const auto e = entries_.find(domain);
  if (e == entries_.end() || !e->second.machine) return;
  std::vector<std::uint64_t> gets, spreads;
  for (const auto& [token, g] : gets_)
    if (g.domain == domain) gets.push_back(token);
  for (const auto& [token, s] : spreads_)
    if (s.domain == domain) spreads.push_back(token);
  do {
    perform(domain, e->second, std::exchange(effects, {}));
    if (failed_) break;
    for (const auto token : gets) pump(gets_.at(token), effects);
    for (const auto token : spreads) {
      auto& s = spreads_.at(token);
      if (s.failed || s.machine->done()) continue;
      if (auto pumped = checked(s.machine->pump(now(), effects)); !pumped) s.failed = pumped.error();
    }
  } while (!effects.empty());
  for (const auto token : gets) answer(token, false);
  for (const auto token : spreads) answer_spread(token, false);
  send_posts();
  schedule();
}

void block_engine::perform(const identity& domain, entry& e, block_effects effects) {
  for (auto& effect : effects) {
    if (auto* m = std::get_if<peer_message>(&effect)) {
      auto p = note_to(core_->services->self, m->to, e.protocol.id, shared_bytes{std::move(m->body)}, block_ttl_ms);
      p.message.routing.scope = scope_kind::domain;
      p.message.routing.domain = domain;
      posts_.push_back(std::move(p));
    } else if (auto* a = std::get_if<block_arrived>(&effect)) {
      for (auto& [token, g] : gets_)
        if (g.domain == domain) g.get->on(*a);
    } else if (auto* gone = std::get_if<block_missing>(&effect)) {
      for (auto& [token, g] : gets_)
        if (g.domain == domain) g.get->on(*gone);
    } else if (auto* p = std::get_if<block_pushed>(&effect)) {
      for (auto& [token, s] : spreads_)
        if (s.domain == domain && s.machine->on(*p)) break;
    } else if (auto* liar = std::get_if<block_misbehaviour>(&effect)) {
      refuse("blocks_peer_faulted", liar->node, liar->why);
      internal::note_reputation(self_, core_->identities, liar->node, reputation_event::misbehaved);
    } else {
      fail(std::get<block_store_failed>(effect).why);
    }
  }
}

/// After a burst, and when a timer is due: the store first, for answers that wait for its commit.
void block_engine::go_on_all() {
  if (failed_) return;
  if (!gets_.empty() && now() >= saved_ms_ + block_save_ms) { // a crash costs no more of a long get
    saved_ms_ = now();
    store().await_commit(saved_ms_);
  }
  if (auto ticked = checked(store().tick(now())); !ticked) return;
  for (auto& [domain, e] : entries_) {
    if (!e.machine) continue;
    block_effects out;
    e.machine->tick(now(), out);
    go_on(domain, std::move(out));
  }
  settle_commits();
  schedule();
}

void block_engine::tick() {
  if (!timer_.came(now())) return;
  if (now() >= looked_ms_ + block_again_ms) domains_changed(); // trust changes without a word
  go_on_all();
}

void block_engine::schedule() {
  if (failed_) return;
  auto next = store().next_timer();
  for (const auto& [domain, e] : entries_)
    if (e.machine)
      if (const auto at = e.machine->next_timer()) next = next ? std::min(*next, *at) : *at;
  if (const auto in_ms = timer_.set(next, now()))
    compat::delayed_send_to_self(self_, std::chrono::milliseconds{*in_ms}, tick_atom_v);
}

void block_engine::send_posts() {
  if (!posts_.empty()) compat::send(self_, core_->router, std::exchange(posts_, {}));
}

// --- durability ---

/// `done` is called after the commit that holds everything written so far; commits of several are one.
void block_engine::flush(done_function done) {
  if (failed_) return done(*failed_);
  if (commits_.size() >= block_commits_max) return done(error{errc::queue_full, "requests that wait for the disk"});
  commits_.emplace_back(store().batch(), std::move(done));
  store().await_commit(now());
  if (store().commit_due(now()) && !checked(store().commit())) return;
  settle_commits();
  schedule();
}

void block_engine::settle_commits() {
  while (!failed_ && !commits_.empty() && commits_.front().first <= store().committed()) {
    const auto done = std::move(commits_.front().second);
    commits_.pop_front();
    done(ok());
  }
}

/// What is durable is no longer known: nothing is acknowledged or served any more, and the node stops.
void block_engine::fail(const error& why) {
  if (failed_) return;
  failed_ = error{errc::io_error, "the block store: " + (why.detail.empty() ? to_string(why) : why.detail)};
  core_->services->log(log_level::error, "block_store_failed", {{"reason", to_string(*failed_)}});
  for (auto& [batch, done] : std::exchange(commits_, {})) done(*failed_);
  std::vector<std::uint64_t> tokens;
  for (auto& [token, g] : gets_) g.failed = *failed_, tokens.push_back(token);
  for (auto& [token, s] : spreads_) s.failed = *failed_, tokens.push_back(token);
  posts_.clear();
  if (core_->services->on_fatal) core_->services->on_fatal(*failed_);
  // Not at once: this may be in the midst of what is under way.
  for (const auto token : tokens)
    compat::send(self_, block_actor{self_}, retry_atom_v, token,
                 gets_.contains(token) ? gets_.at(token).round : spreads_.at(token).round);
}

void block_engine::stop() {
  if (!failed_) {
    if (auto written = checked(store().commit()); written) settle_commits();
  }
  for (auto& [token, g] : gets_) {
    if (g.waiting) g.waiting->deliver(to_caf(error{errc::cancelled, "the node stops"}));
    if (g.whole) g.whole->deliver(to_caf(error{errc::cancelled, "the node stops"}));
  }
  for (auto& [token, s] : spreads_)
    if (s.waiting) s.waiting->deliver(to_caf(error{errc::cancelled, "the node stops"}));
  gets_.clear();
  spreads_.clear();
  entries_.clear();
  failed_ = error{errc::cancelled, "the node stops"};
  disk_->store.reset();
  disk_->table.reset(); // closes the database
  self_->quit();
}

} // namespace hanse
