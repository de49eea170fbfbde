// Bodies of "hanse.domain/1.0"; see the header.
#include "hanse/domains/domain_message.hpp"

#include "hanse/domains/domain_advert.hpp"
#include "hanse/protocols/envelope.hpp"
#include "hanse/protocols/internal/wire_fields.hpp"

namespace hanse {

namespace {

constexpr std::uint64_t format_version = 1;

} // namespace

const protocol_id& domain_protocol() {
  static const protocol_id p{"hanse.domain", 1, 0};
  return p;
}

bytes encode(const domain_body& body) {
  msgpack_writer out;
  const auto begin = [&](std::size_t fields) {
    out.array(2 + fields);
    out.unsigned_integer(body.index() + 1);
    out.unsigned_integer(format_version);
  };
  if (const auto* l = std::get_if<lattice_body>(&body)) {
    begin(2);
    out.blob(l->domain.wire());
    out.blob(l->body);
  } else if (const auto* r = std::get_if<membership_refusal>(&body)) {
    begin(2);
    out.blob(r->domain.wire());
    out.unsigned_integer(static_cast<std::uint8_t>(r->code));
  } else {
    const auto& adverts = std::get<advert_gossip>(body).adverts;
    begin(1);
    out.array(adverts.size());
    for (const auto& a : adverts) out.blob(a);
  }
  return std::move(out).take();
}

expected<domain_body> decode_domain_body(byte_view wire) {
  msgpack_reader in{wire};
  const auto fields = in.array(8);
  const auto kind = in.unsigned_integer(UINT8_MAX);
  if (in.unsigned_integer() != format_version) in.fail(errc::bad_version);
  if (in.good() && (kind == 0 || kind > 3)) in.fail(errc::bad_type);
  if (in.good() && fields != (kind == 3 ? 3U : 4U)) in.fail(errc::bad_value);
  domain_body body;
  if (in.good() && kind == 1) {
    lattice_body l;
    l.domain = internal::read_identity(in);
    l.body = to_bytes(in.blob(body_size_max));
    body = std::move(l);
  } else if (in.good() && kind == 2) {
    membership_refusal r;
    r.domain = internal::read_identity(in);
    r.code = static_cast<errc>(in.unsigned_integer(UINT8_MAX));
    if (r.code == errc::none) in.fail(errc::bad_value);
    body = r;
  } else if (in.good()) {
    advert_gossip g;
    for (auto n = in.array(gossip_adverts_max); n > 0 && in.good(); --n)
      g.adverts.push_back(to_bytes(in.blob(domain_advert_size_max)));
    body = std::move(g);
  }
  HANSE_CHECK(in.finish());
  return body;
}

} // namespace hanse
