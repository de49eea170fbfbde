// The octets of a DomainAdvert: payload and signature in one array, as those of other adverts (protocols/advert.cpp).
// Not the rules for the fields (domain_config.cpp). Layout: docs/domains.md.
#include "hanse/domains/domain_advert.hpp"

#include "hanse/crypto/bech32m.hpp"
#include "hanse/domains/internal/domain_payload.hpp"
#include "hanse/domains/internal/fields.hpp"

namespace hanse {

namespace {

constexpr std::string_view kind = "domain-advert";
constexpr std::uint8_t format_version = 1;
constexpr std::size_t field_count = 12;

/// Goes before the payload into the hash that is signed: keeps it apart from other adverts and from messages.
constexpr std::string_view advert_context = "hanse-domain-advert-v1";

static_assert(domain_ticket_size_max >= domain_ticket_prefix.size() + 1 + (domain_advert_size_max * 8 + 4) / 5 + 6);

digest hash_of(byte_view payload) {
  return blake2b_256({as_byte_view(advert_context), payload});
}

void write_protocol(msgpack_writer& out, const stack_protocol& p) {
  out.array(2);
  write(out, p.id);
  out.array(p.parameters.size());
  for (const auto& [key, value] : p.parameters) {
    out.array(2);
    out.text(key);
    out.text(value);
  }
}

stack_protocol read_protocol(msgpack_reader& in) {
  stack_protocol p;
  in.array_exactly(2);
  p.id = read_protocol_id(in);
  const auto count = in.array(protocol_parameters_max);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(2);
    std::string key{in.text(protocol_name_size_max)};
    if (!p.parameters.empty() && p.parameters.rbegin()->first >= key) in.fail(errc::not_canonical);
    p.parameters.emplace(std::move(key), in.text(protocol_parameter_value_max));
  }
  return p;
}

void write_stack(msgpack_writer& out, const protocol_stack& s) {
  out.array(3);
  write_protocol(out, s.membership);
  write_protocol(out, s.dissemination);
  write_protocol(out, s.storage);
}

protocol_stack read_stack(msgpack_reader& in) {
  protocol_stack s;
  in.array_exactly(3);
  s.membership = read_protocol(in);
  s.dissemination = read_protocol(in);
  s.storage = read_protocol(in);
  return s;
}

void write_introducers(msgpack_writer& out, const std::vector<introducer>& list) {
  out.array(list.size());
  for (const auto& i : list) {
    out.array(2);
    out.blob(i.node.wire());
    out.blob(i.advert);
  }
}

std::vector<introducer> read_introducers(msgpack_reader& in) {
  std::vector<introducer> list;
  const auto count = in.array(domain_introducers_max);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(2);
    introducer one;
    one.node = internal::read_address(in);
    one.advert = to_bytes(in.blob(advert_size_max));
    list.push_back(std::move(one));
  }
  return list;
}

void write_instance(msgpack_writer& out, const domain_instance& i) {
  out.array(3);
  out.text(i.name);
  if (i.stack)
    write_stack(out, *i.stack);
  else
    out.nil();
  write_introducers(out, i.introducers);
}

domain_instance read_instance(msgpack_reader& in) {
  domain_instance i;
  in.array_exactly(3);
  i.name = in.text(protocol_name_size_max);
  if (!in.nil()) i.stack = read_stack(in);
  i.introducers = read_introducers(in);
  return i;
}

/// Kind, then format version, then the number of fields: what this build does not know is named by the right error.
void read_head(msgpack_reader& in) {
  const auto count = in.array(codec_tokens_max);
  if (in.text(kind.size() + 16) != kind) in.fail(error{errc::bad_type, "another kind of advert"});
  if (in.unsigned_integer() != format_version) in.fail(errc::bad_version);
  if (count != field_count) in.fail(errc::bad_value);
}

