// Adverts: payload and signature in one array, the signature over a hash under a context of its own.
// Not the store (advert_store.cpp) and not tickets (ticket.cpp). Layout: docs/wire.md.
#include "hanse/protocols/advert.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint8_t advert_version = 1;
constexpr std::size_t advert_field_count = 7;
constexpr std::string_view node_kind = "node-advert";
constexpr std::string_view engine_kind = "engine-advert";

/// Goes before the payload into the hash that is signed. A message begins with an array, never with a letter: a
/// signature of an advert is none of a message, and the other way round.
constexpr std::string_view advert_context = "hanse-advert-v1";

/// Octets around the payload with the signature of one key: array 1, lengths 3 and 2, signature 65.
constexpr std::size_t single_overhead = 71;

digest hash_of(byte_view payload) {
  return blake2b_256({as_byte_view(advert_context), payload});
}

bool is_address(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// Whether `text`, which is UTF-8, has control characters: U+0000..U+001F and U+007F..U+009F.
bool has_controls(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

expected<unit> check_common(std::uint64_t version, const std::vector<protocol_id>& protocols, std::string_view name) {
  if (version > wire_number_max) return error{errc::bad_value, "advert version"};
  if (protocols.size() > protocol_count_max) return error{errc::too_long, "protocols"};
  for (const auto& p : protocols)
    if (!is_protocol_name(p.name)) return error{errc::bad_value, "protocol name"};
  if (name.size() > advert_name_size_max) return error{errc::too_long, "name"};
  if (!is_utf8(name) || has_controls(name)) return error{errc::bad_value, "name"};
  return ok();
}

/// The rules for the fields, without the size of the whole.
expected<unit> check_fields(const node_advert& a) {
  if (a.node.kind() != identity_kind::individual) return error{errc::bad_type, "a node is an individual"};
  if (a.addresses.size() > advert_addresses_max) return error{errc::too_long, "addresses"};
  for (const auto& address : a.addresses) {
    if (address.address.size() > transport_address_size_max) return error{errc::too_long, "address"};
    if (!is_address(address.address)) return error{errc::bad_value, "address"};
  }
  return check_common(a.version, a.protocols, a.name);
}

expected<unit> check_fields(const engine_advert& a) {
  if (!a.engine) return error{errc::bad_value, "no engine"};
  if (a.node.kind() != identity_kind::individual) return error{errc::bad_type, "a node is an individual"};
  return check_common(a.version, a.protocols, a.name);
}

void write_protocols(msgpack_writer& out, const std::vector<protocol_id>& protocols) {
  out.array(protocols.size());
  for (const auto& p : protocols) write(out, p);
}

std::vector<protocol_id> read_protocols(msgpack_reader& in) {
  std::vector<protocol_id> protocols;
  const auto count = in.array(protocol_count_max);
  protocols.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) protocols.push_back(read_protocol_id(in));
  return protocols;
}

bytes payload_of(const node_advert& a) {
  msgpack_writer out;
  out.array(advert_field_count);
  out.text(node_kind);
  out.unsigned_integer(advert_version);
  out.blob(a.node.wire());
  out.unsigned_integer(a.version);
  out.array(a.addresses.size());
  for (const auto& address : a.addresses) {
    out.array(2);
    out.text(address.address);
    out.unsigned_integer(address.weight);
  }
  write_protocols(out, a.protocols);
  out.text(a.name);
  return std::move(out).take();
}

bytes payload_of(const engine_advert& a) {
  msgpack_writer out;
  out.array(advert_field_count);
  out.text(engine_kind);
  out.unsigned_integer(advert_version);
  out.blob(a.engine.wire());
  out.blob(a.node.wire());
  out.unsigned_integer(a.version);
  write_protocols(out, a.protocols);
  out.text(a.name);
  return std::move(out).take();
}

/// Kind, then version, then the number of fields: so that what this build does not know is named by the right error.
void read_head(msgpack_reader& in, std::string_view kind) {
  const auto count = in.array(codec_tokens_max);
  if (in.text(kind.size() + 16) != kind) in.fail(error{errc::bad_type, "another kind of advert"});
  if (in.unsigned_integer() != advert_version) in.fail(errc::bad_version);
  if (count != advert_field_count) in.fail(errc::bad_value);
}

void read_fields(msgpack_reader& in, node_advert& a) {
  read_head(in, node_kind);
  a.node = internal::read_checked_identity(in);
  a.version = in.unsigned_integer(wire_number_max);
  const auto count = in.array(advert_addresses_max);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(2);
    weighted_address address{std::string{in.text(transport_address_size_max)}};
    address.weight = static_cast<std::uint16_t>(in.unsigned_integer(UINT16_MAX));
    a.addresses.push_back(std::move(address));
  }
  a.protocols = read_protocols(in);
  a.name = in.text(advert_name_size_max);
}

