// The test vectors of the ERIS 1.0 specification, read from where HANSE_VECTORS_DIR says; skipped in words without
// them.
#include "hanse/domains/eris.hpp"

#include "hanse/crypto/bech32m.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <map>

using namespace hanse;

namespace {

bytes from_base32(const std::string& text) {
  std::vector<std::uint8_t> groups;
  for (const char c : text) groups.push_back(static_cast<std::uint8_t>(c >= 'A' ? c - 'A' : c - '2' + 26));
  auto octets = from_groups(groups);
  REQUIRE(octets);
  return *octets;
}

using block_map = std::map<std::string, bytes>;

digest to_digest(const bytes& b) {
  REQUIRE(b.size() == digest::size_bytes);
  digest d;
  std::copy(b.begin(), b.end(), d.octets.begin());
  return d;
}

void check_positive(const nlohmann::json& v, const std::map<digest, bytes>& blocks) {
  const auto content = from_base32(v["content"]);
  const auto secret = to_digest(from_base32(v["convergence-secret"])).octets;
  const auto size = v["block-size"] == 1024 ? eris_block_size::small : eris_block_size::large;
  std::map<digest, bytes> made;
  eris_encoder encoder{size, secret, [&](const digest& reference, byte_view block) {
                         made[reference] = to_bytes(block);
                         return ok();
                       }};
  for (std::size_t at = 0; at < content.size(); at += 1000) // never a multiple of a block
    REQUIRE(encoder.update(byte_view{content}.subspan(at, std::min<std::size_t>(1000, content.size() - at))));
  auto capability = encoder.finish();
  REQUIRE(capability);
  CHECK(to_urn(*capability) == v["urn"]);
  CHECK(made == blocks);
}

/// The content, or why not.
expected<bytes> decode(const eris_capability& c, const std::map<digest, bytes>& blocks) {
  eris_decoder decoder{c};
  bytes content;
  while (!decoder.done()) {
    const auto reference = *decoder.next();
    const auto found = blocks.find(reference);
    if (found == blocks.end()) return errc::not_found;
    HANSE_CHECK(decoder.provide(reference, found->second, [&](byte_view part) { append(content, part); }));
  }
  return content;
}

} // namespace

TEST_CASE("all test vectors of ERIS 1.0 pass, the negative ones by the right refusal") {
  const std::filesystem::path folder = std::filesystem::path{HANSE_VECTORS_DIR} / "eris";
  if (!std::filesystem::exists(folder)) {
    MESSAGE("SKIPPED: no vectors in " << folder.string());
    return;
  }
  const std::map<int, errc> refusals{
      {13, errc::not_found},         {14, errc::bad_checksum},      {15, errc::not_found}, {16, errc::bad_checksum},
      {17, errc::decryption_failed}, {18, errc::decryption_failed}, {19, errc::bad_value}, {20, errc::bad_value},
      {21, errc::bad_value},         {22, errc::bad_value},         {23, errc::bad_value}, {24, errc::not_canonical},
  };
  int passed = 0;
  for (const auto& entry : std::filesystem::directory_iterator{folder}) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream in{entry.path()};
    const auto v = nlohmann::json::parse(in);
    INFO(entry.path().filename().string(), ": ", v["name"].get<std::string>());
    std::map<digest, bytes> blocks;
    for (const auto& [name, octets] : v["blocks"].items())
      blocks[to_digest(from_base32(name))] = from_base32(octets.get<std::string>());
    auto capability = parse_eris_urn(v["urn"].get<std::string>());
    REQUIRE(capability);
    CHECK(octets_of(capability->block_size) == v["read-capability"]["block-size"]);
    CHECK(capability->level == v["read-capability"]["level"]);
    CHECK(capability->root.reference == to_digest(from_base32(v["read-capability"]["root-reference"])));
    CHECK(capability->root.key == to_digest(from_base32(v["read-capability"]["root-key"])).octets);
    CHECK(to_urn(*capability) == v["urn"]);
    auto content = decode(*capability, blocks);
    if (v["type"] == "positive") {
      check_positive(v, blocks);
      REQUIRE(content);
      CHECK((*content == from_base32(v["content"])));
    } else {
      CHECK(to_string(content.code()) == to_string(refusals.at(v["id"])));
    }
    ++passed;
  }
  CHECK(passed == 25);
}
