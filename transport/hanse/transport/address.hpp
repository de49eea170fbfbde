// Transport addresses, "scheme://…", what each scheme guarantees, and which part of the network a host lies in.
// Not name resolution and not the choice among addresses (selection.hpp). Spec "Transport", design section 6.
#pragma once

#include "hanse/protocols/advert.hpp"
#include "hanse/protocols/envelope.hpp"

#include <map>

namespace hanse {

/// How the part after "scheme://" reads.
enum class address_form : std::uint8_t {
  host_port, ///< `host:port`; host is IPv4, [IPv6] or a DNS name
  path,      ///< an absolute path
  name,      ///< [a-z0-9._-]{1,64}
  opaque,    ///< a scheme that is not registered: kept as it is
};

/// What a transport promises, and how its addresses read.
struct transport_traits {
  bool ordered = false;
  bool reliable = false;
  security_kind security = security_kind::any; ///< `encrypted`: authenticated, encrypted, with forward secrecy
  std::size_t mtu = 0;                         ///< octets of the largest payload of one message
  address_form form = address_form::opaque;
};

/// Traits by scheme. Value type; a program adds to a copy of the built-in ones what its plug-ins speak.
class transport_registry {
public:
  /// tls, dtls, unix, mem, relay and spool.
  static const transport_registry& builtin();

  /// Errors: `bad_value` (no scheme name), `already_exists`.
  expected<unit> add(std::string_view scheme, const transport_traits& traits);

  /// Nothing for an unknown scheme. The pointer stays valid as long as the registry.
  const transport_traits* find(std::string_view scheme) const noexcept;

private:
  std::map<std::string, transport_traits, std::less<>> traits_;
};

/// A parsed address in canonical spelling: two addresses that read the same compare equal.
struct transport_address {
  std::string scheme; ///< lower case
  std::string host;   ///< host without brackets; or the path, the name, the opaque rest
  std::uint16_t port = 0;
  address_form form = address_form::opaque;

  friend auto operator<=>(const transport_address&, const transport_address&) = default;
};

/// Reads an address. Canonical afterwards: scheme and DNS name in lower case, IP addresses in their shortest form.
/// Port 0 is read (a listener may ask for any port); it cannot be dialled. A scheme that is not registered is read as
/// opaque. Numbers that only some resolvers take for IPv4 ("127.1", "0x7f000001") are refused, so are zone ids.
/// Errors: `too_long` (transport_address_size_max), `bad_value`.
expected<transport_address> parse_transport_address(std::string_view text,
                                                    const transport_registry& known = transport_registry::builtin());

/// The canonical text.
std::string to_string(const transport_address& address);

/// Where an address leads, as far as it tells by itself.
enum class address_range : std::uint8_t {
  global,        ///< a public IP address
  private_use,   ///< RFC 1918, RFC 6598 (shared), RFC 4193 (unique local)
  loopback,      ///< 127/8, ::1, "localhost"
  link_local,    ///< 169.254/16, fe80::/10, "*.local"
  unusable,      ///< unspecified, multicast, broadcast, reserved, documentation
  name,          ///< a DNS name: unknown before it is resolved; check the outcome with `classify_ip`
  local_machine, ///< a path on this machine
  simulated,     ///< the simulated network
};

std::string_view to_string(address_range range) noexcept;

/// IPv4 inside IPv6 (mapped, 6to4, NAT64) is judged by the IPv4 address.
address_range classify(const transport_address& address);

/// The range of an IP address in text, without brackets or zone. Errors: `bad_value`.
expected<address_range> classify_ip(std::string_view ip);

/// Whether only a configured address may lead there, not one that a remote node advertised (design section 7).
bool is_private(address_range range) noexcept;

} // namespace hanse
