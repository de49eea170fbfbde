// Which DomainAdvert wins, what is kept over a restart, and asking and telling, to strangers too.
// Not the adverts themselves (domain_advert_test.cpp).
#include "domains/samples.hpp"

#include "hanse/domains/domain_advert_store.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

signed_domain_advert advert_of(std::uint64_t owner, std::uint64_t version = 1, std::string name = "") {
  domain_config c;
  c.domain = id(owner);
  c.version = version;
  c.name = std::move(name);
  return sign(c, key(owner));
}

template <class Effect>
std::vector<Effect> all(const domain_store_effects& effects) {
  std::vector<Effect> found;
  for (const auto& e : effects)
    if (const auto* x = std::get_if<Effect>(&e)) found.push_back(*x);
  return found;
}

/// Hands what `from` sends to `to`.
errc carry(domain_store_effects& sent, const identity& from, domain_advert_store& to, domain_store_effects& out,
           time_ms now = 0) {
  auto code = errc::none;
  for (const auto& m : all<peer_message>(std::exchange(sent, {}))) code = to.receive(from, m.body, now, out).code();
  return code;
}

} // namespace

TEST_CASE("the highest version of a domain's advert wins, and rollback is refused") {
  domain_advert_store store;
  domain_store_effects out;
  REQUIRE(store.put(advert_of(1, 5), domain_origin::learned, out));
  CHECK(all<domain_changed>(out).size() == 1);
  CHECK(all<domain_persist>(out).size() == 1);
  out.clear();
  CHECK(store.put(advert_of(1, 4), domain_origin::kept, out).code() == errc::stale);
  CHECK(store.put(advert_of(1, 5), domain_origin::learned, out).error().detail.empty());
  CHECK(store.put(advert_of(1, 5, "other"), domain_origin::learned, out).error().detail.starts_with("differs"));
  CHECK(all<domain_changed>(out).empty());
  CHECK(store.find(id(1))->value.version == 5);
  REQUIRE(store.put(advert_of(1, 6), domain_origin::learned, out));
  CHECK(all<domain_changed>(out)[0].version == 6);
  CHECK(store.find(id(1))->value.version == 6);
  CHECK(store.find(id(2)) == nullptr);
}

TEST_CASE("rollback is refused after a restart as well") {
  domain_advert_store store;
  domain_store_effects out;
  REQUIRE(store.put(advert_of(1, 5), domain_origin::kept, out));
  REQUIRE(store.put(advert_of(2, 1), domain_origin::learned, out));
  domain_advert_store again;
  for (const auto& p : all<domain_persist>(out)) REQUIRE(again.restore(p.write.key, *p.write.value));
  out.clear();
  CHECK(again.put(advert_of(1, 4), domain_origin::learned, out).code() == errc::stale);
  CHECK(again.domains().size() == 2);
  const auto wire = advert_of(3).wire;
  bytes value{std::byte{1}};
  append(value, wire);
  CHECK(again.restore(id(4).wire(), value).code() == errc::bad_value);
  value.back() ^= std::byte{1};
  CHECK(again.restore(id(3).wire(), value).code() == errc::bad_signature);
  value[0] = std::byte{2};
  CHECK(again.restore(id(3).wire(), value).code() == errc::bad_value);
  CHECK(again.restore(id(3).wire(), {}).code() == errc::bad_value);
}

TEST_CASE("a full table lets go of what was learned first, and never of what is kept") {
  domain_advert_store store{{.domains_max = 2, .asked_max = 1, .bodies = {}}};
  domain_store_effects out;
  REQUIRE(store.put(advert_of(1), domain_origin::learned, out));
  REQUIRE(store.put(advert_of(2), domain_origin::kept, out));
  REQUIRE(store.put(advert_of(3), domain_origin::learned, out));
  CHECK(store.find(id(1)) == nullptr);
  CHECK(store.put(advert_of(3), domain_origin::kept, out).code() == errc::already_exists); // and is kept from now on
  CHECK(store.put(advert_of(4), domain_origin::learned, out).code() == errc::table_full);
  CHECK(store.remove(id(3), out));
  CHECK_FALSE(store.remove(id(3), out));
  CHECK(store.put(advert_of(4), domain_origin::learned, out));
}

