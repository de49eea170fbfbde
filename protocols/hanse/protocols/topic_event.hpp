// An event of a topic: what a publisher says to all subscribers, its place in the causal order, its octets, and the
// signed parcels that events travel in. Not the order itself (causal_multicast.hpp) and not the way through the network
// (dissemination.hpp). Design section 9; batch signatures: crypto/signature.hpp. Layout: docs/topics.md.
#pragma once

#include "hanse/crypto/signature.hpp"
#include "hanse/protocols/envelope.hpp"

namespace hanse {

inline constexpr std::size_t event_deps_max = 15; ///< heads of others; with the own previous 16 (design 9)
inline constexpr std::size_t event_seen_max = 32; ///< design section 9
inline constexpr std::size_t event_body_max =
    256 * 1024; ///< octets, so that a fork's proof fits one message; larger is for blocks
inline constexpr std::size_t event_size_max = 264 * 1024;  ///< octets of a whole event
inline constexpr std::size_t parcel_size_max = 640 * 1024; ///< octets; with what surrounds it within body_size_max
inline constexpr std::size_t parcel_events_max = batch_size_max;
inline constexpr std::size_t parcel_overhead_max = 128;          ///< octets of a batch beside its events
inline constexpr std::size_t parcel_overhead_per_event_max = 22; ///< octets that a batch adds to each event

/// What is promised for an event.
enum class event_mode : std::uint8_t {
  causal = 0,     ///< reliable and in causal order
  unreliable = 1, ///< at most once, in no order, never repaired
  join = 2,       ///< causal, for the order alone: takes in more heads than one event holds; not handed to subscribers
};

/// The events of one life of a publisher: a chain. A restart begins another with a higher epoch, so that nothing needs
/// to be durable before an event is sent.
struct chain_key {
  identity publisher;
  std::uint64_t epoch = 0;
  friend auto operator<=>(const chain_key&, const chain_key&) = default;
};

/// A position in a chain: everything up to it.
struct chain_mark {
  chain_key chain;
  std::uint64_t seq = 0;
  friend auto operator<=>(const chain_mark&, const chain_mark&) = default;
};

/// An event that another one depends on.
struct event_dep {
  chain_key chain;
  std::uint64_t seq = 0;
  digest id;
  friend auto operator<=>(const event_dep&, const event_dep&) = default;
};

struct topic_event {
  identity topic;
  chain_key chain;       ///< who published it, and in which life
  std::uint64_t seq = 0; ///< 1, 2, …; causal events and joins count together, unreliable ones by themselves
  event_mode mode = event_mode::causal;
  time_ms published_ms = 0;       ///< the publisher's clock, for people
  std::optional<digest> previous; ///< the id of the chain's event before; none for seq 1 and for unreliable events
  std::vector<event_dep> deps;    ///< heads of other chains that were delivered to the publisher; ascending by chain
  std::vector<chain_mark> seen; ///< more that was delivered to it: hints for finding gaps, not for the order; ascending
  shared_bytes body;
  friend bool operator==(const topic_event&, const topic_event&) = default;
};

/// The octets of `event`, which keeps the bounds and orders above. These are what is hashed and signed.
bytes encode(const topic_event& event);

/// Reads strictly; `wire` is a slice of what the body will share. Identities are not checked for weak keys: verifying
/// a signature does. Errors: those of msgpack_reader, `bad_version`, `bad_value`, `not_canonical` (order).
expected<topic_event> decode_event(const shared_bytes& wire);

/// The id of an event: the hash of its octets under a context of its own. Also what is signed.
digest event_id(byte_view wire) noexcept;

/// Signs for one publisher. An interface, so that simulations of many nodes can use stand-ins.
class event_signer {
public:
  virtual ~event_signer() = default;
  virtual const identity& publisher() const noexcept = 0;
  virtual message_signature sign_one(const digest& id) = 0;

  /// 2..parcel_events_max ids.
  virtual signed_batch sign_many(std::span<const digest> ids) = 0;
};

/// Checks signatures. The counterpart of event_signer.
class event_verifier {
public:
  virtual ~event_verifier() = default;
  virtual expected<unit> verify_one(const identity& publisher, const digest& id, const message_signature& sig) = 0;
  virtual expected<unit> verify_many(const identity& publisher, std::span<const digest> ids,
                                     std::span<const batch_salt> salts, const signature_octets& sig) = 0;
};

/// Ed25519 by a key. `random` must outlive it.
class key_event_signer final : public event_signer {
public:
  key_event_signer(key_pair key, random_source& random) : key_(std::move(key)), random_(random) {}
  const identity& publisher() const noexcept override { return key_.identity(); }
  message_signature sign_one(const digest& id) override { return {sign_single(key_, id)}; }
  signed_batch sign_many(std::span<const digest> ids) override { return sign_batch(key_, ids, random_); }

private:
  key_pair key_;
  random_source& random_;
};

/// Production's verifier. A composite publisher signs its events one by one.
class key_event_verifier final : public event_verifier {
public:
  expected<unit> verify_one(const identity& publisher, const digest& id, const message_signature& sig) override {
    return hanse::verify(publisher, id, sig);
  }
  expected<unit> verify_many(const identity& publisher, std::span<const digest> ids, std::span<const batch_salt> salts,
                             const signature_octets& sig) override {
    return verify_batch(publisher, ids, salts, sig);
  }
};

/// Events of one publisher under one signature, as they travel. The views and slices are of `wire`.
struct event_parcel {
  shared_bytes wire;
  identity publisher;
  std::vector<byte_view> events;
  std::vector<digest> ids;
  signed_batch batch;      ///< salts and signature of several (its root is not set); no salts: one event
  message_signature alone; ///< the signature of the only event
};

/// Signs 1..parcel_events_max events of `signer.publisher()`, given by their octets and ids. Precondition: with the
/// overheads above they fit parcel_size_max.
event_parcel seal_parcel(event_signer& signer, std::span<const byte_view> events, std::span<const digest> ids);

/// Reads structure and hashes; verifies nothing: look for duplicates, and ask whether the publisher may publish, first.
/// Errors: those of msgpack_reader and decode_message_signature, `bad_version`, `bad_value`, `too_long`.
expected<event_parcel> read_parcel(const shared_bytes& wire);

/// One verification for all events. Errors: those of `verify` and `verify_batch` (crypto/signature.hpp).
expected<unit> verify_parcel(const event_parcel& parcel, event_verifier& verifier);

/// The parcel of event `index` alone, with its proof. Costs the whole tree of a batch. Precondition: a valid index.
bytes parcel_alone(const event_parcel& parcel, std::size_t index);

/// Two signed events of one publisher with one place in its chain: proof that it forked.
struct fork_proof {
  bytes first; ///< parcels of one event each; the one with the smaller id first
  bytes second;
};

bytes encode(const fork_proof& proof);

/// Reads and verifies: what comes out is proven. Errors: those of read_parcel, decode_event and verify_parcel;
/// `bad_value` if the two do not contradict each other, or are in the wrong order.
expected<fork_proof> decode_fork_proof(byte_view wire, event_verifier& verifier);

/// The chain of a proof that was verified.
expected<topic_event> forked_event(const fork_proof& proof);

} // namespace hanse
