// Single and batch signatures: what they sign, and what must not verify.
// The tree is computed a second time here, by the recursive definition of RFC 6962 section 2.1.
#include "helpers.hpp"

#include <algorithm>
#include <bit>

using namespace hanse;
using namespace hanse::test;

namespace {

std::vector<digest> messages(std::size_t count) {
  std::vector<digest> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(hash_of("message " + std::to_string(i)));
  return out;
}

signed_batch sign(const key_pair& signer, std::span<const digest> hashes) {
  seeded_random random{99};
  return sign_batch(signer, hashes, random);
}

std::array<std::byte, 16> context(std::string_view name) {
  std::array<std::byte, 16> out{};
  std::ranges::copy(as_byte_view(name), out.begin());
  return out;
}

/// MTH of RFC 6962, with the leaves and nodes of signature.hpp.
digest tree_hash(std::span<const digest> hashes, std::span<const batch_salt> salts) {
  if (hashes.size() == 1) return blake2b_256({unhex("00"), context("hanse-leaf-v1"), salts[0], hashes[0].view()});
  const auto k = std::bit_floor(hashes.size() - 1);
  const auto left = tree_hash(hashes.first(k), salts.first(k));
  const auto right = tree_hash(hashes.subspan(k), salts.subspan(k));
  return blake2b_256({unhex("01"), left.view(), right.view()});
}

bytes batch_statement(const identity& signer, std::uint32_t count, const digest& root) {
  auto out = to_bytes(context("hanse-batch-v1"));
  append(out, signer.wire());
  for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<std::byte>(count >> shift & 0xff));
  append(out, root.view());
  return out;
}

std::vector<std::size_t> batch_sizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t n = 2; n <= 33; ++n) sizes.push_back(n);
  sizes.push_back(1024);
  return sizes;
}

} // namespace

TEST_CASE("a single signature signs context, signer and hash") {
  const auto hash = hash_of("message");
  const auto sig = sign_single(key(1), hash);
  CHECK(verify_single(id(1), hash, sig));
  auto statement = to_bytes(context("hanse-single-v1"));
  append(statement, id(1).wire());
  append(statement, hash.view());
  CHECK(verify_octets(id(1), statement, sig));
  CHECK_FALSE(verify_single(id(2), hash, sig));
  CHECK_FALSE(verify_single(id(1), hash_of("another"), sig));
  CHECK_FALSE(verify_single(id(1), hash, key(1).sign_octets(hash.view())));
}

TEST_CASE("the root of a batch is that of RFC 6962, and the signature is over context, signer, count and root") {
  for (auto n : batch_sizes()) {
    CAPTURE(n);
    const auto hashes = messages(n);
    const auto batch = sign(key(1), hashes);
    REQUIRE(batch.salts.size() == n);
    CHECK(batch.root == tree_hash(hashes, batch.salts));
    CHECK(verify_octets(id(1), batch_statement(id(1), static_cast<std::uint32_t>(n), batch.root), batch.signature));
    CHECK(verify_batch(id(1), hashes, batch.salts, batch.signature));
  }
}

TEST_CASE("every message of a batch verifies by its proof alone") {
  for (auto n : batch_sizes()) {
    CAPTURE(n);
    const auto hashes = messages(n);
    const auto batch = sign(key(1), hashes);
    const auto proofs = prove_all(batch, hashes);
    REQUIRE(proofs.size() == n);
    for (std::size_t i = 0; i < n; ++i) {
      CAPTURE(i);
      CHECK(proofs[i].path.size() <= batch_path_max);
      CHECK(verify_proof(id(1), hashes[i], proofs[i]));
      if (n <= 33 || i % 100 == 0) CHECK(prove(batch, hashes, i) == proofs[i]);
    }
  }
}

TEST_CASE("a proof is good for its own index, count, salt, message and signer only") {
  for (std::size_t n = 2; n <= 33; ++n) {
    CAPTURE(n);
    const auto hashes = messages(n);
    const auto batch = sign(key(1), hashes);
    for (const auto& proof : prove_all(batch, hashes)) {
      const auto& hash = hashes[proof.index];
      for (std::uint32_t other = 0; other <= n; ++other) {
        auto moved = proof;
        moved.index = other;
        if (other != proof.index) CHECK_FALSE(verify_proof(id(1), hash, moved));
      }
      for (std::uint32_t other : {proof.count - 1, proof.count + 1, 2 * proof.count, 0U, 1U, 1025U}) {
        auto resized = proof;
        resized.count = other;
        CHECK_FALSE(verify_proof(id(1), hash, resized));
      }
      auto salted = proof;
      salted.salt[15] ^= std::byte{1};
      CHECK(verify_proof(id(1), hash, salted).code() == errc::bad_signature);
      CHECK(verify_proof(id(1), hashes[(proof.index + 1) % n], proof).code() == errc::bad_signature);
      CHECK(verify_proof(id(2), hash, proof).code() == errc::bad_signature);
    }
  }
}

