// The latest DomainAdvert of each domain that a node knows: kept, asked for, returned on request to anybody, passed on.
// Spec "Joining a domain". Sans-IO. Highest version wins; rollback is refused.
// Not other adverts (protocols/advert_store.hpp), not gossip between domains: that calls `put`.
//
// Bodies of "hanse.domain-advert/1.0", arrays that begin with kind and format version (docs/domains.md):
//   ask    [1, 1, domain, version]   have you a newer one than this version? 0: I have none
//   tell   [2, 1, advert]            the answer, and what members tell each other when it changes
#pragma once

#include "hanse/domains/domain_advert.hpp"
#include "hanse/domains/rate_limiter.hpp"
#include "hanse/protocols/durable.hpp"
#include "hanse/protocols/peer_message.hpp"

#include <set>
#include <variant>

namespace hanse {

inline constexpr std::string_view domain_table = "domain"; ///< where `domain_persist` writes go

/// The protocol of the bodies above.
const protocol_id& domain_advert_protocol();

struct domain_store_config {
  std::size_t domains_max = 1024;      ///< of at most 32 KiB each; a guess
  std::size_t asked_max = 256;         ///< domains that we asked for and know nothing of; a guess
  rate_limit bodies{30, 1200, 60'000}; ///< taken from a peer and together, a minute; guesses
};

/// How an advert came here; decides whether it may be evicted.
enum class domain_origin : std::uint8_t {
  learned = 0, ///< from others; the one that came longest ago goes when the table is full
  kept = 1,    ///< of a domain that this node is in, owns or was told of by its operator; never evicted
};

/// Write to table `domain_table`; nothing waits for it.
struct domain_persist {
  key_value_write write;
};

/// There is a first or newer version. Members of the domain pass it on (`tell`).
struct domain_changed {
  identity domain;
  std::uint64_t version = 0;
};

using domain_store_effect = std::variant<peer_message, domain_persist, domain_changed>;
using domain_store_effects = std::vector<domain_store_effect>;

class domain_advert_store {
public:
  explicit domain_advert_store(const domain_store_config& config = {});

  /// Takes a verified advert. Errors: `stale` (older than what is known: rollback), `already_exists` (the same version:
  /// the first stays; the detail says "differs" if the octets do, which proves that the owner signed two),
  /// `table_full`. `kept` sticks, and is set by an advert that is known already, too.
  expected<unit> put(signed_domain_advert advert, domain_origin origin, domain_store_effects& out);

  /// Null if unknown. Valid until a change.
  const signed_domain_advert* find(const identity& domain) const noexcept;

  /// All domains, ascending.
  std::vector<identity> domains() const;

  /// False if it was unknown.
  bool remove(const identity& domain, domain_store_effects& out);

  /// Asks `node` for a newer version than is known here.
  void ask(const identity& node, const identity& domain, domain_store_effects& out);

  /// Tells `node` what is known of `domain`, if something is.
  void tell(const identity& node, const identity& domain, domain_store_effects& out) const;

  /// A body from the node `from`. What is told is taken if the domain is known or was asked for. An ask is answered if
  /// there is something newer, else not.
  /// Errors: those of msgpack_reader, `bad_type`, `bad_version`, those of decode_domain_advert and `put`;
  /// `rate_limited` (not looked at), `not_found` (told of a domain that nobody here asked for).
  expected<unit> receive(const identity& from, byte_view body, time_ms now, domain_store_effects& out);

  /// Takes back one pair of table `domain_table` at the start; adverts are verified anew. Errors: `bad_value` (key),
  /// those of decode_domain_advert, `table_full`.
  expected<unit> restore(byte_view key, byte_view value);

private:
  struct entry {
    signed_domain_advert advert;
    domain_origin origin = domain_origin::learned;
    std::uint64_t order = 0; // of its coming
  };

  bool make_room(domain_store_effects& out);

  domain_store_config config_;
  std::map<identity, entry> entries_;
  std::set<identity> asked_; // and not known
  std::uint64_t clock_ = 0;
  rate_limiter bodies_;
};

} // namespace hanse
