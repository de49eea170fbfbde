// The messages of blocks/1 as canonical msgpack. See the header and docs/blocks.md.
#include "hanse/domains/block_message.hpp"

#include "hanse/domains/storage_receipt.hpp"
#include "hanse/protocols/codec.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t message_version = 1;
constexpr std::size_t field_counts[] = {3, 4, 3, 4, 7, 5, 5}; // with kind and version, in the order of block_message

void write_names(msgpack_writer& out, const std::vector<digest>& names) {
  out.array(names.size());
  for (const auto& n : names) out.blob(n.view());
}

digest read_name(msgpack_reader& in) {
  const auto octets = in.blob_exactly(digest::size_bytes);
  digest d;
  if (in.good()) std::ranges::copy(octets, d.octets.begin());
  return d;
}

std::vector<digest> read_names(msgpack_reader& in, std::size_t max) {
  std::vector<digest> names;
  const auto count = in.array(max);
  names.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) names.push_back(read_name(in));
  return names;
}

void write_fields(msgpack_writer& out, const blocks_get& m) {
  write_names(out, m.names);
}

void write_fields(msgpack_writer& out, const blocks_answer& m) {
  out.array(2 * m.blocks.size());
  for (const auto& b : m.blocks) {
    out.blob(b.name.view());
    out.blob(b.octets);
  }
  write_names(out, m.missing);
}

void write_fields(msgpack_writer& out, const blocks_ask& m) {
  write_names(out, m.names);
}

void write_fields(msgpack_writer& out, const blocks_presence& m) {
  write_names(out, m.have);
  write_names(out, m.missing);
}

void write_fields(msgpack_writer& out, const blocks_search& m) {
  out.unsigned_integer(m.nonce);
  out.blob(m.asker.wire());
  out.unsigned_integer(m.ttl);
  if (m.topic)
    out.blob(m.topic->wire());
  else
    out.nil();
  write_names(out, m.names);
}

void write_fields(msgpack_writer& out, const blocks_put& m) {
  out.unsigned_integer(m.id);
  out.unsigned_integer(m.until);
  out.array(m.blocks.size());
  for (const auto& b : m.blocks) out.blob(b);
}

void write_fields(msgpack_writer& out, const blocks_stored& m) {
  out.unsigned_integer(m.id);
  out.unsigned_integer(static_cast<std::uint8_t>(m.code));
  out.blob(m.receipt);
}

identity read_identity(msgpack_reader& in) {
  const auto octets = in.blob_exactly(identity::size_bytes);
  if (!in.good()) return {};
  auto id = identity::decode_unchecked(octets); // only compared with the identities of members
  if (id) return *id;
  in.fail(id.error());
  return {};
}

blocks_answer read_answer(msgpack_reader& in) {
  blocks_answer m;
  const auto count = in.array(2 * message_blocks_max);
  if (count % 2 != 0) in.fail(errc::bad_value);
  for (std::size_t i = 0; i < count && in.good(); i += 2) {
    const auto name = read_name(in);
    m.blocks.push_back({name, in.blob(stored_block_size_max)});
  }
  m.missing = read_names(in, block_names_max);
  return m;
}

blocks_search read_search(msgpack_reader& in) {
  blocks_search m;
  m.nonce = in.unsigned_integer();
  m.asker = read_identity(in);
  m.ttl = static_cast<std::uint8_t>(in.unsigned_integer(search_ttl_max));
  if (m.ttl == 0) in.fail(errc::bad_value);
  if (!in.nil()) m.topic = read_identity(in);
  m.names = read_names(in, search_names_max);
  return m;
}

blocks_put read_put(msgpack_reader& in) {
  blocks_put m;
  m.id = in.unsigned_integer(wire_number_max);
  m.until = in.unsigned_integer(wire_number_max);
  const auto count = in.array(message_blocks_max);
  if (count == 0) in.fail(errc::bad_value);
  for (std::size_t i = 0; i < count && in.good(); ++i) m.blocks.push_back(in.blob(stored_block_size_max));
  return m;
}

blocks_stored read_stored(msgpack_reader& in) {
  blocks_stored m;
  m.id = in.unsigned_integer(wire_number_max);
  const auto code = static_cast<std::uint8_t>(in.unsigned_integer(UINT8_MAX));
  m.code =
      is_known_errc(code) ? static_cast<errc>(code) : errc::internal; // a later build's: refused, whatever the reason
  m.receipt = in.blob(receipt_size_max);
  return m;
}

block_message read_fields(msgpack_reader& in, std::uint64_t kind) {
  switch (kind) {
  case 0:
    return blocks_get{read_names(in, block_names_max)};
  case 1:
    return read_answer(in);
  case 2:
    return blocks_ask{read_names(in, block_names_max)};
  case 3: {
    blocks_presence m;
    m.have = read_names(in, block_names_max);
    m.missing = read_names(in, block_names_max);
    return m;
  }
  case 4:
    return read_search(in);
  case 5:
    return read_put(in);
  default:
    return read_stored(in);
  }
}

} // namespace

bytes encode(const block_message& m) {
  std::size_t octets = 0; // reserved at once: a full message would be copied ten times while it grows
  if (const auto* answer = std::get_if<blocks_answer>(&m))
    for (const auto& b : answer->blocks) octets += b.octets.size() + 64;
  if (const auto* put = std::get_if<blocks_put>(&m))
    for (const auto& b : put->blocks) octets += b.size() + 64;
  bytes buffer;
  buffer.reserve(octets + 64);
  msgpack_writer out{std::move(buffer)};
  out.array(field_counts[m.index()]);
  out.unsigned_integer(m.index());
  out.unsigned_integer(message_version);
  std::visit([&out](const auto& fields) { write_fields(out, fields); }, m);
  assert(out.size() <= body_size_max);
  return std::move(out).take();
}

expected<block_message> decode_block_message(byte_view body) {
  msgpack_reader in{body, body_size_max};
  const auto fields = in.array(codec_tokens_max);
  const auto kind = in.unsigned_integer(std::variant_size_v<block_message> - 1);
  if (in.unsigned_integer() != message_version) in.fail(errc::bad_version);
  if (fields != field_counts[kind]) in.fail(errc::bad_value);
  if (!in.good()) return in.finish().error();
  auto m = read_fields(in, kind);
  HANSE_CHECK(in.finish());
  return m;
}

} // namespace hanse
