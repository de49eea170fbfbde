// Tests of address parsing and range classification. Not selection (selection_test.cpp).
#include "hanse/transport/address.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

std::string canonical(std::string_view text) {
  const auto a = parse_transport_address(text);
  return a ? to_string(*a) : "error " + std::string{to_string(a.code())};
}

address_range range_of(std::string_view text) {
  return classify(*parse_transport_address(text));
}

} // namespace

TEST_CASE("addresses are read and written in one spelling") {
  CHECK(canonical("tls://192.0.2.1:4000") == "tls://192.0.2.1:4000");
  CHECK(canonical("TLS://Example.ORG:1") == "tls://example.org:1");
  CHECK(canonical("tls://[2001:0DB8:0:0::0001]:65535") == "tls://[2001:db8::1]:65535");
  CHECK(canonical("tls://127.0.0.1:0") == "tls://127.0.0.1:0");
  CHECK(canonical("dtls://h:9") == "dtls://h:9");
  CHECK(canonical("unix:///run/hanse.sock") == "unix:///run/hanse.sock");
  CHECK(canonical("spool:///media/stick") == "spool:///media/stick");
  CHECK(canonical("mem://node-1") == "mem://node-1");
  CHECK(canonical("quic+x://whatever it takes") == "error bad_value"); // a blank
  CHECK(canonical("quic+x://whatever/it:takes?") == "quic+x://whatever/it:takes?");
}

TEST_CASE("what is no address is refused") {
  for (const char* text : {"",
                           "tls",
                           "tls://",
                           "tls://host",
                           "tls://host:",
                           "tls://:1",
                           "tls://host:65536",
                           "tls://host:+1",
                           "tls://host:01",
                           "tls://host:1 ",
                           "tls://a b:1",
                           "tls://[::1]",
                           "tls://[::1]1",
                           "tls://[::1:1",
                           "tls://::1:1",
                           "tls://[127.0.0.1]:1",
                           "tls://[fe80::1%eth0]:1",
                           "tls://a..b:1",
                           "tls://-a:1",
                           "tls://a-:1",
                           "tls://a\n:1",
                           "unix://relative",
                           "unix:///",
                           "mem://",
                           "mem://A",
                           "mem://a/b",
                           "1x://a",
                           "://a",
                           "tls:/a:1"}) {
    CAPTURE(text);
    CHECK(parse_transport_address(text).code() == errc::bad_value);
  }
  CHECK(parse_transport_address("unix:///" + std::string(transport_address_size_max, 'x')).code() == errc::too_long);
  CHECK(parse_transport_address("tls://" + std::string(64, 'a') + ".org:1").code() == errc::bad_value);
}

TEST_CASE("numbers that a resolver might take for an IPv4 address are refused") {
  for (const char* text : {"tls://127.1:1", "tls://2130706433:1", "tls://0x7f000001:1", "tls://0x7f.1:1",
                           "tls://127.0.0.01:1", "tls://1.2.3.4.5:1", "tls://256.1.1.1:1", "tls://a.0x1f:1"}) {
    CAPTURE(text);
    CHECK(parse_transport_address(text).code() == errc::bad_value);
  }
}

TEST_CASE("ranges follow the special-purpose registries, also for IPv4 inside IPv6") {
  using enum address_range;
  const std::pair<const char*, address_range> cases[] = {
      {"tls://8.8.8.8:1", global},
      {"tls://10.1.2.3:1", private_use},
      {"tls://172.15.0.1:1", global},
      {"tls://172.16.0.1:1", private_use},
      {"tls://172.31.255.1:1", private_use},
      {"tls://172.32.0.1:1", global},
      {"tls://192.168.9.9:1", private_use},
      {"tls://100.63.0.1:1", global},
      {"tls://100.64.0.1:1", private_use},
      {"tls://100.127.0.1:1", private_use},
      {"tls://100.128.0.1:1", global},
      {"tls://127.9.9.9:1", loopback},
      {"tls://169.254.1.1:1", link_local},
      {"tls://0.0.0.0:1", unusable},
      {"tls://224.0.0.1:1", unusable},
      {"tls://255.255.255.255:1", unusable},
      {"tls://203.0.113.5:1", unusable},
      {"tls://[::]:1", unusable},
      {"tls://[::1]:1", loopback},
      {"tls://[2a00::1]:1", global},
      {"tls://[2001:db8::1]:1", unusable},
      {"tls://[fc00::1]:1", private_use},
      {"tls://[fdff::1]:1", private_use},
      {"tls://[fe80::1]:1", link_local},
      {"tls://[fec0::1]:1", private_use},
      {"tls://[ff02::1]:1", unusable},
      {"tls://[::ffff:127.0.0.1]:1", loopback},
      {"tls://[::ffff:10.0.0.1]:1", private_use},
      {"tls://[64:ff9b::10.0.0.1]:1", private_use},
      {"tls://[2002:7f00:1::]:1", loopback},
      {"tls://[2002:808:808::]:1", global},
      {"tls://localhost:1", loopback},
      {"tls://a.localhost:1", loopback},
      {"tls://printer.local:1", link_local},
      {"tls://example.org:1", name},
      {"unix:///a", local_machine},
      {"mem://a", simulated},
      {"what://ever", unusable},
  };
  for (const auto& [address, range] : cases) {
    const std::string text = address; // clang 14 captures no structured binding
    CAPTURE(text);
    CHECK(to_string(range_of(text)) == to_string(range));
  }
  CHECK(classify_ip("::1").value() == loopback);
  CHECK(classify_ip("host").code() == errc::bad_value);
}

TEST_CASE("a registry knows its schemes and takes more") {
  auto r = transport_registry::builtin();
  REQUIRE(r.find("tls"));
  CHECK(r.find("tls")->reliable);
  CHECK_FALSE(r.find("dtls")->ordered);
  CHECK(r.find("spool")->security == security_kind::any);
  CHECK_FALSE(r.find("quic"));
  CHECK(r.add("quic", {true, true, security_kind::encrypted, 1 << 20, address_form::host_port}));
  CHECK(r.add("quic", {}).code() == errc::already_exists);
  CHECK(r.add("QUIC", {}).code() == errc::bad_value);
  CHECK(parse_transport_address("quic://h:1", r)->port == 1);
}
