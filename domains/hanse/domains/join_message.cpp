// Bodies of "hanse.join/1.0": arrays that begin with kind, format version, domain and nonce.
// Not what they mean (join_introducer.cpp, join_requester.cpp).
#include "hanse/domains/join_message.hpp"

#include "hanse/domains/internal/overloaded.hpp"

#include "hanse/domains/internal/fields.hpp"

namespace hanse {

namespace {

constexpr std::uint64_t format_version = 1;

/// What follows kind, format version, domain and nonce.
void write_rest(msgpack_writer& out, const join_body& body) {
  std::visit(overloaded{[&](const join_request& b) {
                          out.unsigned_integer(b.version);
                          out.text(b.instance);
                        },
                        [&](const join_challenge& b) { out.blob(b.challenge); },
                        [&](const join_answer& b) { out.blob(b.proof); },
                        [&](const join_accept& b) {
                          out.unsigned_integer(b.level);
                          b.proof ? out.blob(*b.proof) : out.nil();
                          out.blob(b.advert);
                          out.array(b.adverts.size());
                          for (const auto& a : b.adverts) out.blob(a);
                        },
                        [&](const join_refuse& b) {
                          out.unsigned_integer(static_cast<std::uint8_t>(b.code));
                          out.text(b.detail);
                          out.unsigned_integer(b.retry_after_ms);
                          out.blob(b.advert);
                        },
                        [](const leave_request&) {}, [](const leave_done&) {}},
             body);
}

/// The number of fields by kind, which is the index in the variant and one more.
constexpr std::array<std::size_t, std::variant_size_v<join_body>> field_counts{6, 5, 5, 8, 8, 4, 4};

template <class Body>
Body begin(const identity& domain, const join_nonce& nonce) {
  Body b;
  b.domain = domain;
  b.nonce = nonce;
  return b;
}

join_request read_request(msgpack_reader& in, join_request b) {
  b.version = in.unsigned_integer(wire_number_max);
  b.instance = in.text(protocol_name_size_max);
  if (!b.instance.empty() && !is_protocol_name(b.instance)) in.fail(error{errc::bad_value, "name of an instance"});
  return b;
}

join_accept read_accept(msgpack_reader& in, join_accept b) {
  b.level = static_cast<member_level>(in.unsigned_integer(level_lowest));
  if (b.level == level_owner) in.fail(error{errc::bad_value, "nobody joins as the owner"});
  if (!in.nil()) b.proof = internal::read_octets<mac_size>(in);
  b.advert = to_bytes(in.blob(domain_advert_size_max));
  const auto count = in.array(join_adverts_max);
  for (std::size_t i = 0; i < count && in.good(); ++i) b.adverts.push_back(to_bytes(in.blob(advert_size_max)));
  return b;
}

join_refuse read_refuse(msgpack_reader& in, join_refuse b) {
  b.code = static_cast<errc>(in.unsigned_integer(UINT8_MAX));
  if (b.code == errc::none) in.fail(errc::bad_value);
  b.detail = in.text(join_detail_size_max);
  if (!internal::is_plain_text(b.detail)) in.fail(error{errc::bad_value, "text of a refusal"});
  b.retry_after_ms = static_cast<std::uint32_t>(in.unsigned_integer(join_retry_after_max_ms));
  b.advert = to_bytes(in.blob(domain_advert_size_max));
  return b;
}

join_body read_body(msgpack_reader& in, std::size_t kind, const identity& domain, const join_nonce& nonce) {
  switch (kind) {
  case 1:
    return read_request(in, begin<join_request>(domain, nonce));
  case 2: {
    auto b = begin<join_challenge>(domain, nonce);
    b.challenge = internal::read_octets<sizeof(join_nonce)>(in);
    return b;
  }
  case 3: {
    auto b = begin<join_answer>(domain, nonce);
    b.proof = internal::read_octets<mac_size>(in);
    return b;
  }
  case 4:
    return read_accept(in, begin<join_accept>(domain, nonce));
  case 5:
    return read_refuse(in, begin<join_refuse>(domain, nonce));
  case 6:
    return begin<leave_request>(domain, nonce);
  default:
    return begin<leave_done>(domain, nonce);
  }
}

} // namespace

const protocol_id& join_protocol() {
  static const protocol_id p{"hanse.join", 1, 0};
  return p;
}

bytes encode(const join_body& body) {
  msgpack_writer out;
  out.array(field_counts[body.index()]);
  out.unsigned_integer(body.index() + 1);
  out.unsigned_integer(format_version);
  std::visit(
      [&](const auto& b) {
        out.blob(b.domain.wire());
        out.blob(b.nonce);
      },
      body);
  write_rest(out, body);
  return std::move(out).take();
}

expected<join_body> decode_join_body(byte_view wire) {
  msgpack_reader in{wire, join_body_size_max};
  const auto count = in.array(codec_tokens_max);
  const auto kind = static_cast<std::size_t>(in.unsigned_integer(UINT8_MAX));
  if (in.good() && (kind < 1 || kind > field_counts.size())) in.fail(error{errc::bad_type, "no kind of join message"});
  if (in.unsigned_integer() != format_version) in.fail(errc::bad_version);
  if (in.good() && count != field_counts[kind - 1]) in.fail(errc::bad_value);
  const auto domain = internal::read_address(in);
  const auto nonce = internal::read_octets<sizeof(join_nonce)>(in);
  if (!in.good()) return in.finish().error();
  auto body = read_body(in, kind, domain, nonce);
  HANSE_CHECK(in.finish());
  return body;
}

} // namespace hanse
