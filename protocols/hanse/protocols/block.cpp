// Blocks: octets, hashes, signatures; see the header.
#include "hanse/protocols/block.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view fork_context = "hanse-fork-v1";

digest read_digest(msgpack_reader& in) {
  digest d;
  const auto octets = in.blob_exactly(digest::size_bytes);
  if (in.good()) std::ranges::copy(octets, d.octets.begin());
  return d;
}

signature_octets read_signature(msgpack_reader& in) {
  signature_octets s{};
  const auto octets = in.blob_exactly(s.size());
  if (in.good()) std::ranges::copy(octets, s.begin());
  return s;
}

void read_context(msgpack_reader& in, std::string_view context) {
  if (in.text(32) != context) in.fail(errc::bad_version);
}

} // namespace

bytes encode(const block_header& h) {
  msgpack_writer out;
  out.array(7);
  out.text(block_context);
  out.blob(h.domain.wire());
  out.blob(h.creator.wire());
  out.unsigned_integer(h.seq);
  if (h.self_prev) {
    out.blob(h.self_prev->view());
  } else {
    out.nil();
  }
  out.array(h.preds.size());
  for (const auto& p : h.preds) out.blob(p.view());
  out.blob(h.payload_hash.view());
  return std::move(out).take();
}

expected<block_header> decode_block_header(byte_view wire) {
  msgpack_reader in{wire, block_header_max};
  block_header h;
  const auto fields = in.array(codec_tokens_max);
  read_context(in, block_context);
  if (fields != 7) in.fail(errc::bad_value);
  h.domain = internal::read_identity(in);
  h.creator = internal::read_identity(in);
  h.seq = in.unsigned_integer(wire_number_max);
  if (!in.nil()) h.self_prev = read_digest(in);
  h.preds.resize(in.array(block_preds_max));
  for (auto& p : h.preds) p = read_digest(in);
  h.payload_hash = read_digest(in);
  HANSE_CHECK(in.finish());
  if (h.creator.kind() != identity_kind::individual) return error{errc::bad_value, "a group creates no blocks"};
  if (h.seq == 0 || (h.seq == 1) != !h.self_prev) return error{errc::bad_value, "own predecessor does not fit the seq"};
  if (std::ranges::adjacent_find(h.preds, std::greater_equal<>{}) != h.preds.end())
    return error{errc::bad_value, "pointers do not ascend"};
  if (h.self_prev && std::ranges::binary_search(h.preds, *h.self_prev))
    return error{errc::bad_value, "own predecessor twice"};
  return h;
}

block make_block(const key_pair& creator, block_header header, byte_view payload) {
  assert(payload.size() <= block_payload_max && header.preds.size() <= block_preds_max);
  header.creator = creator.identity();
  header.payload_hash = blake2b_256(payload);
  const auto octets = encode(header);
  const auto id = id_of(octets);
  msgpack_writer out;
  out.array(3);
  out.blob(octets);
  const auto signature = sign_single(creator, id);
  out.blob(signature);
  out.blob(payload);
  auto made = decode_block(shared_bytes{std::move(out).take()});
  assert(made);
  return *std::move(made);
}

bytes strip_payload(const block& b) {
  msgpack_writer out;
  out.array(3);
  out.blob(b.header_octets);
  out.blob(b.signature);
  out.nil();
  return std::move(out).take();
}

expected<block> decode_block(shared_bytes wire) {
  msgpack_reader in{wire.view(), block_size_max};
  block b;
  in.array_exactly(3);
  b.header_octets = in.blob(block_header_max);
  b.signature = read_signature(in);
  b.bare = in.nil();
  if (!b.bare) b.payload = in.blob(block_payload_max);
  HANSE_CHECK(in.finish());
  HANSE_TRY(auto header, decode_block_header(b.header_octets));
  b.header = std::move(header);
  if (!b.bare && blake2b_256(b.payload) != b.header.payload_hash)
    return error{errc::bad_checksum, "another payload than the header's"};
  b.id = id_of(b.header_octets);
  b.wire = std::move(wire);
  return b;
}

bool verify_signature(const block& b) noexcept {
  return verify_single(b.header.creator, b.id, b.signature);
}

equivocation_proof prove_equivocation(const block& a, const block& b) {
  assert(a.header.creator == b.header.creator && a.header.seq == b.header.seq && a.id != b.id);
  const auto& [x, y] = a.id < b.id ? std::tie(a, b) : std::tie(b, a);
  return {to_bytes(x.header_octets), to_bytes(y.header_octets), x.signature, y.signature};
}

bytes encode(const equivocation_proof& p) {
  msgpack_writer out;
  out.array(5);
  out.text(fork_context);
  out.blob(p.first);
  out.blob(p.first_signature);
  out.blob(p.second);
  out.blob(p.second_signature);
  return std::move(out).take();
}

expected<equivocation_proof> decode_equivocation_proof(byte_view wire) {
  msgpack_reader in{wire, 2 * block_header_max + 256};
  equivocation_proof p;
  in.array_exactly(5);
  read_context(in, fork_context);
  p.first = to_bytes(in.blob(block_header_max));
  p.first_signature = read_signature(in);
  p.second = to_bytes(in.blob(block_header_max));
  p.second_signature = read_signature(in);
  HANSE_CHECK(in.finish());
  return p;
}

expected<identity> verify(const equivocation_proof& p, const identity& domain) {
  HANSE_TRY(const auto a, decode_block_header(p.first));
  HANSE_TRY(const auto b, decode_block_header(p.second));
  const auto first = id_of(p.first);
  const auto second = id_of(p.second);
  if (first >= second) return error{errc::bad_value, "not two blocks in order"};
  if (a.domain != domain || b.domain != domain) return error{errc::bad_value, "of another domain"};
  if (a.creator != b.creator || a.seq != b.seq) return error{errc::bad_value, "no equivocation"};
  if (!verify_single(a.creator, first, p.first_signature) || !verify_single(b.creator, second, p.second_signature))
    return errc::bad_signature;
  return a.creator;
}

} // namespace hanse
