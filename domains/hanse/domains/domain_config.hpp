// What a domain's owner decides: its protocols, who introduces newcomers and how they prove themselves, permissions,
// instances. Spec "Domains"; design section 8.
// Not its signature (domain_advert.hpp), not how protocols are found (protocol_registry.hpp) and not the members.
#pragma once

#include "hanse/domains/permissions.hpp"
#include "hanse/protocols/advert.hpp"

#include <map>
#include <optional>

namespace hanse {

inline constexpr std::size_t domain_introducers_max = 16;        ///< per list; a guess
inline constexpr std::size_t domain_instances_max = 16;          ///< named ones; a guess
inline constexpr std::size_t protocol_parameters_max = 32;       ///< of one protocol; a guess
inline constexpr std::size_t protocol_parameter_value_max = 256; ///< octets; a guess
inline constexpr std::size_t domain_config_size_max = 16 * 1024; ///< octets of the whole; a guess: 8 nodes take 2 KiB
inline constexpr std::size_t domain_name_size_max = 64;          ///< octets

/// One protocol of a domain and its parameters. Their meaning is the protocol's; it refuses what it does not know.
struct stack_protocol {
  protocol_id id;
  std::map<std::string, std::string> parameters; ///< keys as protocol names; values UTF-8 without control characters
  friend bool operator==(const stack_protocol&, const stack_protocol&) = default;
};

/// The least that a domain runs (spec "Domains").
struct protocol_stack {
  stack_protocol membership{{"blocklace", 1, 0}, {}};
  stack_protocol dissemination{{"full-mesh", 1, 0}, {}};
  stack_protocol storage{{"blocks", 1, 0}, {}};
  friend bool operator==(const protocol_stack&, const protocol_stack&) = default;
};

/// A node that takes requests from non-members, with its own signed advert, so that a newcomer can dial it.
struct introducer {
  identity node;
  bytes advert; ///< a signed node_advert of `node`
  friend bool operator==(const introducer&, const introducer&) = default;
};

/// The introducer that a node's advert (of its ticket) makes.
inline introducer make_introducer(const signed_node_advert& advert) {
  return {advert.value.node, advert.wire};
}

/// How a newcomer proves that it may join. The numbers are on the wire.
enum class auth_mechanism : std::uint8_t {
  none = 0, ///< whoever asks
  psk = 1,  ///< who knows the pre-shared key (psk.hpp)
};

std::string_view to_string(auth_mechanism a) noexcept;

/// Errors: `bad_value`.
expected<auth_mechanism> parse_auth_mechanism(std::string_view text);

/// An instance that the owner names: a part of the domain with introducers, and perhaps protocols, of its own.
struct domain_instance {
  std::string name;                    ///< as protocol names; unique in the domain
  std::optional<protocol_stack> stack; ///< empty: the domain's
  std::vector<introducer> introducers;
  friend bool operator==(const domain_instance&, const domain_instance&) = default;
};

/// The configuration of a domain. The owner is its identity: an individual, or a group.
struct domain_config {
  identity domain;
  std::uint64_t version = 0; ///< not 0; the highest wins. `hanse domain create` takes milliseconds since the epoch
  std::string name;          ///< for people, never trusted
  protocol_stack stack;
  std::vector<introducer> introducers; ///< of the domain as a whole, each node once; may be empty
  auth_mechanism auth = auth_mechanism::none;
  hanse::permissions permissions;
  member_level join_level = level_default; ///< of who joins; below that of an introducer
  bool own_stacks = false;                 ///< whether an instance, named or not, may run other protocols
  std::vector<domain_instance> instances;  ///< ascending by name
  friend bool operator==(const domain_config&, const domain_config&) = default;
};

/// Whether these fields may be signed, and all that a decoder asks of them but for the introducers' signatures.
/// Errors: `bad_value`, `too_long` (a count, a text, or the whole over domain_config_size_max); the detail says where.
expected<unit> check(const domain_config& config);

/// The named instance, or null.
const domain_instance* find_instance(const domain_config& config, std::string_view name) noexcept;

/// The protocols of an instance: its own if the configuration gives it some, else the domain's.
const protocol_stack& stack_of(const domain_config& config, std::string_view instance) noexcept;

/// Whom a newcomer asks, in this order: those of the named instance if there are some, then those of the domain, then
/// those of every other instance. Each once.
std::vector<introducer> introducers_of(const domain_config& config, std::string_view instance = {});

} // namespace hanse
