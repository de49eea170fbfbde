// Content between a thread of the program and the node's blocks. See the header. Encoding, which costs most, is done in
// the thread that puts, and that of long content by two actors, so that the blocks' actor only waits for the disk.
#include "hanse/actors/blocks.hpp"

#include "hanse/actors/block_database.hpp"
#include "hanse/actors/block_engine.hpp"
#include "hanse/actors/domain_engine.hpp"
#include "hanse/actors/internal/ask.hpp"
#include "hanse/actors/internal/change_signal.hpp"
#include "hanse/actors/internal/leaf_encoder.hpp"

#include <deque>

namespace hanse {

using internal::ask;

namespace {

constexpr std::size_t piece_size = 1024 * 1024;        // octets of content read at once, and of blocks in one message
constexpr std::size_t batches_max = 8;                 // under way to the actor: encoded while it commits
constexpr std::uint32_t part_ms = 250;                 // between two looks at the watch
constexpr auto disk_timeout = std::chrono::minutes{2}; // a guess, for a disk that is very busy

/// Requests of one thread for the length of one call.
class caller {
public:
  caller(const node_core& core, const block_actor& actor) : core_(core), actor_(actor), self_(core.system) {}

  template <class... Ts>
  auto request(Ts&&... xs) {
    return compat::request(self_.ptr(), actor_, disk_timeout, std::forward<Ts>(xs)...);
  }

  template <class Result, class Response>
  expected<Result> receive(Response response) {
    expected<Result> result = errc::internal;
    auto on_error = [&result](const caf::error& why) { result = to_hanse(why); };
    core_.services->run_actors();
    if constexpr (std::is_same_v<Result, unit>)
      std::move(response).receive([&result] { result = unit{}; }, on_error);
    else
      std::move(response).receive([&result](Result& value) { result = std::move(value); }, on_error);
    return result;
  }

  template <class Result, class... Ts>
  expected<Result> call(Ts&&... xs) {
    return receive<Result>(request(std::forward<Ts>(xs)...));
  }

  caf::scoped_actor& self() noexcept { return self_; }

private:
  const node_core& core_;
  const block_actor& actor_;
  caf::scoped_actor self_;
};

/// Encoded blocks on their way to the actor: few messages, each large.
class batch_sender {
public:
  batch_sender(caller& to, const identity& domain, time_ms until, eris_block_size size)
      : to_(to), batch_{domain, until, size, {}, {}} {}

  block_batch empty_batch() const { return {batch_.domain, batch_.until, batch_.size, {}, {}}; }

  expected<unit> add(const digest& name, byte_view block) {
    if (batch_.octets.capacity() == 0) batch_.octets.reserve(piece_size + stored_block_size_max);
    batch_.names.push_back(name);
    batch_.octets.insert(batch_.octets.end(), block.begin(), block.end());
    if (batch_.octets.size() < piece_size) return ok();
    return send();
  }

  expected<unit> send(block_batch batch) {
    if (flights_.size() >= batches_max) HANSE_CHECK(land());
    flights_.push_back(to_.request(put_atom_v, std::move(batch)));
    return ok();
  }

  expected<unit> finish() {
    HANSE_CHECK(send());
    while (!flights_.empty()) HANSE_CHECK(land());
    return to_.call<unit>(flush_atom_v);
  }

private:
  expected<unit> send() {
    if (batch_.names.empty()) return ok();
    return send(std::exchange(batch_, empty_batch()));
  }
  expected<unit> land() {
    auto first = std::move(flights_.front());
    flights_.pop_front();
    return to_.receive<unit>(std::move(first));
  }

