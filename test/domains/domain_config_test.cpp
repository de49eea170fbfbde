// The configuration of a domain: its rules, its instances, whom a newcomer asks; and the registry of protocols.
// Not its octets and signatures (domain_advert_test.cpp).
#include "domains/samples.hpp"

#include "hanse/domains/protocol_registry.hpp"

#include <functional>

using namespace hanse;
using namespace hanse::test;

namespace {

errc checked(const std::function<void(domain_config&)>& change) {
  auto c = full_config();
  change(c);
  return check(c).code();
}

std::vector<identity> nodes_of(const std::vector<introducer>& list) {
  std::vector<identity> nodes;
  for (const auto& i : list) nodes.push_back(i.node);
  return nodes;
}

} // namespace

TEST_CASE("check names the rule that a domain's configuration breaks") {
  CHECK(checked([](auto&) {}) == errc::none);
  CHECK(checked([](auto& c) { c.domain = {}; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.version = 0; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.version = wire_number_max + 1; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.name.assign(65, 'n'); }) == errc::too_long);
  for (std::string_view name : {"\n", "\x1b[2J", "\xff", "\xc2\x80"})
    CHECK(checked([&](auto& c) { c.name = name; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.stack.storage.id.name = "No"; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.stack.storage.parameters["Key"] = "v"; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.stack.storage.parameters["key"] = std::string(257, 'v'); }) == errc::too_long);
  CHECK(checked([](auto& c) { c.stack.storage.parameters["key"] = "a\nb"; }) == errc::bad_value);
  CHECK(checked([](auto& c) {
          for (int i = 0; i < 33; ++i) c.stack.membership.parameters["k" + std::to_string(i)] = "";
        }) == errc::too_long);
  CHECK(checked([](auto& c) { c.introducers.push_back(introducer_of(11)); }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.introducers[0].node = identity_of(two_of_three()); }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.introducers[0].advert.clear(); }) == errc::bad_value);
  CHECK(checked([](auto& c) {
          for (int i = 100; i < 114; ++i) c.introducers.push_back(introducer_of(static_cast<std::uint64_t>(i)));
        }) == errc::too_long);
  CHECK(checked([](auto& c) { c.permissions.level_max[0] = level_none; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.join_level = level_introducer; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.join_level = level_none; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.own_stacks = false; }) == errc::bad_value);
  CHECK(checked([](auto& c) { std::swap(c.instances[0], c.instances[1]); }) == errc::not_canonical);
  CHECK(checked([](auto& c) { c.instances[1].name = "core"; }) == errc::not_canonical);
  CHECK(checked([](auto& c) { c.instances[0].name = "A b"; }) == errc::bad_value);
  CHECK(checked([](auto& c) { c.instances[1].stack->membership.id.name = ""; }) == errc::bad_value);
}

TEST_CASE("a configuration over its size limit is too long although every part is in range") {
  auto c = sample_config();
  for (int i = 0; i < 32; ++i) c.stack.membership.parameters["k" + std::to_string(i)] = std::string(256, 'v');
  CHECK(check(c));
  c.stack.storage.parameters = c.stack.membership.parameters;
  CHECK(check(c).code() == errc::too_long);
}

TEST_CASE("an instance has its own protocols where the configuration gives it some, else the domain's") {
  const auto c = full_config();
  CHECK(stack_of(c, "edge") == protocol_stack{});
  CHECK(stack_of(c, "core") == c.stack);
  CHECK(stack_of(c, "elsewhere") == c.stack);
  CHECK(find_instance(c, "elsewhere") == nullptr);
}

TEST_CASE("a newcomer asks the introducers of its instance, then the domain's, then all others, each once") {
  const auto c = full_config();
  CHECK(nodes_of(introducers_of(c)) == std::vector{id(11), id(12), id(13), id(14), id(15)});
  CHECK(nodes_of(introducers_of(c, "edge")) == std::vector{id(11), id(15), id(12), id(13), id(14)});
}

TEST_CASE("authentication mechanisms have names that are read back") {
  for (const auto a : {auth_mechanism::none, auth_mechanism::psk}) CHECK(*parse_auth_mechanism(to_string(a)) == a);
  CHECK(parse_auth_mechanism("magic").code() == errc::bad_value);
}

TEST_CASE("a researcher's own protocol is found through a domain's configuration") {
  using factory = std::function<std::string(const std::map<std::string, std::string>&)>;
  protocol_registry<factory> known;
  REQUIRE(known.add({"full-mesh", 1, 0}, [](const auto&) { return std::string{"mesh"}; }));
  REQUIRE(known.add({"my-gossip", 2, 3}, [](const auto& p) { return "fanout " + p.at("fanout"); }));
  auto c = sample_config();
  c.stack.dissemination = {{"my-gossip", 2, 1}, {{"fanout", "3"}}};
  const auto advert = sign(c, key(1));
  const auto config = decode_domain_advert(advert.wire).value().value;
  const auto found = known.find(config.stack.dissemination.id);
  REQUIRE(found);
  CHECK(found->speaks == protocol_id{"my-gossip", 2, 1});
  CHECK((*found->factory)(config.stack.dissemination.parameters) == "fanout 3");
}

TEST_CASE("the registry takes the highest minor of the major version, and says what it knows") {
  protocol_registry<int> known;
  CHECK(known.find({"a", 1, 0}).error().detail == "a/1.0 (known here: none)");
  for (const protocol_id& p : std::vector<protocol_id>{{"a", 1, 1}, {"a", 1, 4}, {"a", 3, 0}, {"c", 1, 0}})
    REQUIRE(known.add(p, p.minor));
  CHECK(*known.find({"a", 1, 0})->factory == 4);
  CHECK(known.find({"a", 1, 0})->speaks == protocol_id{"a", 1, 0});
  CHECK(known.find({"a", 1, 9})->speaks == protocol_id{"a", 1, 4});
  CHECK(known.find({"a", 2, 0}).code() == errc::unsupported_version);
  CHECK(known.find({"a", 0, 0}).code() == errc::unsupported_version);
  CHECK(known.find({"a", 4, 0}).code() == errc::unsupported_version);
  CHECK(known.find({"b", 1, 0}).code() == errc::unsupported_protocol);
  CHECK(known.find({"d", 1, 0}).code() == errc::unsupported_protocol);
  CHECK(known.find({"b", 1, 0}).error().detail == "b/1.0 (known here: a/1.1 a/1.4 a/3.0 c/1.0)");
  CHECK(known.add({"a", 1, 1}, 0).code() == errc::already_exists);
  CHECK(known.add({"A", 1, 1}, 0).code() == errc::bad_value);
  CHECK(known.known().size() == 4);
  for (std::uint16_t i = 0; known.known().size() < registered_protocols_max; ++i) REQUIRE(known.add({"m", i, 0}, 0));
  CHECK(known.add({"n", 1, 0}, 0).code() == errc::table_full);
}
