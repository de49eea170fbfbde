// Content in, out and to other members: what programs ask of a node's blocks. See block_engine.hpp.
#include "hanse/actors/block_engine.hpp"

#include "hanse/actors/errors.hpp"

#include <algorithm>

namespace hanse {

namespace {

time_ms end_of(const content_wish& wish, time_ms now) {
  return wish.lease_ms == 0 ? lease_forever : now + wish.lease_ms;
}

constexpr std::size_t ready_step = 1024 * 1024; // octets that content on its way out grows by: about an answer

error no_such(std::uint64_t token) {
  return {errc::not_found, "nothing under way has the number " + std::to_string(token)};
}

} // namespace

// --- in ---

expected<eris_key> secret_from(const std::vector<bytes>& answer) {
  eris_key secret{};
  if (answer.size() != 1 || answer.front().size() != secret.size()) return errc::internal;
  std::ranges::copy(answer.front(), secret.begin());
  return secret;
}

caf::result<void> block_engine::put(const block_batch& b) {
  if (auto e = open(b.domain); !e) return to_caf(e.error());
  const auto size = octets_of(b.size);
  if (b.octets.size() != b.names.size() * size) return to_caf(error{errc::bad_value, "blocks of another size"});
  const auto keep = [&]() -> expected<unit> {
    for (std::size_t i = 0; i < b.names.size(); ++i)
      HANSE_CHECK(store().put(b.domain, b.names[i], byte_view{b.octets}.subspan(i * size, size), b.until, now(),
                              block_check::trusted));
    if (store().commit_due(now())) return store().commit();
    return ok();
  };
  if (auto kept = checked(keep()); !kept) return to_caf(kept.error());
  settle_commits();
  return caf::unit;
}

expected<eris_capability> block_engine::encode_whole(const content_wish& wish, const bytes& content,
                                                     const eris_key& secret, time_ms until) {
  HANSE_CHECK(open(wish.domain));
  content_put put{store(), wish.domain, recommended_block_size(content.size()), secret, until};
  HANSE_CHECK(put.feed(content, now()));
  return put.finish(now());
}

caf::result<content_kept> block_engine::put_whole(content_wish wish, bytes content) {
  if (content.size() > content_whole_max)
    return to_caf(error{errc::too_long, "content of over 16 MiB goes in pieces: node_blocks::put"});
  auto promise = self_->make_response_promise<content_kept>();
  auto with_secret = [this, wish, octets = std::move(content), promise](const eris_key& secret) mutable {
    content_kept kept;
    kept.octets = octets.size();
    kept.until = end_of(wish, now());
    auto made = checked(encode_whole(wish, octets, secret, kept.until));
    settle_commits(); // it has been committed
    if (!made) return promise.deliver(to_caf(made.error()));
    kept.content = *made;
    if (wish.replicas == 0) return promise.deliver(std::move(kept));
    auto token = spread({wish.domain, kept.content, wish.replicas, kept.until});
    if (!token) return promise.deliver(to_caf(token.error()));
    spreads_.at(*token).then = [promise, kept](const spread_state& s) mutable {
      kept.replicas = s.replicas;
      kept.last_refusal = s.last_refusal;
      promise.deliver(kept);
    };
    answer_spread(*token, false);
  };
  if (wish.is_private) {
    eris_key secret;
    disk_->random.fill(secret);
    with_secret(secret);
    return promise;
  }
  compat::request(self_, domains_, caf::infinite, secret_atom_v, wish.domain)
      .then(
          [with_secret, promise](const std::vector<bytes>& answer) mutable {
            const auto secret = secret_from(answer);
            if (!secret) return promise.deliver(to_caf(secret.error()));
            with_secret(*secret);
          },
          [promise](const caf::error& why) mutable { promise.deliver(why); });
  return promise;
}

// --- out ---

expected<std::uint64_t> block_engine::add_get(const content_get_wish& wish) {
  HANSE_TRY(auto* const e, open(wish.domain));
  if (gets_.size() >= block_gets_max) return error{errc::table_full, "contents that are got at once"};
  const auto token = ++last_token_;
  auto& g = gets_[token];
  g.domain = wish.domain;
  g.get = std::make_unique<content_get>(*e->machine, wish.content, wish.providers,
                                        content_get_config{.offset = wish.offset, .size_max = wish.size_max});
  return token;
}

caf::result<std::uint64_t> block_engine::begin_get(const content_get_wish& wish) {
  auto token = add_get(wish);
  if (!token) return to_caf(token.error());
  own(*token);
  go_on(wish.domain, {});
  return *token;
}

caf::result<std::vector<bytes>> block_engine::get_whole(content_get_wish wish) {
  wish.size_max = std::min<std::uint64_t>(wish.size_max, content_whole_max);
  auto token = add_get(wish);
  if (!token) return to_caf(token.error());
  auto promise = self_->make_response_promise<std::vector<bytes>>();
  gets_.at(*token).whole = promise;
  go_on(wish.domain, {});
  return promise;
}

void block_engine::pump(get_under_way& g, block_effects& out) {
  const auto room_of = g.whole ? content_whole_max : content_ahead_max;
  if (g.failed || !g.get || g.get->done() || g.ready.size() >= room_of) return;
  auto pumped = checked(g.get->pump(
      now(), room_of - g.ready.size(),
      [&g](byte_view part) {
        const auto size = g.ready.size();
        if (g.ready.capacity() < size + part.size()) // else it is copied several times while it grows
          g.ready.reserve(size + std::max({part.size(), size, std::min(ready_step, 32 * part.size())}));
        g.ready.insert(g.ready.end(), part.begin(), part.end());
      },
      out));
  if (!pumped) g.failed = pumped.error();
}

caf::result<content_part> block_engine::fetch(std::uint64_t token, std::uint32_t wait_ms) {
  const auto i = gets_.find(token);
  if (i == gets_.end() || i->second.whole) return to_caf(no_such(token));
  auto& g = i->second;
  if (g.waiting) g.waiting->deliver(content_part{}); // the later one gets it
  auto promise = self_->make_response_promise<content_part>();
  g.waiting = promise;
  const auto domain = g.domain;
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{wait_ms}, retry_atom_v, token, ++g.round);
  answer(token, false);
  go_on(domain, {}); // what is asked for next is decoded while this is written
  return promise;
}