  caller& to_;
  block_batch batch_;
  std::deque<decltype(std::declval<caller&>().request(put_atom_v, block_batch{}))> flights_;
};

/// As much as fits or is left.
expected<std::size_t> fill(const content_source& source, std::span<std::byte> piece) {
  std::size_t size = 0;
  while (size < piece.size()) {
    HANSE_TRY(const auto read, source(piece.subspan(size)));
    if (read == 0) break;
    size += read;
  }
  return size;
}

} // namespace

std::vector<protocol_id> block_node_protocols(const storage_registry& storage) {
  return storage.known();
}

expected<std::unique_ptr<node_blocks>> node_blocks::start(node& n, node_domains& domains, block_options options) {
  const auto core = n.core();
  auto disk = std::make_shared<block_disk>();
  const auto durable = !options.directory.empty();
  if (durable) {
    HANSE_TRY(disk->table, block_database::open(options.directory / "blocks.db", options.vfs));
  } else {
    disk->table = std::make_unique<memory_block_table>();
  }
  disk->random.fill(options.store.scrub_start.octets);
  HANSE_TRY(disk->store, block_store::open(*disk->table, options.store));
  auto changes = std::make_shared<internal::change_signal>();
  auto setup = std::make_shared<const block_setup>(
      block_setup{options.storage, std::move(options.quotas), options.store.quota_octets, changes});
  using impl = block_actor::stateful_impl<block_engine>;
  auto actor = caf::actor_cast<block_actor>(
      durable ? n.system().spawn<impl, caf::detached>(core, domains.handle(), std::move(disk), std::move(setup))
              : n.system().spawn<impl>(core, domains.handle(), std::move(disk), std::move(setup)));
  std::unique_ptr<node_blocks> result{new node_blocks{core, domains.handle(), actor, std::move(changes)}};
  std::set<std::string> names;
  for (const auto& id : options.storage.known()) names.insert(id.name);
  for (const auto& name : names) HANSE_CHECK(n.register_service(name, caf::actor_cast<service_actor>(actor)));
  domains.subscribe(caf::actor_cast<domain_listener_actor>(actor));
  compat::anon_send(caf::actor_cast<domain_engine_actor>(domains.handle()), register_atom_v,
                    caf::actor_cast<caf::strong_actor_ptr>(actor));
  return result;
}

node_blocks::~node_blocks() {
  internal::end(*core_, actor_);
}

expected<eris_key> node_blocks::secret_of(const content_wish& wish) {
  if (wish.is_private) {
    eris_key secret{};
    system_random{}.fill(secret);
    return secret;
  }
  HANSE_TRY(const auto answer, ask<std::vector<bytes>>(*core_, domains_, secret_atom_v, wish.domain));
  return secret_from(answer);
}

expected<content_kept> node_blocks::put(const content_wish& wish, const content_source& source,
                                        const put_watch& watch) {
  HANSE_TRY(const auto secret, secret_of(wish));
  const auto now = core_->services->now_ms();
  put_progress progress;
  content_kept kept;
  kept.until = wish.lease_ms == 0 ? lease_forever : now + wish.lease_ms;
  caller to{*core_, actor_};
  bytes piece(piece_size);
  HANSE_TRY(auto size, fill(source, piece));
  const auto block = recommended_block_size(size);
  batch_sender blocks{to, wish.domain, kept.until, block};
  eris_encoder encoder{block, secret,
                       [&blocks](const digest& name, byte_view octets) { return blocks.add(name, octets); }};
  internal::leaf_encoding leaves{to.self(), secret};
  const auto take = [&]() -> expected<unit> {
    HANSE_TRY(auto done, leaves.take());
    for (const auto& leaf : done.pairs) HANSE_CHECK(encoder.add_leaf(leaf));
    return blocks.send(std::move(done.batch));
  };
  for (; size == piece_size; progress.octets = encoder.content_size()) {
    if (watch && !watch(progress)) return errc::cancelled;
    if (leaves.full()) HANSE_CHECK(take());
    auto next = blocks.empty_batch();
    next.octets = std::exchange(piece, bytes(piece_size));
    leaves.add(std::move(next));
    HANSE_TRY(size, fill(source, piece));
  }
  while (!leaves.empty()) HANSE_CHECK(take());
  progress.octets = encoder.content_size();
  if (size != 0 && watch && !watch(progress)) return errc::cancelled;
  HANSE_CHECK(encoder.update(byte_view{piece}.first(size)));
  HANSE_TRY(kept.content, encoder.finish());
  HANSE_CHECK(blocks.finish());
  kept.octets = encoder.content_size();
  if (wish.replicas == 0) return kept;
  HANSE_TRY(const auto token,
            to.call<std::uint64_t>(keep_atom_v, spread_wish{wish.domain, kept.content, wish.replicas, kept.until}));
  for (;;) {
    HANSE_TRY(auto state, to.call<spread_state>(keep_atom_v, token, part_ms));
    progress.replicas = state.replicas;
    kept.replicas = std::move(state.replicas);
    kept.last_refusal = std::move(state.last_refusal);
    if (state.done) break;
    if (watch && !watch(progress)) return errc::cancelled; // what is here stays
  }
  std::erase_if(kept.replicas, [](const auto& r) { return !r.complete; });
  return kept;
}

expected<content_kept> node_blocks::put(const content_wish& wish, byte_view content) {
  return put(wish, [&content](std::span<std::byte> into) -> expected<std::size_t> {
    const auto size = std::min(into.size(), content.size());
    std::copy_n(content.begin(), size, into.begin());
    content = content.subspan(size);
    return size;
  });
}

expected<content_progress> node_blocks::get(const content_get_wish& wish, const content_sink& sink,
                                            const get_watch& watch) {
  caller to{*core_, actor_}; // what it began ends with it
  HANSE_TRY(const auto token, to.call<std::uint64_t>(find_atom_v, wish));
  const auto ask_on = [&] { return to.request(find_atom_v, token, part_ms); };
  std::optional next{ask_on()};
  for (;;) {
    HANSE_TRY(auto part, to.receive<content_part>(*std::move(next)));
    if (!part.done) next.emplace(ask_on()); // decoded while this is written
    if (!part.octets.empty()) HANSE_CHECK(sink(part.octets));
    if (part.done) return std::move(part.progress);
    if (watch && !watch(part.progress)) return errc::cancelled;
  }
}

expected<bytes> node_blocks::get(const identity& domain, const eris_capability& content, std::size_t size_max) {
  bytes all;
  content_get_wish wish{domain, content, {}, 0, size_max};
  HANSE_CHECK(get(wish, [&all](byte_view part) -> expected<unit> {
    all.insert(all.end(), part.begin(), part.end());
    return ok();
  }));
  return all;
}

expected<block_report> node_blocks::report() {
  return ask<block_report>(*core_, actor_, list_atom_v);
}

expected<unit> node_blocks::await_members(const identity& domain, std::size_t members, std::uint32_t timeout_ms) {
  expected<unit> result = errc::not_found;
  (void)changes_->wait(timeout_ms, [&] { // else `result` says how far it got
    const auto all = report();
    if (!all) return result = all.error(), true;
    const auto d = std::ranges::find(all->domains, domain, &block_domain_report::domain);
    const auto here = d == all->domains.end() || d->protocol.empty() ? 0 : d->members;
    result =
        error{errc::timed_out, std::to_string(here) + " of " + std::to_string(members) + " members exchange blocks"};
    if (d != all->domains.end() && d->why.code != errc::none) return result = d->why, true;
    if (here < members) return false;
    return result = ok(), true;
  });
  return result;
}

expected<std::vector<block_entry>> node_blocks::list(const digest& after, std::uint32_t count) {
  return ask<std::vector<block_entry>>(*core_, actor_, list_atom_v, after, count);
}

expected<std::uint64_t> node_blocks::collect() {
  caller to{*core_, actor_};
  return to.call<std::uint64_t>(collect_atom_v);
}

expected<verify_result> node_blocks::verify(const std::function<bool(const verify_result&)>& watch) {
  caller to{*core_, actor_};
  verify_result all;
  while (!all.complete) {
    HANSE_TRY(const auto some, to.call<verify_result>(verify_atom_v, all.last, block_verify_max / 4));
    all.checked += some.checked;
    all.corrupt += some.corrupt;
    all.last = some.last;
    all.complete = some.complete;
    if (watch && !watch(all)) return errc::cancelled;
  }
  return all;
}

} // namespace hanse
