// Address parsing and range classification. Not resolution.
// Sources: RFC 3986 (syntax), RFC 1123 (host names), RFC 6890 and the IANA special-purpose registries (ranges).
#include "hanse/transport/address.hpp"

#include "hanse/transport/framing.hpp"
#include "hanse/transport/relay.hpp"

#include <arpa/inet.h> // inet_pton and inet_ntop: text conversion only

#include <algorithm>
#include <charconv>

namespace hanse {

namespace {

constexpr std::size_t dns_name_max = 253; // RFC 1035 section 2.3.4, as text
constexpr std::size_t dns_label_max = 63;
constexpr std::size_t name_max = 64;
constexpr std::size_t datagram_mtu = 1200; // what every IPv6 path carries beside IP, UDP and DTLS headers

using ipv4 = std::array<std::uint8_t, 4>;
using ipv6 = std::array<std::uint8_t, 16>;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_lower_alnum(char c) noexcept {
  return (c >= 'a' && c <= 'z') || is_digit(c);
}

std::string lowered(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

// RFC 3986 section 3.1, in lower case.
bool is_scheme(std::string_view s) noexcept {
  return !s.empty() && s.size() <= 16 && s[0] >= 'a' && s[0] <= 'z' &&
         std::all_of(s.begin(), s.end(), [](char c) { return is_lower_alnum(c) || c == '+' || c == '-' || c == '.'; });
}

bool is_printable(std::string_view s) noexcept {
  return std::all_of(s.begin(), s.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::optional<ipv4> read_ipv4(const std::string& text) {
  ipv4 ip;
  return inet_pton(AF_INET, text.c_str(), ip.data()) == 1 ? std::optional{ip} : std::nullopt;
}

std::optional<ipv6> read_ipv6(const std::string& text) {
  ipv6 ip;
  return inet_pton(AF_INET6, text.c_str(), ip.data()) == 1 ? std::optional{ip} : std::nullopt;
}

// Whether a resolver might take the label for a number: such a host is an IPv4 address in disguise.
bool is_numeric_label(std::string_view label) noexcept {
  if (label.starts_with("0x")) return true;
  return std::all_of(label.begin(), label.end(), is_digit);
}

bool is_label(std::string_view label) noexcept {
  return !label.empty() && label.size() <= dns_label_max && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return is_lower_alnum(c) || c == '-' || c == '_'; });
}

bool is_dns_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > dns_name_max) return false;
  for (;;) {
    const auto dot = name.find('.');
    const auto label = name.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == std::string_view::npos) return !is_numeric_label(label);
    name.remove_prefix(dot + 1);
  }
}

expected<std::uint16_t> read_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, port);
  if (ec != std::errc{} || stop != end || (text.size() > 1 && text[0] == '0')) return error{errc::bad_value, "port"};
  return port;
}

expected<std::string> read_host(std::string_view text, bool bracketed) {
  const std::string host = lowered(text);
  if (bracketed) {
    const auto ip = read_ipv6(host);
    if (!ip) return error{errc::bad_value, "IPv6 address"};
    char shortest[INET6_ADDRSTRLEN];
    return std::string{inet_ntop(AF_INET6, ip->data(), shortest, sizeof shortest)};
  }
  if (read_ipv4(host) || is_dns_name(host)) return host;
  return error{errc::bad_value, "host name"};
}

expected<unit> read_host_port(std::string_view rest, transport_address& out) {
  std::string_view host = rest, port;
  const bool bracketed = rest.starts_with('[');
  if (bracketed) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos || close + 1 >= rest.size() || rest[close + 1] != ':')
      return error{errc::bad_value, "expected [IPv6]:port"};
    host = rest.substr(1, close - 1);
    port = rest.substr(close + 2);
  } else {
    const auto colon = rest.rfind(':');
    if (colon == std::string_view::npos) return error{errc::bad_value, "expected host:port"};
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
  }
  HANSE_TRY(out.host, read_host(host, bracketed));
  HANSE_TRY(out.port, read_port(port));
  return ok();
}

expected<unit> read_path(std::string_view rest, transport_address& out) {
  if (!rest.starts_with('/') || rest.size() < 2) return error{errc::bad_value, "expected an absolute path"};
  out.host = rest;
  return ok();
}

expected<unit> read_name(std::string_view rest, transport_address& out) {
  const auto allowed = [](char c) { return is_lower_alnum(c) || c == '.' || c == '_' || c == '-'; };
  if (rest.empty() || rest.size() > name_max || !std::all_of(rest.begin(), rest.end(), allowed))
    return error{errc::bad_value, "expected a name of a-z 0-9 . _ -"};
  out.host = rest;
  return ok();
}

address_range range_of(const ipv4& ip) noexcept {
  const auto [a, b, c, d] = ip;
  if (a == 127) return address_range::loopback;
  if (a == 10 || (a == 172 && (b & 0xf0) == 16) || (a == 192 && b == 168)) return address_range::private_use;
  if (a == 100 && (b & 0xc0) == 64) return address_range::private_use; // RFC 6598
  if (a == 169 && b == 254) return address_range::link_local;
  if (a == 0 || a >= 224) return address_range::unusable;                       // this host, multicast, reserved
  if (a == 192 && b == 0 && (c == 0 || c == 2)) return address_range::unusable; // protocol assignments, TEST-NET-1
  if (a == 198 && (b & 0xfe) == 18) return address_range::unusable;             // benchmarking
  if (a == 198 && b == 51 && c == 100) return address_range::unusable;          // TEST-NET-2
  if (a == 203 && b == 0 && c == 113) return address_range::unusable;           // TEST-NET-3
  return address_range::global;
}