TEST_CASE("a path that is too long or too short is a bad value") {
  const auto hashes = messages(11);
  const auto batch = sign(key(1), hashes);
  for (const auto& proof : prove_all(batch, hashes)) {
    auto longer = proof;
    longer.path.push_back(digest{});
    CHECK(verify_proof(id(1), hashes[proof.index], longer).code() == errc::bad_value);
    auto shorter = proof;
    shorter.path.pop_back();
    CHECK(verify_proof(id(1), hashes[proof.index], shorter).code() == errc::bad_value);
  }
  auto proof = prove(batch, hashes, 3);
  for (auto [count, index] :
       {std::pair{1U, 0U}, {0U, 0U}, {1025U, 0U}, {11U, 11U}, {11U, 0xffffffffU}, {0xffffffffU, 3U}}) {
    proof.count = count;
    proof.index = index;
    CHECK(verify_proof(id(1), hashes[3], proof).code() == errc::bad_value);
  }
}

TEST_CASE("a whole batch does not verify when anything in it changed") {
  const auto hashes = messages(7);
  const auto batch = sign(key(1), hashes);
  const auto check = [&](const identity& signer, std::vector<digest> h, std::vector<batch_salt> s) {
    return verify_batch(signer, h, s, batch.signature).code();
  };
  CHECK(check(id(1), hashes, batch.salts) == errc::none);
  CHECK(check(id(2), hashes, batch.salts) == errc::bad_signature);
  auto swapped = hashes;
  std::swap(swapped[0], swapped[1]);
  CHECK(check(id(1), swapped, batch.salts) == errc::bad_signature);
  auto salts = batch.salts;
  salts[6][0] ^= std::byte{1};
  CHECK(check(id(1), hashes, salts) == errc::bad_signature);
  salts = batch.salts;
  salts.pop_back();
  CHECK(check(id(1), hashes, salts) == errc::bad_value);
  auto fewer = hashes;
  fewer.pop_back();
  CHECK(check(id(1), fewer, batch.salts) == errc::bad_value);
  CHECK(check(id(1), fewer, salts) == errc::bad_signature);
}

TEST_CASE("batches of no, one or too many messages are refused before any work") {
  for (std::size_t n : {0, 1, 1025}) {
    CHECK(verify_batch(id(1), messages(n), std::vector<batch_salt>(n), {}).code() == errc::bad_value);
  }
}

TEST_CASE("an honest signature over a batch of one does not pass as a batch") {
  // What an implementation without the lower bound would sign and accept.
  const auto hash = hash_of("message");
  const std::vector hashes{hash};
  const std::vector salts{batch_salt{}};
  const auto sig = key(1).sign_octets(batch_statement(id(1), 1, tree_hash(hashes, salts)));
  CHECK(verify_batch(id(1), hashes, salts, sig).code() == errc::bad_value);
  CHECK(verify_proof(id(1), hash, batch_proof{1, 0, {}, {}, sig}).code() == errc::bad_value);
  CHECK_FALSE(verify_single(id(1), hash, sig));
}

TEST_CASE("single and batch signatures do not stand in for each other") {
  const auto hashes = messages(2);
  const auto single = sign_single(key(1), hashes[0]);
  const auto batch = sign(key(1), hashes);
  CHECK_FALSE(verify_single(id(1), hashes[0], batch.signature));
  CHECK_FALSE(verify_single(id(1), batch.root, batch.signature));
  CHECK_FALSE(verify_batch(id(1), hashes, batch.salts, single));
  auto proof = prove(batch, hashes, 0);
  proof.signature = single;
  CHECK_FALSE(verify_proof(id(1), hashes[0], proof));
}

TEST_CASE("an inner node of the tree does not pass as a message") {
  const auto hashes = messages(4);
  const auto batch = sign(key(1), hashes);
  const auto proof = prove(batch, hashes, 0);
  // The node over the first two leaves, presented as a leaf of a tree of two.
  const batch_proof lifted{2, 0, {}, {proof.path[1]}, batch.signature};
  CHECK(verify_proof(id(1), tree_hash(std::span{hashes}.first(2), std::span{batch.salts}.first(2)), lifted).code() ==
        errc::bad_signature);
}

TEST_CASE("salts hide equal messages from each other") {
  const std::vector<digest> hashes(2, hash_of("yes"));
  const auto batch = sign(key(1), hashes);
  CHECK(batch.salts[0] != batch.salts[1]);
  const auto guess = blake2b_256({unhex("00"), context("hanse-leaf-v1"), batch_salt{}, hashes[1].view()});
  CHECK(prove(batch, hashes, 0).path[0] != guess);
}
