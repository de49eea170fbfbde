// Our own test vectors, for other implementations: test/domains/vectors/blocklace.json. The test makes them anew and
// holds the file to them; with HANSE_WRITE_VECTORS set it writes the file. Then it reads the file as another
// implementation would: from the octets alone.
#include "domains/lattice_kit.hpp"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace hanse;
using namespace hanse::test;
using json = nlohmann::ordered_json;

namespace {

const char* const path = HANSE_SOURCE_DIR "/test/domains/vectors/blocklace.json";

std::string hex(byte_view b) {
  return to_hex(b);
}

json describe(const block& b) {
  json j;
  j["wire"] = hex(b.wire.view());
  j["id"] = hex(b.id.view());
  j["header"] = hex(b.header_octets);
  j["creator"] = hex(b.header.creator.wire());
  j["seq"] = b.header.seq;
  j["self_prev"] = b.header.self_prev ? json(hex(b.header.self_prev->view())) : json(nullptr);
  j["pointers"] = json::array();
  for (const auto& p : b.header.preds) j["pointers"].push_back(hex(p.view()));
  j["payload"] = hex(b.payload);
  return j;
}

json result_of(hand_node& n) {
  json j;
  j["members"] = json::array();
  for (const auto& m : n.lattice.map().members())
    j["members"].push_back({{"member", hex(m.member.wire())}, {"level", m.level}, {"value", hex(m.value)}});
  j["registers"] = json::array();
  for (const auto& [k, v] : n.lattice.map().registers()) j["registers"].push_back({{"key", k}, {"value", hex(v)}});
  j["byzantine"] = json::array();
  for (const auto& b : n.lattice.lace().byzantine()) j["byzantine"].push_back(hex(b.wire()));
  j["state_hash"] = hex(n.lattice.map().state_hash().view());
  j["root"] = hex(n.lattice.root().view());
  return j;
}

/// What an observer that is no member makes of the blocks.
json replay(const std::vector<bytes>& wires) {
  hand_node observer{999};
  for (const auto& w : wires) observer.take(id(999), w);
  return result_of(observer);
}

json make_case(std::string_view name, std::string_view about, const std::vector<block>& blocks) {
  json j;
  j["name"] = name;
  j["about"] = about;
  j["blocks"] = json::array();
  std::vector<bytes> wires;
  for (const auto& b : blocks) {
    j["blocks"].push_back(describe(b));
    wires.push_back(to_bytes(b.wire.view()));
  }
  j["result"] = replay(wires);
  return j;
}

json make_vectors() {
  permissions open;
  open.level_max[0] = open.level_max[1] = 100;
  const auto advert = fake_advert(1, {id(1), id(2)}, open);
  const forger one{1}, two{2}, three{3}, four{4};
  const auto root = one.make(1, std::nullopt, {}, configure_op(advert, 1));
  const auto add3 = one.next(root, {}, add_op(id(3), 10, to_bytes("three"), 2));
  const auto add4 = one.next(add3, {}, add_op(id(4), 20, {}, 3));
  const auto put3 = three.make(1, std::nullopt, {add4.id}, put_op("motto", to_bytes("first"), 4));
  const auto put4 = four.make(1, std::nullopt, {add4.id}, put_op("motto", to_bytes("second"), 5));
  const auto revoke = one.next(add4, {}, revoke_op(id(3), 6));
  const auto let_in = three.next(put3, {}, add_op(id(5), 30, {}, 7));
  const auto fork = four.make(1, std::nullopt, {add4.id}, put_op("motto", to_bytes("third"), 8));
  const auto ack = one.next(add4, {put4.id, fork.id}, ack_op(9));
  const auto late = four.next(put4, {}, put_op("motto", to_bytes("fourth"), 10));
  const auto apart = two.make(1, std::nullopt, {}, configure_op(advert, 1));
  const auto apart3 = two.next(apart, {}, add_op(id(3), 11, to_bytes("drei"), 2));
  const auto invalid = three.make(1, std::nullopt, {add4.id}, add_op(id(5), 10, {}, 4));
  json j;
  j["format"] = "hanse-blocklace-vectors-v1";
  j["about"] = "docs/blocklace.md; octets in hexadecimal. The advert is a stand-in, its terms are given here.";
  j["domain"] = hex(domain_id().wire());
  j["keys"] = json::array();
  for (std::uint64_t n = 1; n <= 4; ++n)
    j["keys"].push_back(
        {{"seed", key(n).with_seed([](const auto& s) { return hex(s); })}, {"identity", hex(id(n).wire())}});
  j["adverts"] = json::array({{{"octets", hex(advert)},
                               {"version", 1},
                               {"introducers", json::array({hex(id(1).wire()), hex(id(2).wire())})},
                               {"levels", json::array({100, 100, 254, 254, 254})}}});
  j["cases"] = json::array();
  j["cases"].push_back(make_case("concurrent puts", "the last by (height, id) wins", {root, add3, add4, put3, put4}));
  j["cases"].push_back(make_case("revoke", "voids what its target did beside it: its put and whom it let in",
                                 {root, add3, add4, put3, put4, let_in, revoke}));
  j["cases"].push_back(make_case("equivocation",
                                 "the last block is not accepted: its creator forked, which is acknowledged",
                                 {root, add3, add4, put4, fork, ack, late}));
  j["cases"].push_back(make_case("merge", "two instances that began apart", {root, add3, add4, apart, apart3}));
  j["cases"].push_back(
      make_case("invalid", "level 10 may not add level 10: evidence, no effect", {root, add3, add4, invalid}));
  j["proof"] = {{"octets", hex(encode(prove_equivocation(put4, fork)))}, {"equivocator", hex(id(4).wire())}};
  return j;
}

} // namespace

TEST_CASE("vectors: the file holds what this code makes, and its octets are read back to the stated results") {
  const auto made = make_vectors();
  if (std::getenv("HANSE_WRITE_VECTORS")) std::ofstream{path} << made.dump(1) << '\n';
  std::ifstream file{path};
  REQUIRE(file);
  const auto read = json::parse(file);
  CHECK(read == made);
  for (const auto& c : read["cases"]) {
    CAPTURE(c["name"]);
    std::vector<bytes> wires;
    for (const auto& b : c["blocks"]) {
      wires.push_back(*from_hex(b["wire"].get<std::string>()));
      CHECK(hex(decode_block(shared_bytes{wires.back()})->id.view()) == b["id"]);
    }
    CHECK(replay(wires) == c["result"]);
  }
  const auto proof = decode_equivocation_proof(*from_hex(read["proof"]["octets"].get<std::string>()));
  REQUIRE(proof);
  CHECK(hex(verify(*proof, domain_id())->wire()) == read["proof"]["equivocator"]);
}