// The IPv4 address that the IPv6 network delivers to, if `ip` stands for one.
std::optional<ipv4> embedded(const ipv6& ip) noexcept {
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  static constexpr std::array<std::uint8_t, 12> nat64{0, 0x64, 0xff, 0x9b};
  const auto starts = [&](const auto& prefix) { return std::equal(prefix.begin(), prefix.end(), ip.begin()); };
  if (starts(mapped) || starts(nat64)) return ipv4{ip[12], ip[13], ip[14], ip[15]};
  if (ip[0] == 0x20 && ip[1] == 0x02) return ipv4{ip[2], ip[3], ip[4], ip[5]}; // 6to4
  return std::nullopt;
}

address_range range_of(const ipv6& ip) noexcept {
  if (const auto v4 = embedded(ip)) return range_of(*v4);
  static constexpr ipv6 loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (ip == loopback) return address_range::loopback;
  if ((ip[0] & 0xfe) == 0xfc) return address_range::private_use;
  if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) return address_range::link_local;
  if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0xc0) return address_range::private_use; // site-local, deprecated
  if (ip[0] == 0x20 && ip[1] == 0x01 && ip[2] == 0x0d && ip[3] == 0xb8) return address_range::unusable; // documentation
  if ((ip[0] & 0xe0) == 0x20) return address_range::global; // 2000::/3 is all that is routed
  return address_range::unusable;
}

address_range range_of_name(std::string_view name) noexcept {
  if (name == "localhost" || name.ends_with(".localhost")) return address_range::loopback;
  if (name.ends_with(".local")) return address_range::link_local;
  return address_range::name;
}

} // namespace

const transport_registry& transport_registry::builtin() {
  static const transport_registry known = [] {
    transport_registry r;
    const auto stream = [](address_form form) {
      return transport_traits{true, true, security_kind::encrypted, frame_payload_max, form};
    };
    (void)r.add("tls", stream(address_form::host_port));
    (void)r.add("unix", stream(address_form::path));
    (void)r.add("mem", stream(address_form::name));
    (void)r.add("dtls", {false, false, security_kind::encrypted, datagram_mtu, address_form::host_port});
    // A sealed bundle has no forward secrecy, hence not `encrypted`; who carries it may lose or reorder it.
    // Neither have relayed messages, which are bundles; the name is the relay's identity.
    (void)r.add("relay", {false, false, security_kind::any, relay_payload_max, address_form::name});
    (void)r.add("spool", {false, false, security_kind::any, frame_payload_max, address_form::path});
    return r;
  }();
  return known;
}

expected<unit> transport_registry::add(std::string_view scheme, const transport_traits& traits) {
  if (!is_scheme(scheme)) return error{errc::bad_value, "scheme"};
  if (!traits_.emplace(scheme, traits).second) return errc::already_exists;
  return ok();
}

const transport_traits* transport_registry::find(std::string_view scheme) const noexcept {
  const auto it = traits_.find(scheme);
  return it == traits_.end() ? nullptr : &it->second;
}

expected<transport_address> parse_transport_address(std::string_view text, const transport_registry& known) {
  if (text.size() > transport_address_size_max) return errc::too_long;
  if (!is_printable(text)) return error{errc::bad_value, "unprintable character"};
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return error{errc::bad_value, "expected scheme://"};
  transport_address out;
  out.scheme = lowered(text.substr(0, colon));
  if (!is_scheme(out.scheme)) return error{errc::bad_value, "scheme"};
  const auto rest = text.substr(colon + 3);
  const transport_traits* traits = known.find(out.scheme);
  out.form = traits ? traits->form : address_form::opaque;
  switch (out.form) {
  case address_form::host_port:
    HANSE_CHECK(read_host_port(rest, out));
    break;
  case address_form::path:
    HANSE_CHECK(read_path(rest, out));
    break;
  case address_form::name:
    HANSE_CHECK(read_name(rest, out));
    break;
  case address_form::opaque:
    out.host = rest;
    break;
  }
  return out;
}

std::string to_string(const transport_address& a) {
  std::string out = a.scheme + "://";
  if (a.form != address_form::host_port) return out + a.host;
  const bool v6 = a.host.find(':') != std::string::npos;
  return out + (v6 ? "[" + a.host + "]" : a.host) + ":" + std::to_string(a.port);
}

std::string_view to_string(address_range range) noexcept {
  switch (range) {
  case address_range::global:
    return "global";
  case address_range::private_use:
    return "private";
  case address_range::loopback:
    return "loopback";
  case address_range::link_local:
    return "link-local";
  case address_range::unusable:
    return "unusable";
  case address_range::name:
    return "name";
  case address_range::local_machine:
    return "local machine";
  case address_range::simulated:
    return "simulated";
  }
  return "unknown";
}

expected<address_range> classify_ip(std::string_view ip) {
  const std::string text{ip};
  if (const auto v4 = read_ipv4(text)) return range_of(*v4);
  if (const auto v6 = read_ipv6(text)) return range_of(*v6);
  return error{errc::bad_value, "IP address"};
}

address_range classify(const transport_address& address) {
  switch (address.form) {
  case address_form::host_port:
    if (const auto range = classify_ip(address.host)) return *range;
    return range_of_name(address.host);
  case address_form::path:
    return address_range::local_machine;
  case address_form::name:
    return address_range::simulated;
  case address_form::opaque:
    break;
  }
  return address_range::unusable;
}

bool is_private(address_range range) noexcept {
  return range == address_range::private_use || range == address_range::loopback ||
         range == address_range::link_local || range == address_range::local_machine;
}

} // namespace hanse