/// Answers who waits, if there is something to say.
void block_engine::answer(std::uint64_t token, bool waited_enough) {
  const auto i = gets_.find(token);
  if (i == gets_.end()) return;
  auto& g = i->second;
  const auto done = !g.failed && g.get->done();
  if (g.whole) {
    if (!done && !g.failed) return;
    if (done)
      g.whole->deliver(std::vector<bytes>{std::move(g.ready)});
    else
      g.whole->deliver(to_caf(*g.failed));
    return remove(token);
  }
  if (!g.waiting || (g.ready.empty() && !done && !g.failed && !waited_enough)) return;
  auto waiting = std::exchange(g.waiting, std::nullopt);
  if (g.failed && g.ready.empty()) {
    waiting->deliver(to_caf(*g.failed));
    return remove(token);
  }
  content_part part;
  part.octets = std::exchange(g.ready, {});
  part.done = done;
  if (g.get) part.progress = g.get->progress();
  waiting->deliver(std::move(part));
  if (done) remove(token);
}

// --- to others ---

expected<std::uint64_t> block_engine::spread(const spread_wish& wish) {
  HANSE_TRY(auto* const e, open(wish.domain));
  if (spreads_.size() >= block_spreads_max) return error{errc::table_full, "contents that are put elsewhere at once"};
  const auto token = ++last_token_;
  auto& s = spreads_[token];
  s.domain = wish.domain;
  s.machine = std::make_unique<content_replication>(*e->machine, wish.content, wish.replicas, wish.until);
  go_on(wish.domain, {});
  return token;
}

caf::result<spread_state> block_engine::spread_progress(std::uint64_t token, std::uint32_t wait_ms) {
  const auto i = spreads_.find(token);
  if (i == spreads_.end() || i->second.then) return to_caf(no_such(token));
  auto& s = i->second;
  if (s.waiting) s.waiting->deliver(spread_state{});
  auto promise = self_->make_response_promise<spread_state>();
  s.waiting = promise;
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{wait_ms}, retry_atom_v, token, ++s.round);
  answer_spread(token, false);
  return promise;
}