void read_fields(msgpack_reader& in, engine_advert& a) {
  read_head(in, engine_kind);
  a.engine = internal::read_checked_identity(in);
  a.node = internal::read_checked_identity(in);
  a.version = in.unsigned_integer(wire_number_max);
  a.protocols = read_protocols(in);
  a.name = in.text(advert_name_size_max);
}

const identity& subject_of(const node_advert& a) {
  return a.node;
}

const identity& subject_of(const engine_advert& a) {
  return a.engine;
}

bytes join(byte_view payload, const message_signature& signature) {
  msgpack_writer out;
  out.array(2);
  out.blob(payload);
  out.blob(encode(signature));
  assert(out.size() <= advert_size_max);
  return std::move(out).take();
}

template <class Advert>
expected<unit> check_all(const Advert& advert) {
  HANSE_CHECK(check_fields(advert));
  if (payload_of(advert).size() + single_overhead > advert_size_max) return error{errc::too_long, "advert"};
  return ok();
}

template <class Advert>
signed_advert<Advert> sign_advert(const Advert& advert, const key_pair& key) {
  assert(key.identity() == subject_of(advert) && check_all(advert));
  const auto payload = payload_of(advert);
  return {advert, join(payload, message_signature{sign_single(key, hash_of(payload))})};
}

template <class Advert>
expected<signed_advert<Advert>> decode_advert(byte_view wire) {
  msgpack_reader in{wire, advert_size_max};
  in.array_exactly(2);
  const auto payload = in.blob(advert_size_max);
  const auto signature_wire = in.blob(advert_size_max);
  HANSE_CHECK(in.finish());
  HANSE_TRY(const auto signature, decode_message_signature(signature_wire));
  signed_advert<Advert> advert;
  msgpack_reader fields{payload, advert_size_max};
  read_fields(fields, advert.value);
  HANSE_CHECK(fields.finish());
  HANSE_CHECK(check_fields(advert.value));
  HANSE_CHECK(verify(subject_of(advert.value), hash_of(payload), signature));
  advert.wire = to_bytes(wire);
  return advert;
}

} // namespace

expected<unit> check(const node_advert& advert) {
  return check_all(advert);
}

expected<unit> check(const engine_advert& advert) {
  return check_all(advert);
}

signed_node_advert sign(const node_advert& advert, const key_pair& key) {
  return sign_advert(advert, key);
}

signed_engine_advert sign(const engine_advert& advert, const key_pair& key) {
  return sign_advert(advert, key);
}

digest hash_to_sign(const engine_advert& advert) {
  return hash_of(payload_of(advert));
}

signed_engine_advert attach(const engine_advert& advert, const message_signature& signature) {
  return {advert, join(payload_of(advert), signature)};
}

expected<signed_node_advert> decode_node_advert(byte_view wire) {
  return decode_advert<node_advert>(wire);
}

expected<signed_engine_advert> decode_engine_advert(byte_view wire) {
  return decode_advert<engine_advert>(wire);
}

bytes encode_adverts(std::span<const bytes> wires) {
  msgpack_writer out;
  out.array(wires.size());
  for (auto& wire : wires) out.blob(wire);
  return std::move(out).take();
}

expected<std::vector<bytes>> decode_adverts(byte_view payload) {
  msgpack_reader in{payload};
  std::vector<bytes> wires;
  for (auto left = in.array(adverts_in_frame_max); left > 0 && in.good(); --left)
    wires.push_back(to_bytes(in.blob(advert_size_max)));
  HANSE_CHECK(in.finish());
  return wires;
}

} // namespace hanse
