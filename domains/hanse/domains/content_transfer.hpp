// Content in and out of a domain's blocks, as streams of constant memory: put, get, and replication. Design section 10.
// Machines over block_store and a storage_protocol; not the octets' source or sink (files, pipes and engines are the
// host's).
#pragma once

#include "hanse/domains/storage_protocol.hpp"

namespace hanse {

/// Content into this node's store. Blocks of what was put before are there already and cost nothing.
class content_put {
public:
  /// `secret`: the domain's convergence secret, or a random one for content that nobody should be able to guess.
  content_put(const content_put&) = delete; // the encoder refers to it
  content_put& operator=(const content_put&) = delete;
  content_put(block_store& store, const identity& domain, eris_block_size size, const eris_key& secret, time_ms until);

  /// Takes more content. Writes go to disk whenever many wait. Errors: those of block_store::put; then start anew.
  expected<unit> feed(byte_view content, time_ms now);

  /// Everything is durable when it returns. Errors: those of block_store::put.
  expected<eris_capability> finish(time_ms now);

  std::uint64_t octets() const noexcept { return encoder_.content_size(); }

private:
  expected<unit> keep(const digest& name, byte_view block);

  block_store& store_;
  identity domain_;
  time_ms until_, now_ = 0;
  eris_encoder encoder_;
};

/// How far a get is, for who shows it. Rates are the host's: it has a clock.
struct content_progress {
  std::uint64_t octets = 0; ///< of content that came out
  std::uint64_t blocks_local = 0, blocks_fetched = 0;
  std::map<identity, std::uint64_t> sources; ///< blocks from each; at most sources_max
};

struct content_get_config {
  std::size_t window = 192; ///< blocks asked for ahead of the content: 6 MiB; a guess, three members' worth of messages
  std::uint64_t offset = 0;
  std::uint64_t size_max = 1ull << 40;
};

/// Content out of a domain: what is here is read, the rest is fetched ahead of its need.
class content_get {
public:
  static constexpr std::size_t sources_max = 64;

  /// `providers`: members said to have it; may be empty.
  content_get(storage_protocol& exchange, const eris_capability& c, std::vector<identity> providers = {},
              const content_get_config& config = {});

  /// Goes on: asks for what is needed and gives up to about `octets_max` of content to `sink`, in order. Call it at the
  /// start, after each burst of effects that brought a block_arrived, and when the sink has room again.
  /// Errors end it: `not_found` (nobody has a block), `io_error`, and those of eris_decoder::provide.
  expected<unit> pump(time_ms now, std::uint64_t octets_max, const eris_content_sink& sink, block_effects& out);

  /// Effects of the exchange that may concern it.
  void on(const block_arrived& e);
  void on(const block_missing& e);

  /// Whether pump would give more content now.
  bool ready() const noexcept;
  bool done() const noexcept { return decoder_.done(); }
  const content_progress& progress() const noexcept { return progress_; }

  /// Stops asking. Call it when it is given up before its end.
  void cancel();

private:
  expected<unit> ask(time_ms now, block_effects& out);
  expected<unit> take(const digest& name, const eris_content_sink& sink);
  std::optional<digest> takeable() const;

  storage_protocol& exchange_;
  std::vector<identity> providers_;
  eris_decoder decoder_;
  content_progress progress_;
  std::set<digest> asked_, ready_;
  std::optional<error> failed_;
};

/// A member that content is put at, and how far.
struct content_replica {
  identity node;
  std::uint64_t blocks = 0;
  bool complete = false;
  std::optional<storage_receipt> root; ///< its receipt for the root, which is put last, so for everything
};

/// Puts content that is in this node's store at other members. A member that fails or refuses is replaced by another.
/// Memory: a block per level and member.
class content_replication {
public:
  content_replication(storage_protocol& exchange, const eris_capability& c, std::size_t replicas, time_ms until);

  /// Goes on. Call it at the start and after each burst of effects that brought a block_pushed.
  /// Errors end it: `not_found` (a block is not here), `io_error`, and those of eris_walk::enter.
  expected<unit> pump(time_ms now, block_effects& out);

  /// True if the effect was one of its own.
  bool on(const block_pushed& e);

  /// No more is done: complete, or no members are left.
  bool done() const noexcept;
  std::size_t complete() const noexcept;
  const std::vector<content_replica>& replicas() const noexcept { return replicas_; }
  const std::optional<error>& last_refusal() const noexcept { return last_refusal_; }

private:
  struct target {
    eris_walk walk;
    bool root_sent = false, failed = false;
    std::map<std::uint64_t, std::vector<digest>> under_way;
    std::vector<digest> again;
  };
  expected<bool> push_some(std::size_t at, time_ms now, block_effects& out);
  expected<std::vector<digest>> gather(target& t, std::size_t octets);

  storage_protocol& exchange_;
  eris_capability capability_;
  std::size_t wanted_;
  time_ms until_;
  std::vector<content_replica> replicas_; // beside targets_
  std::vector<target> targets_;
  std::set<identity> tried_;
  std::optional<error> last_refusal_;
  bool nobody_left_ = false;
};

} // namespace hanse