void block_engine::answer_spread(std::uint64_t token, bool waited_enough) {
  const auto i = spreads_.find(token);
  if (i == spreads_.end()) return;
  auto& s = i->second;
  const auto done = s.failed || s.machine->done();
  if ((!s.waiting && !s.then) || (!done && !waited_enough)) return;
  spread_state state;
  state.done = done;
  state.replicas = s.machine->replicas();
  if (s.machine->last_refusal()) state.last_refusal = *s.machine->last_refusal();
  if (s.failed) state.last_refusal = *s.failed;
  if (s.waiting) std::exchange(s.waiting, std::nullopt)->deliver(state);
  if (!done) return;
  auto then = std::move(s.then);
  spreads_.erase(i);
  if (then) then(state);
}

// --- what belongs to whom ---

/// What was begun ends with the actor that asks now.
std::uint64_t block_engine::own(std::uint64_t token) {
  const auto sender = caf::actor_cast<caf::strong_actor_ptr>(self_->current_sender());
  if (!sender) return token;
  const auto [at, fresh] = owners_.try_emplace(caf::actor_cast<caf::actor_addr>(sender), 0);
  if (fresh) {
    at->second = ++last_token_;
    compat::on_termination(sender, [blocks = block_actor{self_}, owner = at->second](const caf::error&) {
      compat::anon_send(blocks, remove_atom_v, owner);
    });
  }
  owned_[at->second].insert(token);
  return token;
}

void block_engine::remove(std::uint64_t token) {
  if (auto owner = owned_.extract(token)) {
    std::erase_if(owners_, [token](const auto& o) { return o.second == token; });
    for (const auto t : owner.mapped()) remove(t);
    return;
  }
  for (auto& [owner, tokens] : owned_) tokens.erase(token);
  if (auto g = gets_.extract(token); g && g.mapped().get && !g.mapped().failed) g.mapped().get->cancel();
  spreads_.erase(token);
}

// --- what is here ---

block_report block_engine::report() {
  block_report r;
  if (failed_) return r;
  r.store = store().stats();
  r.gets = gets_.size();
  r.spreads = spreads_.size();
  auto usage = r.store.usage;
  const auto add = [&](const identity& domain, const entry* e) {
    block_domain_report d;
    d.domain = domain;
    if (e) {
      d.protocol = e->protocol.id.name + "/" + std::to_string(e->protocol.id.major);
      d.why = e->why;
      d.members = e->members.size() + 1;
      if (e->machine) d.stats = e->machine->stats();
      if (const auto trees = trees_.find(domain); trees != trees_.end()) d.trees = trees->second.size();
    }
    if (const auto u = usage.find(domain); u != usage.end()) d.usage = u->second;
    const auto q = setup_->quotas.find(domain);
    d.quota_octets = q == setup_->quotas.end() ? setup_->quota_octets : q->second;
    r.domains.push_back(std::move(d));
    usage.erase(domain);
  };
  for (const auto& [domain, e] : entries_) add(domain, &e);
  while (!usage.empty()) add(usage.begin()->first, nullptr); // of domains that this node has left
  return r;
}

caf::result<std::vector<block_entry>> block_engine::list(const digest& after, std::uint32_t count) {
  if (failed_) return to_caf(*failed_);
  const auto first = after == digest{} ? std::nullopt : std::optional{after};
  auto infos = checked(store().list(first, std::min<std::size_t>(count, block_list_max)));
  if (!infos) return to_caf(infos.error());
  std::vector<block_entry> entries;
  for (const auto& info : *infos) {
    auto leases = checked(store().leases_of(info.name));
    if (!leases) return to_caf(leases.error());
    entries.push_back({info, *std::move(leases)});
  }
  return entries;
}

/// Reads blocks; damaged ones go into quarantine, and are fetched from others at the next tick.
caf::result<verify_result> block_engine::verify(const digest& after, std::uint32_t count) {
  if (failed_) return to_caf(*failed_);
  const auto first = after == digest{} ? std::nullopt : std::optional{after};
  const auto wanted = std::min(std::max(count, 1u), block_verify_max);
  auto infos = checked(store().list(first, wanted));
  if (!infos) return to_caf(infos.error());
  verify_result r;
  r.last = after;
  for (const auto& info : *infos) {
    r.last = info.name;
    ++r.checked;
    auto good = checked(store().get(info.name));
    if (!good) return to_caf(good.error());
    if (!*good) ++r.corrupt;
  }
  r.complete = infos->size() < wanted;
  schedule();
  return r;
}

} // namespace hanse