TEST_CASE("a stranger asks for a domain's advert and gets the latest; who has it gets nothing") {
  domain_advert_store member, stranger;
  domain_store_effects from_member, from_stranger;
  REQUIRE(member.put(advert_of(1, 5), domain_origin::kept, from_member));
  from_member.clear();
  stranger.ask(id(20), id(1), from_stranger);
  CHECK(all<peer_message>(from_stranger)[0].to == id(20));
  CHECK(carry(from_stranger, id(21), member, from_member) == errc::none);
  REQUIRE(all<peer_message>(from_member).size() == 1);
  CHECK(all<peer_message>(from_member)[0].to == id(21));
  CHECK(carry(from_member, id(20), stranger, from_stranger) == errc::none);
  CHECK(stranger.find(id(1))->value.version == 5);
  from_stranger.clear();
  stranger.ask(id(20), id(1), from_stranger);
  CHECK(carry(from_stranger, id(21), member, from_member) == errc::none);
  CHECK(all<peer_message>(from_member).empty());
}

TEST_CASE("a new version propagates among those who know the domain; what nobody asked for is not taken") {
  domain_advert_store a, b;
  domain_store_effects from_a, from_b;
  REQUIRE(a.put(advert_of(1, 6), domain_origin::kept, from_a));
  from_a.clear();
  a.tell(id(21), id(1), from_a);
  CHECK(carry(from_a, id(20), b, from_b) == errc::not_found);
  REQUIRE(b.put(advert_of(1, 5), domain_origin::kept, from_b));
  from_b.clear();
  a.tell(id(21), id(1), from_a);
  CHECK(carry(from_a, id(20), b, from_b) == errc::none);
  CHECK(all<domain_changed>(from_b)[0].version == 6);
  a.tell(id(21), id(1), from_a);
  CHECK(carry(from_a, id(20), b, from_b) == errc::none); // again: no news
  domain_advert_store behind;
  REQUIRE(behind.put(advert_of(1, 4), domain_origin::kept, from_a));
  from_a.clear();
  behind.tell(id(21), id(1), from_a);
  CHECK(carry(from_a, id(22), b, from_b) == errc::stale);
  a.tell(id(21), id(99), from_a);
  CHECK(from_a.empty());
}

TEST_CASE("adverts are asked for and told so often and not more") {
  domain_advert_store store{{.domains_max = 8, .asked_max = 8, .bodies = {2, 3, 1000}}};
  domain_advert_store asker;
  domain_store_effects out, asked;
  REQUIRE(store.put(advert_of(1, 5), domain_origin::kept, out));
  const auto ask = [&](std::uint64_t from, time_ms now) {
    asker.ask(id(20), id(1), asked);
    return carry(asked, id(from), store, out, now);
  };
  CHECK(ask(2, 0) == errc::none);
  CHECK(ask(2, 10) == errc::none);
  CHECK(ask(2, 999) == errc::rate_limited); // a peer
  CHECK(ask(3, 999) == errc::none);
  CHECK(ask(4, 999) == errc::rate_limited); // together
  CHECK(ask(2, 1000) == errc::none);
}

TEST_CASE("every flipped bit and truncation of what is asked and told is refused or asks for something else") {
  domain_advert_store asker;
  domain_store_effects out, ignored;
  asker.ask(id(20), id(1), out);
  domain_store_config open;
  open.bodies = {1'000'000, 1'000'000, 1};
  domain_advert_store member{open};
  REQUIRE(member.put(advert_of(1, 5), domain_origin::kept, ignored));
  const auto ask = all<peer_message>(out)[0].body;
  for_each_other_length(ask, [&](byte_view bad) { CHECK_FALSE(member.receive(id(2), bad, 0, ignored)); });
  out.clear();
  member.tell(id(21), id(1), out);
  const auto tell = all<peer_message>(out)[0].body;
  domain_advert_store listener{open};
  listener.ask(id(20), id(1), ignored);
  for_each_bit_flip(tell, [&](byte_view bad) { (void)listener.receive(id(20), bad, 0, ignored); });
  for_each_other_length(tell, [&](byte_view bad) { CHECK_FALSE(listener.receive(id(20), bad, 0, ignored)); });
  CHECK(listener.find(id(1)) == nullptr);
  CHECK(listener.receive(id(20), tell, 0, ignored));
  CHECK(listener.find(id(1)) != nullptr);
}
