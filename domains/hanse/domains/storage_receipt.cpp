// Storage receipts: octets and signature. See the header.
#include "hanse/domains/storage_receipt.hpp"

#include "hanse/protocols/codec.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t receipt_version = 1;
constexpr std::string_view receipt_context =
    "hanse-storage-receipt-v1"; // a message begins with an array, never a letter

/// What is signed: everything but the signature, which is appended to the same array.
bytes signed_part(const storage_receipt& r) {
  msgpack_writer out;
  out.array(6);
  out.unsigned_integer(receipt_version);
  out.blob(r.domain.wire());
  out.blob(r.storer.wire());
  out.unsigned_integer(r.until);
  out.array(r.blocks.size());
  for (const auto& b : r.blocks) out.blob(b.view());
  return std::move(out).take();
}

digest hash_of(const storage_receipt& r) {
  return blake2b_256({as_byte_view(receipt_context), signed_part(r)});
}

} // namespace

storage_receipt sign_receipt(const key_pair& key, const identity& domain, time_ms until, std::vector<digest> blocks) {
  assert(!blocks.empty() && blocks.size() <= receipt_blocks_max);
  std::ranges::sort(blocks);
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  storage_receipt r{domain, key.identity(), until, std::move(blocks), {}};
  r.signature = sign_single(key, hash_of(r));
  return r;
}

bytes encode(const storage_receipt& r) {
  auto out = msgpack_writer::appending_to(signed_part(r));
  out.blob(r.signature);
  return std::move(out).take();
}

expected<storage_receipt> decode_receipt(byte_view wire) {
  const auto read_id = [](msgpack_reader& in) -> identity {
    const auto octets = in.blob_exactly(identity::size_bytes);
    if (!in.good()) return {};
    auto id = identity::decode_unchecked(octets); // the storer's key is checked with the signature
    if (id) return *id;
    in.fail(id.error());
    return {};
  };
  msgpack_reader in{wire, receipt_size_max};
  storage_receipt r;
  const auto fields = in.array(codec_tokens_max);
  if (in.unsigned_integer() != receipt_version) in.fail(errc::bad_version);
  if (fields != 6) in.fail(errc::bad_value);
  r.domain = read_id(in);
  r.storer = read_id(in);
  r.until = in.unsigned_integer(wire_number_max);
  auto left = in.array(receipt_blocks_max);
  if (left == 0) in.fail(errc::bad_value);
  for (; left > 0 && in.good(); --left) {
    const auto octets = in.blob_exactly(digest::size_bytes);
    if (!in.good()) break;
    digest d;
    std::ranges::copy(octets, d.octets.begin());
    if (!r.blocks.empty() && d <= r.blocks.back()) in.fail(errc::not_canonical);
    r.blocks.push_back(d);
  }
  const auto signature = in.blob_exactly(r.signature.size());
  HANSE_CHECK(in.finish());
  std::ranges::copy(signature, r.signature.begin());
  if (r.storer.kind() != identity_kind::individual) return error{errc::bad_type, "a storer is a node"};
  if (!verify_single(r.storer, hash_of(r), r.signature)) return errc::bad_signature;
  return r;
}

} // namespace hanse
