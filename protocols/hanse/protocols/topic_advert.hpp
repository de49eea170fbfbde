// What a topic says about itself: its domain, who may publish, what it is about; versioned, signed by the topic.
// Not where it is kept (topics.hpp) and not adverts of nodes and engines (advert.hpp). Layout: docs/topics.md.
#pragma once

#include "hanse/protocols/advert.hpp"

namespace hanse {

inline constexpr std::size_t topic_publishers_max = 64; ///< they fit advert_size_max; larger groups are composites
inline constexpr std::size_t topic_tags_max = 16;
inline constexpr std::size_t topic_tag_size_max = 32; ///< octets: [a-z0-9] then [a-z0-9._-]

struct topic_advert {
  identity topic;
  std::uint64_t version = 0;        ///< highest wins
  identity domain;                  ///< whose members carry the topic
  std::string name;                 ///< for people, at most 64 octets, never trusted
  std::vector<std::string> tags;    ///< strictly ascending; subscribers find topics by them
  std::vector<identity> publishers; ///< strictly ascending; empty: whoever the domain permits
  friend bool operator==(const topic_advert&, const topic_advert&) = default;
};
using signed_topic_advert = signed_advert<topic_advert>;

/// Whether `text` may be a tag.
bool is_topic_tag(std::string_view text) noexcept;

/// Whether an advert of these fields may be signed, and all that a decoder asks of them.
/// Errors: `bad_value`, `not_canonical` (order), `too_long`.
expected<unit> check(const topic_advert& advert);

/// Signs. Precondition: key.identity() is the topic; `check(advert)`.
signed_topic_advert sign(const topic_advert& advert, const key_pair& key);

/// Reads and verifies, strictly. Errors: those of decode_engine_advert.
expected<signed_topic_advert> decode_topic_advert(byte_view wire);

/// For a composite topic: what its members sign, and the advert with the signature put together of it.
/// Precondition: `check(advert)`; the result is within advert_size_max.
digest hash_to_sign(const topic_advert& advert);
signed_topic_advert attach(const topic_advert& advert, const message_signature& signature);

/// Whether the advert itself lists `publisher`, or leaves it to the domain (`by_domain`).
bool may_publish(const topic_advert& advert, const identity& publisher, bool by_domain);

} // namespace hanse
