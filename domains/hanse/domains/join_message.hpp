// What a node that wants to join or leave a domain and an introducer say to each other: bodies of "hanse.join/1.0".
// Not the machines (join_requester.hpp, join_introducer.hpp). Layout: docs/domains.md.
//
//   requester                         introducer
//     join_request        ->                           version of the advert that it has
//                         <-  join_challenge           only with auth psk
//     join_answer         ->                           its proof
//                         <-  join_accept              once the membership is durable; with its own proof
//                         <-  join_refuse              at any point, with the reason
//     leave_request       ->
//                         <-  leave_done / join_refuse
#pragma once

#include "hanse/crypto/mac.hpp"
#include "hanse/domains/domain_advert.hpp"
#include "hanse/protocols/peer_message.hpp"

#include <variant>

namespace hanse {

inline constexpr std::size_t join_body_size_max = 128 * 1024; ///< octets of any body below
inline constexpr std::size_t join_adverts_max = 16;           ///< node adverts of members in an acceptance; a guess
inline constexpr std::size_t join_detail_size_max = 256;      ///< octets of a refusal's text
inline constexpr std::uint32_t join_retry_after_max_ms = 600'000;

using join_nonce = std::array<std::byte, 32>;

/// What names the link that messages come in by: `channel_binding` of its session (transport/secure_session.hpp).
using join_channel = std::array<std::byte, 32>;

/// The protocol of the bodies below.
const protocol_id& join_protocol();

/// Let me in. All later bodies of this exchange repeat `domain` and `nonce`.
struct join_request {
  identity domain;
  join_nonce nonce{};        ///< fresh for every try
  std::uint64_t version = 0; ///< of the DomainAdvert that the requester has
  std::string instance;      ///< empty: none in particular; at most 64 octets, as protocol names
  friend bool operator==(const join_request&, const join_request&) = default;
};

/// Prove that you know the key.
struct join_challenge {
  identity domain;
  join_nonce nonce{};
  join_nonce challenge{}; ///< the introducer's, fresh for every try
  friend bool operator==(const join_challenge&, const join_challenge&) = default;
};

struct join_answer {
  identity domain;
  join_nonce nonce{};
  mac_octets proof{}; ///< join_proof.hpp
  friend bool operator==(const join_answer&, const join_answer&) = default;
};

/// You are a member.
struct join_accept {
  identity domain;
  join_nonce nonce{};
  member_level level = level_none;
  std::optional<mac_octets> proof; ///< the introducer's; there if and only if it challenged
  bytes advert;                    ///< the latest signed DomainAdvert
  std::vector<bytes> adverts;      ///< signed node adverts of some members, not looked at here
  friend bool operator==(const join_accept&, const join_accept&) = default;
};

/// No, and why.
struct join_refuse {
  identity domain;
  join_nonce nonce{};
  errc code = errc::none; ///< never none; codes of later versions pass through
  std::string detail;
  std::uint32_t retry_after_ms = 0; ///< with rate_limited: when a try may succeed; at most join_retry_after_max_ms
  bytes advert;                     ///< the latest signed DomainAdvert where that helps, else empty
  friend bool operator==(const join_refuse&, const join_refuse&) = default;
};

struct leave_request {
  identity domain;
  join_nonce nonce{};
  friend bool operator==(const leave_request&, const leave_request&) = default;
};

struct leave_done {
  identity domain;
  join_nonce nonce{};
  friend bool operator==(const leave_done&, const leave_done&) = default;
};

using join_body =
    std::variant<join_request, join_challenge, join_answer, join_accept, join_refuse, leave_request, leave_done>;

bytes encode(const join_body& body);

/// Errors: those of msgpack_reader, `bad_type` (kind), `bad_version`, `bad_value`, `weak_key`. Adverts are not looked
/// at.
expected<join_body> decode_join_body(byte_view wire);

} // namespace hanse
