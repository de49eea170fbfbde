// Tests of the choice among addresses and of the memory of failures. Not dialling (pool_test.cpp).
#include "hanse/transport/selection.hpp"

#include "link_pair.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

const identity peer = key_of(1).identity();

address_selection choose(const std::vector<weighted_address>& list, const address_policy& policy = {},
                         const transport_preferences& wanted = {}, const failure_book& history = {},
                         address_origin origin = address_origin::advertised) {
  return select_addresses(peer, list, origin, wanted, policy, history, 1000);
}

std::vector<std::string> texts(const address_selection& s) {
  std::vector<std::string> out;
  for (const auto& c : s.candidates) out.push_back(c.text);
  return out;
}

} // namespace

TEST_CASE("candidates come by weight, then by text") {
  const auto s = choose({{"tls://b.org:1", 1}, {"tls://a.org:1", 1}, {"tls://c.org:1", 9}});
  CHECK(texts(s) == std::vector<std::string>{"tls://c.org:1", "tls://a.org:1", "tls://b.org:1"});
  CHECK(s.excluded.empty());
}

TEST_CASE("an address in two spellings counts once, with the larger weight") {
  const auto s = choose({{"tls://A.org:1", 1}, {"tls://a.org:1", 5}});
  REQUIRE(s.candidates.size() == 1);
  CHECK(s.candidates[0].weight == 5);
}

TEST_CASE("private ranges that a remote advertised are not dialled unless the policy says so") {
  const std::vector<weighted_address> list{{"tls://10.0.0.1:1", 1},
                                           {"tls://[::ffff:127.0.0.1]:1", 1},
                                           {"tls://localhost:1", 1},
                                           {"unix:///run/x", 1},
                                           {"tls://8.8.8.8:1", 1}};
  address_policy policy;
  policy.schemes = {"tls", "unix"};
  const auto strict = choose(list, policy);
  CHECK(texts(strict) == std::vector<std::string>{"tls://8.8.8.8:1"});
  for (const auto& e : strict.excluded) CHECK(e.reason.code == errc::permission_denied);
  policy.private_ranges = true;
  CHECK(choose(list, policy).candidates.size() == 5);
  policy.private_ranges = false;
  CHECK(choose(list, policy, {}, {}, address_origin::configured).candidates.size() == 5);
}

TEST_CASE("what a name resolves to is judged like an address") {
  CHECK(check_resolved("8.8.8.8", false));
  CHECK(check_resolved("10.0.0.1", true));
  CHECK(check_resolved("10.0.0.1", false).code() == errc::permission_denied);
  CHECK(check_resolved("::ffff:127.0.0.1", false).code() == errc::permission_denied);
  CHECK(check_resolved("0.0.0.0", true).code() == errc::bad_value);
  CHECK(check_resolved("host", true).code() == errc::bad_value);
}

TEST_CASE("every excluded address has its reason") {
  address_policy policy;
  policy.schemes = {"tls", "dtls"};
  const auto reason = [&](const char* address, transport_preferences wanted = {}) {
    const auto s = choose({{address, 1}}, policy, wanted);
    REQUIRE(s.excluded.size() == 1);
    return s.excluded[0].reason.code;
  };
  CHECK(reason("nonsense") == errc::bad_value);
  CHECK(reason("tls://a.org:0") == errc::bad_value);
  CHECK(reason("tls://0.0.0.0:1") == errc::bad_value);
  CHECK(reason("quic://a.org:1") == errc::permission_denied);
  CHECK(reason("mem://a") == errc::permission_denied);
  CHECK(reason("dtls://a.org:1", {true, false, security_kind::any}) == errc::constraint);
  CHECK(reason("dtls://a.org:1", {false, true, security_kind::any}) == errc::constraint);
  CHECK(choose({{"dtls://a.org:1", 1}}, policy).candidates.size() == 1);
  policy.schemes = {"spool"};
  policy.private_ranges = true;
  CHECK(reason("spool:///x") == errc::constraint); // encrypted channels are the default wish
  CHECK(choose({{"spool:///x", 1}}, policy, {false, false, security_kind::any}).candidates.size() == 1);
}

TEST_CASE("only so many addresses are looked at") {
  std::vector<weighted_address> list;
  for (int i = 0; i < 100; ++i) list.push_back({"tls://a" + std::to_string(i) + ".org:1", 1});
  const auto s = choose(list);
  CHECK(s.candidates.size() == advert_addresses_max);
  CHECK(s.excluded.size() == 100 - advert_addresses_max);
  CHECK(s.excluded[0].reason.code == errc::too_long);
}

TEST_CASE("addresses that failed go behind, another identity there weighs more, and time heals") {
  failure_book book;
  book.failed(peer, "tls://a.org:1", errc::unreachable, 1000);
  book.failed(peer, "tls://b.org:1", errc::wrong_peer, 1000);
  CHECK(texts(choose({{"tls://a.org:1", 9}, {"tls://b.org:1", 9}, {"tls://c.org:1", 1}}, {}, {}, book)) ==
        std::vector<std::string>{"tls://c.org:1", "tls://a.org:1", "tls://b.org:1"});
  CHECK(book.penalty(peer, "tls://b.org:1", 1000) == wrong_peer_penalty);
  CHECK(book.penalty(peer, "tls://b.org:1", 1000 + penalty_half_life_ms) == wrong_peer_penalty / 2);
  CHECK(book.penalty(peer, "tls://b.org:1", 1000 + 40 * penalty_half_life_ms) == 0);
  CHECK(book.penalty(key_of(2).identity(), "tls://b.org:1", 1000) == 0);
  for (int i = 0; i < 1000; ++i) book.failed(peer, "tls://a.org:1", errc::unreachable, 2000);
  CHECK(book.penalty(peer, "tls://a.org:1", 2000) == penalty_max);
  book.succeeded(peer, "tls://a.org:1");
  CHECK(book.penalty(peer, "tls://a.org:1", 2000) == 0);
}

TEST_CASE("the memory of failures is bounded and forgets the oldest") {
  failure_book book;
  for (std::size_t i = 0; i < failure_book_size_max + 10; ++i)
    book.failed(peer, std::to_string(i), errc::unreachable, 1000 + i);
  CHECK(book.size() == failure_book_size_max);
  CHECK(book.penalty(peer, "0", 2000) == 0);
  CHECK(book.penalty(peer, std::to_string(failure_book_size_max), 2000) == 1);
}
