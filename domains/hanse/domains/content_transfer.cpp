// Putting, getting and replicating content. See content_transfer.hpp.
#include "hanse/domains/content_transfer.hpp"

#include "hanse/domains/block_message.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t ask_every = 16; // blocks taken between two looks at what to ask for; below the window

} // namespace

content_put::content_put(block_store& store, const identity& domain, eris_block_size size, const eris_key& secret,
                         time_ms until)
    : store_(store), domain_(domain), until_(until),
      encoder_(size, secret, [this](const digest& name, byte_view block) { return keep(name, block); }) {}

expected<unit> content_put::keep(const digest& name, byte_view block) {
  HANSE_CHECK(store_.put(domain_, name, block, until_, now_, block_check::trusted)); // the encoder has just hashed it
  if (store_.commit_due(now_)) return store_.commit();
  return ok();
}

expected<unit> content_put::feed(byte_view content, time_ms now) {
  now_ = now;
  return encoder_.update(content);
}

expected<eris_capability> content_put::finish(time_ms now) {
  now_ = now;
  HANSE_TRY(auto capability, encoder_.finish());
  HANSE_CHECK(store_.commit());
  return capability;
}

content_get::content_get(storage_protocol& exchange, const eris_capability& c, std::vector<identity> providers,
                         const content_get_config& config)
    : exchange_(exchange), providers_(std::move(providers)),
      decoder_(c, {.ahead_max = config.window, .size_max = config.size_max, .offset = config.offset}) {}

/// A block that is here and can go on: the inner node behind the known leaves first, so that fetching never pauses.
std::optional<digest> content_get::takeable() const {
  if (const auto* inner = decoder_.inner(); inner && ready_.contains(*inner)) return *inner;
  if (const auto* next = decoder_.next(); next && ready_.contains(*next)) return *next;
  return std::nullopt;
}

bool content_get::ready() const noexcept {
  return !failed_ && takeable();
}

void content_get::on(const block_arrived& e) {
  if (asked_.erase(e.name) == 0) return;
  ready_.insert(e.name);
  ++progress_.blocks_fetched;
  if (progress_.sources.size() < sources_max || progress_.sources.contains(e.from)) ++progress_.sources[e.from];
}

void content_get::on(const block_missing& e) {
  if (asked_.erase(e.name) != 0) failed_ = error{errc::not_found, "nobody was found who has a block of it"};
}

void content_get::cancel() {
  for (const auto& name : asked_) exchange_.unwant(name);
  asked_.clear();
  failed_ = errc::cancelled;
}

expected<unit> content_get::ask(time_ms now, block_effects& out) {
  std::vector<digest> fetch;
  for (const auto& name : decoder_.wanted()) {
    if (asked_.contains(name) || ready_.contains(name)) continue;
    HANSE_TRY(const auto here, exchange_.store().has(name));
    if (here) {
      ready_.insert(name);
      ++progress_.blocks_local;
    } else {
      asked_.insert(name);
      fetch.push_back(name);
    }
  }
  if (fetch.empty()) return ok();
  return exchange_.want(fetch, providers_, now, out);
}

expected<unit> content_get::take(const digest& name, const eris_content_sink& sink) {
  auto block = exchange_.take_recent(name);
  if (!block) {
    HANSE_TRY(block, exchange_.store().get(name));
  }
  ready_.erase(name); // if it is not here any more, or comes again later, it is asked for anew
  if (!block) return ok();
  const auto before = decoder_.content_size();
  HANSE_CHECK(decoder_.provide(name, *block, sink, block_check::trusted));
  progress_.octets += decoder_.content_size() - before;
  return ok();
}

expected<unit> content_get::pump(time_ms now, std::uint64_t octets_max, const eris_content_sink& sink,
                                 block_effects& out) {
  if (failed_) return *failed_;
  if (done()) return ok();
  const auto go_on = [&]() -> expected<unit> {
    const auto end = progress_.octets + std::min(octets_max, UINT64_MAX - progress_.octets);
    HANSE_CHECK(ask(now, out));
    for (std::size_t taken = 1; progress_.octets < end; ++taken) {
      auto name = takeable();
      if (!name || taken % ask_every == 0) {
        HANSE_CHECK(ask(now, out));
        name = takeable();
      }
      if (!name) break;
      HANSE_CHECK(take(*name, sink));
    }
    return ok();
  };
  if (auto gone = go_on(); !gone) {
    failed_ = gone.error();
    return gone;
  }
  if (done()) exchange_.store().await_commit(now); // so that it need not be fetched again
  return ok();
}