domain_config read_config(msgpack_reader& in) {
  domain_config c;
  read_head(in);
  c.domain = internal::read_address(in);
  c.version = in.unsigned_integer(wire_number_max);
  c.name = in.text(domain_name_size_max);
  c.stack = read_stack(in);
  c.introducers = read_introducers(in);
  c.auth = static_cast<auth_mechanism>(in.unsigned_integer(static_cast<std::uint8_t>(auth_mechanism::psk)));
  c.permissions = read_permissions(in);
  c.join_level = static_cast<member_level>(in.unsigned_integer(level_lowest));
  c.own_stacks = in.boolean();
  const auto count = in.array(domain_instances_max);
  for (std::size_t i = 0; i < count && in.good(); ++i) c.instances.push_back(read_instance(in));
  return c;
}

bytes join(byte_view payload, const message_signature& signature) {
  msgpack_writer out;
  out.array(2);
  out.blob(payload);
  out.blob(encode(signature));
  return std::move(out).take();
}

/// An introducer's node advert must be that node's own. Last, because these are the most signatures.
expected<unit> verify_introducers(const std::vector<introducer>& list) {
  for (const auto& i : list) {
    HANSE_TRY(const auto advert, decode_node_advert(i.advert));
    if (advert.value.node != i.node) return error{errc::wrong_signer, "an introducer with the advert of another node"};
  }
  return ok();
}

} // namespace

bytes internal::payload_of(const domain_config& c) {
  msgpack_writer out;
  out.array(field_count);
  out.text(kind);
  out.unsigned_integer(format_version);
  out.blob(c.domain.wire());
  out.unsigned_integer(c.version);
  out.text(c.name);
  write_stack(out, c.stack);
  write_introducers(out, c.introducers);
  out.unsigned_integer(static_cast<std::uint8_t>(c.auth));
  write(out, c.permissions);
  out.unsigned_integer(c.join_level);
  out.boolean(c.own_stacks);
  out.array(c.instances.size());
  for (const auto& i : c.instances) write_instance(out, i);
  return std::move(out).take();
}

digest hash_to_sign(const domain_config& config) {
  return hash_of(internal::payload_of(config));
}

signed_domain_advert sign(const domain_config& config, const key_pair& key) {
  assert(key.identity() == config.domain && check(config));
  const auto payload = internal::payload_of(config);
  return {config, join(payload, message_signature{sign_single(key, hash_of(payload))})};
}

expected<signed_domain_advert> attach(const domain_config& config, const message_signature& signature) {
  HANSE_CHECK(check(config));
  return decode_domain_advert(join(internal::payload_of(config), signature));
}

expected<signed_domain_advert> decode_domain_advert(byte_view wire) {
  msgpack_reader in{wire, domain_advert_size_max};
  in.array_exactly(2);
  const auto payload = in.blob(domain_config_size_max);
  const auto signature_wire = in.blob(domain_advert_size_max);
  HANSE_CHECK(in.finish());
  HANSE_TRY(const auto signature, decode_message_signature(signature_wire));
  signed_domain_advert advert;
  msgpack_reader fields{payload, domain_config_size_max};
  advert.value = read_config(fields);
  HANSE_CHECK(fields.finish());
  HANSE_CHECK(internal::check_fields(advert.value));
  HANSE_CHECK(verify(advert.value.domain, hash_of(payload), signature));
  HANSE_CHECK(verify_introducers(advert.value.introducers));
  for (const auto& i : advert.value.instances) HANSE_CHECK(verify_introducers(i.introducers));
  advert.wire = to_bytes(wire);
  return advert;
}

std::string to_ticket(const signed_domain_advert& advert) {
  return encode_bech32m(domain_ticket_prefix, to_groups(advert.wire));
}

expected<signed_domain_advert> parse_domain_ticket(std::string_view text) {
  HANSE_TRY(const auto decoded, decode_bech32m(text, domain_ticket_size_max));
  if (decoded.prefix != domain_ticket_prefix) return error{errc::bad_value, "not a domain's ticket"};
  HANSE_TRY(const auto wire, from_groups(decoded.groups));
  return decode_domain_advert(wire);
}

} // namespace hanse
