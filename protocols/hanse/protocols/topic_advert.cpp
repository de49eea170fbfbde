// Topic adverts: payload and signature in one array, under the context of all adverts. Layout: docs/topics.md.
#include "hanse/protocols/topic_advert.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint8_t topic_advert_version = 1;
constexpr std::size_t topic_field_count = 8;
constexpr std::string_view topic_kind = "topic-advert";
constexpr std::string_view advert_context = "hanse-advert-v1"; // the kind, within, keeps adverts apart

/// Octets around the payload with the signature of one key: array 1, lengths 3 and 2, signature 65.
constexpr std::size_t single_overhead = 71;

digest hash_of(byte_view payload) {
  return blake2b_256({as_byte_view(advert_context), payload});
}

bool has_controls(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return true;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
  }
  return false;
}

template <class T>
bool strictly_ascending(const std::vector<T>& values) {
  return std::ranges::adjacent_find(values, [](const T& a, const T& b) { return !(a < b); }) == values.end();
}

expected<unit> check_fields(const topic_advert& a) {
  if (!a.topic) return error{errc::bad_value, "no topic"};
  if (!a.domain) return error{errc::bad_value, "no domain"};
  if (a.version > wire_number_max) return error{errc::bad_value, "advert version"};
  if (a.name.size() > advert_name_size_max) return error{errc::too_long, "name"};
  if (!is_utf8(a.name) || has_controls(a.name)) return error{errc::bad_value, "name"};
  if (a.tags.size() > topic_tags_max) return error{errc::too_long, "tags"};
  if (!std::ranges::all_of(a.tags, is_topic_tag)) return error{errc::bad_value, "tag"};
  if (a.publishers.size() > topic_publishers_max) return error{errc::too_long, "publishers"};
  if (std::ranges::any_of(a.publishers, &identity::is_none)) return error{errc::bad_value, "publisher"};
  if (!strictly_ascending(a.tags) || !strictly_ascending(a.publishers)) return errc::not_canonical;
  return ok();
}

bytes payload_of(const topic_advert& a) {
  msgpack_writer out;
  out.array(topic_field_count);
  out.text(topic_kind);
  out.unsigned_integer(topic_advert_version);
  out.blob(a.topic.wire());
  out.unsigned_integer(a.version);
  out.blob(a.domain.wire());
  out.text(a.name);
  out.array(a.tags.size());
  for (const auto& tag : a.tags) out.text(tag);
  out.array(a.publishers.size());
  for (const auto& publisher : a.publishers) out.blob(publisher.wire());
  return std::move(out).take();
}

void read_fields(msgpack_reader& in, topic_advert& a) {
  const auto count = in.array(codec_tokens_max);
  if (in.text(topic_kind.size() + 16) != topic_kind) in.fail(error{errc::bad_type, "another kind of advert"});
  if (in.unsigned_integer() != topic_advert_version) in.fail(errc::bad_version);
  if (count != topic_field_count) in.fail(errc::bad_value);
  a.topic = internal::read_checked_identity(in);
  a.version = in.unsigned_integer(wire_number_max);
  a.domain = internal::read_checked_identity(in);
  a.name = in.text(advert_name_size_max);
  for (auto left = in.array(topic_tags_max); left > 0 && in.good(); --left)
    a.tags.emplace_back(in.text(topic_tag_size_max));
  for (auto left = in.array(topic_publishers_max); left > 0 && in.good(); --left)
    a.publishers.push_back(internal::read_checked_identity(in));
}

bytes join(byte_view payload, const message_signature& signature) {
  msgpack_writer out;
  out.array(2);
  out.blob(payload);
  out.blob(encode(signature));
  assert(out.size() <= advert_size_max);
  return std::move(out).take();
}

} // namespace

bool is_topic_tag(std::string_view text) noexcept {
  return text.size() <= topic_tag_size_max && is_protocol_name(text);
}

expected<unit> check(const topic_advert& advert) {
  HANSE_CHECK(check_fields(advert));
  if (payload_of(advert).size() + single_overhead > advert_size_max) return error{errc::too_long, "advert"};
  return ok();
}

signed_topic_advert sign(const topic_advert& advert, const key_pair& key) {
  assert(key.identity() == advert.topic && check(advert));
  return attach(advert, message_signature{sign_single(key, hash_to_sign(advert))});
}

expected<signed_topic_advert> decode_topic_advert(byte_view wire) {
  msgpack_reader in{wire, advert_size_max};
  in.array_exactly(2);
  const auto payload = in.blob(advert_size_max);
  const auto signature_wire = in.blob(advert_size_max);
  HANSE_CHECK(in.finish());
  HANSE_TRY(const auto signature, decode_message_signature(signature_wire));
  signed_topic_advert advert;
  msgpack_reader fields{payload, advert_size_max};
  read_fields(fields, advert.value);
  HANSE_CHECK(fields.finish());
  HANSE_CHECK(check_fields(advert.value));
  HANSE_CHECK(verify(advert.value.topic, hash_of(payload), signature));
  advert.wire = to_bytes(wire);
  return advert;
}

digest hash_to_sign(const topic_advert& advert) {
  return hash_of(payload_of(advert));
}

signed_topic_advert attach(const topic_advert& advert, const message_signature& signature) {
  return {advert, join(payload_of(advert), signature)};
}

bool may_publish(const topic_advert& advert, const identity& publisher, bool by_domain) {
  if (advert.publishers.empty()) return by_domain;
  return std::ranges::binary_search(advert.publishers, publisher);
}

} // namespace hanse