content_replication::content_replication(storage_protocol& exchange, const eris_capability& c, std::size_t replicas,
                                         time_ms until)
    : exchange_(exchange), capability_(c), wanted_(replicas), until_(until) {}

std::size_t content_replication::complete() const noexcept {
  return static_cast<std::size_t>(std::ranges::count(replicas_, true, &content_replica::complete));
}

bool content_replication::done() const noexcept {
  if (complete() >= wanted_) return true;
  return nobody_left_ && std::ranges::all_of(replicas_, [this](const auto& r) {
           return r.complete || targets_[static_cast<std::size_t>(&r - replicas_.data())].failed;
         });
}

bool content_replication::on(const block_pushed& e) {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    auto& t = targets_[i];
    auto own = t.under_way.extract(e.token);
    if (own.empty()) continue;
    auto& r = replicas_[i];
    if (e.why == errc::queue_full) { // it has much to do: the same again
      t.again.insert(t.again.end(), own.mapped().begin(), own.mapped().end());
    } else if (e.why != errc::none || !e.receipt) {
      t.failed = true;
      last_refusal_ = e.why;
    } else {
      r.blocks += e.receipt->blocks.size();
      if (t.root_sent && std::ranges::binary_search(e.receipt->blocks, capability_.root.reference)) {
        r.complete = true;
        r.root = e.receipt;
      }
    }
    return true;
  }
  return false;
}

/// The next names that fit in one message; the root comes alone, when everything else is acknowledged.
expected<std::vector<digest>> content_replication::gather(target& t, std::size_t octets) {
  std::vector<digest> names;
  const auto fits =
      std::min(message_blocks_max, std::min(octets, message_octets_max) / octets_of(capability_.block_size));
  if (fits == 0) return names;
  for (; names.size() < fits && !t.again.empty(); t.again.pop_back()) names.push_back(t.again.back());
  while (names.size() < fits && t.walk.current()) {
    const auto node = *t.walk.current();
    if (node.pair.reference != capability_.root.reference) names.push_back(node.pair.reference);
    if (node.level == 0) {
      t.walk.next();
      continue;
    }
    HANSE_TRY(const auto block, exchange_.store().get(node.pair.reference));
    if (!block) return error{errc::not_found, "a block of the content is not here"};
    HANSE_CHECK(t.walk.enter(*block, block_check::trusted));
  }
  if (names.empty() && t.under_way.empty() && !t.root_sent) {
    t.root_sent = true;
    names.push_back(capability_.root.reference);
  }
  return names;
}

/// True if something was put under way.
expected<bool> content_replication::push_some(std::size_t at, time_ms now, block_effects& out) {
  auto& t = targets_[at];
  HANSE_TRY(auto names, gather(t, exchange_.push_room(replicas_[at].node)));
  if (names.empty()) return false;
  const auto token = exchange_.new_token();
  auto pushed = exchange_.push(replicas_[at].node, token, names, until_, now, out);
  if (pushed) {
    t.under_way.emplace(token, std::move(names));
    return true;
  }
  if (pushed.error() == errc::io_error) return pushed.error();
  if (pushed.error() == errc::queue_full) {
    t.again.insert(t.again.end(), names.begin(), names.end());
  } else {
    t.failed = true;
    last_refusal_ = pushed.error();
  }
  return false;
}

expected<unit> content_replication::pump(time_ms now, block_effects& out) {
  const auto alive = [this] { return static_cast<std::size_t>(std::ranges::count(targets_, false, &target::failed)); };
  for (;;) {
    for (std::size_t i = 0; i < targets_.size(); ++i)
      for (bool more = !targets_[i].failed && !replicas_[i].complete; more;) {
        HANSE_TRY(more, push_some(i, now, out));
      }
    if (alive() >= wanted_ || nobody_left_) return ok();
    nobody_left_ = true;
    for (const auto& node : exchange_.candidates(now)) {
      if (alive() >= wanted_) break;
      if (!tried_.insert(node).second) continue;
      nobody_left_ = false;
      replicas_.push_back({node, 0, false, std::nullopt});
      targets_.push_back({eris_walk{capability_}, false, false, {}, {}});
    }
  }
}

} // namespace hanse
