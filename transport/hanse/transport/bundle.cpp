// The octets of a bundle and its file's name. Not what is kept of bundles (spool.cpp). Layout: docs/transports.md
// "Bundles".
#include "hanse/transport/spool.hpp"

#include "hanse/crypto/sealed_box.hpp"
#include "hanse/crypto/signature.hpp"
#include "hanse/protocols/advert.hpp"
#include "hanse/protocols/codec.hpp"

#include <charconv>

namespace hanse {

namespace {

constexpr std::string_view magic = "HNSB\x01"; // the last octet is the version
constexpr std::string_view box_info = "hanse-bundle-v1";
/// Goes before the fields into the hash that is signed. A message begins with an array, never with a letter: a
/// signature of a bundle is none of a message.
constexpr std::string_view bundle_context = "hanse-bundle-v1";
constexpr std::string_view suffix = ".bundle";
constexpr std::size_t expiry_digits = 11; // 2^44 ms: until the year 2527

bytes encode_fields(const bundle& b) {
  msgpack_writer out;
  out.array(6);
  out.blob(b.sender.wire());
  out.blob(b.recipient.wire());
  out.unsigned_integer(b.created_ms);
  out.unsigned_integer(b.expires_ms);
  out.array(b.adverts.size());
  for (const auto& a : b.adverts) out.blob(a);
  out.blob(b.payload);
  return std::move(out).take();
}

digest hash_of(byte_view fields) {
  return blake2b_256({as_byte_view(bundle_context), fields});
}

bytes aad_for(const identity& recipient) {
  bytes aad = to_bytes(magic);
  append(aad, recipient.wire());
  return aad;
}

expected<identity> read_node(msgpack_reader& in) {
  const auto wire = in.blob_exactly(identity::size_bytes);
  if (!in.good()) return error{errc::bad_value, "identity"};
  HANSE_TRY(auto who, identity::decode(wire));
  if (who.kind() != identity_kind::individual) return error{errc::bad_type, "a node is an individual"};
  return who;
}

expected<unit> check_adverts(const std::vector<bytes>& adverts) {
  std::size_t octets = 0;
  for (const auto& a : adverts) octets += a.size();
  if (adverts.size() > bundle_adverts_max || octets > bundle_adverts_octets_max)
    return error{errc::too_long, "adverts"};
  return ok();
}

expected<bundle> read_fields(byte_view fields) {
  msgpack_reader in{fields};
  bundle b;
  in.array_exactly(6);
  HANSE_TRY(b.sender, read_node(in));
  HANSE_TRY(b.recipient, read_node(in));
  b.created_ms = in.unsigned_integer(wire_number_max);
  b.expires_ms = in.unsigned_integer(wire_number_max);
  const auto adverts = in.array(bundle_adverts_max);
  for (std::size_t i = 0; i < adverts && in.good(); ++i) b.adverts.push_back(to_bytes(in.blob(advert_size_max)));
  b.payload = to_bytes(in.blob(bundle_payload_max));
  HANSE_CHECK(in.finish());
  HANSE_CHECK(check_adverts(b.adverts));
  if (b.payload.empty() || b.expires_ms <= b.created_ms || b.expires_ms - b.created_ms > bundle_life_max_ms)
    return error{errc::bad_value, "bundle"};
  return b;
}

} // namespace

std::string to_string(const bundle_name& name) {
  char hex[17];
  std::snprintf(hex, sizeof hex, "%011llx", static_cast<unsigned long long>(name.expires_ms));
  return to_string(name.recipient) + "." + hex + "." + to_hex(name.file.view()) + std::string{suffix};
}

expected<bundle_name> parse_bundle_name(std::string_view text) {
  const auto first = text.find('.');
  if (first == std::string_view::npos || text.size() != first + 1 + expiry_digits + 1 + 64 + suffix.size() ||
      !text.ends_with(suffix))
    return error{errc::bad_value, "not the name of a bundle"};
  bundle_name out;
  HANSE_TRY(out.recipient, identity::parse(text.substr(0, first)));
  const auto expiry = text.substr(first + 1, expiry_digits);
  const auto [end, ec] = std::from_chars(expiry.data(), expiry.data() + expiry.size(), out.expires_ms, 16);
  HANSE_TRY(const auto hash, from_hex(text.substr(first + 1 + expiry_digits + 1, 64)));
  std::copy(hash.begin(), hash.end(), out.file.octets.begin());
  if (ec != std::errc{} || end != expiry.data() + expiry.size() || to_string(out) != text)
    return error{errc::bad_value, "not the name of a bundle"};
  return out;
}

expected<bundle_file> make_bundle(const key_pair& sender, const identity& recipient, byte_view payload, time_ms now,
                                  time_ms life_ms, random_source& random, const std::vector<bytes>& adverts) {
  if (payload.size() > bundle_payload_max) return errc::too_long;
  HANSE_CHECK(check_adverts(adverts));
  if (payload.empty() || life_ms == 0 || life_ms > bundle_life_max_ms) return errc::bad_value;
  const auto fields = encode_fields({sender.identity(), recipient, now, now + life_ms, to_bytes(payload), adverts, {}});
  msgpack_writer out;
  out.array(2);
  out.blob(fields);
  out.blob(sign_single(sender, hash_of(fields)));
  HANSE_TRY(const auto box, seal(recipient, as_byte_view(box_info), aad_for(recipient), out.view(), random));
  bundle_file file;
  file.octets = to_bytes(magic);
  append(file.octets, box);
  file.name = {recipient, now + life_ms, blake2b_256(file.octets)};
  return file;
}

expected<bundle> open_bundle(const key_pair& recipient, byte_view octets) {
  if (octets.size() > bundle_size_max) return errc::too_long;
  if (octets.size() < magic.size()) return errc::truncated;
  if (!equal(octets.first(magic.size()), as_byte_view(magic))) return errc::bad_version;
  HANSE_TRY(const auto plain,
            open(recipient, as_byte_view(box_info), aad_for(recipient.identity()), octets.subspan(magic.size())));
  msgpack_reader in{plain};
  in.array_exactly(2);
  const auto fields = in.blob(bundle_size_max);
  const auto sig = in.blob_exactly(std::tuple_size_v<signature_octets>);
  HANSE_CHECK(in.finish());
  HANSE_TRY(auto b, read_fields(fields));
  // A recipient could seal what it got to somebody else: the signature says for whom it was.
  if (b.recipient != recipient.identity()) return errc::wrong_recipient;
  signature_octets signature;
  std::copy(sig.begin(), sig.end(), signature.begin());
  b.id = hash_of(fields);
  if (!verify_single(b.sender, b.id, signature)) return errc::bad_signature;
  return b;
}

} // namespace hanse
