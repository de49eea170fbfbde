// Octets of the membership map's operations; see the header.
#include "hanse/domains/map_op.hpp"

#include "hanse/domains/eris.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t format_version = 1;

std::size_t fields_of(map_op_kind k) {
  switch (k) {
  case map_op_kind::checkpoint:
    return 7;
  case map_op_kind::add:
    return 6;
  case map_op_kind::put:
    return 5;
  case map_op_kind::configure:
  case map_op_kind::remove:
  case map_op_kind::revoke:
    return 4;
  default:
    return 3;
  }
}

void write_key(msgpack_writer& out, const map_key& key) {
  if (const auto* member = std::get_if<identity>(&key)) {
    out.blob(member->wire());
  } else {
    out.text(std::get<std::string>(key));
  }
}

identity read_member(msgpack_reader& in) {
  const auto octets = in.blob_exactly(identity::size_bytes);
  if (!in.good()) return {};
  const auto id = identity::decode(octets);
  if (!id) return in.fail(id.error()), identity{};
  if (id->kind() != identity_kind::individual) in.fail(error{errc::bad_value, "a member is an individual"});
  return *id;
}

std::string read_text(msgpack_reader& in) {
  const auto text = in.text(map_text_max);
  if (in.good() && text.empty()) in.fail(error{errc::bad_value, "an empty key"});
  return std::string{text};
}

} // namespace

map_op configure_op(bytes signed_advert, time_ms at) {
  map_op op;
  op.kind = map_op_kind::configure;
  op.at_ms = at;
  op.value = std::move(signed_advert);
  return op;
}

map_op add_op(const identity& member, member_level level, bytes value, time_ms at) {
  map_op op;
  op.kind = map_op_kind::add;
  op.at_ms = at;
  op.key = member;
  op.level = level;
  op.value = std::move(value);
  return op;
}

map_op put_op(std::string key, bytes value, time_ms at) {
  map_op op;
  op.kind = map_op_kind::put;
  op.at_ms = at;
  op.key = std::move(key);
  op.value = std::move(value);
  return op;
}

map_op remove_op(map_key key, time_ms at) {
  map_op op;
  op.kind = map_op_kind::remove;
  op.at_ms = at;
  op.key = std::move(key);
  return op;
}

map_op revoke_op(const identity& member, time_ms at) {
  map_op op;
  op.kind = map_op_kind::revoke;
  op.at_ms = at;
  op.key = member;
  return op;
}

map_op ack_op(time_ms at) {
  map_op op;
  op.at_ms = at;
  return op;
}

digest checkpoint_statement(const identity& domain, std::uint64_t version, const digest& state, byte_view archive) {
  msgpack_writer out;
  out.array(5);
  out.text("hanse-checkpoint-v1");
  out.blob(domain.wire());
  out.unsigned_integer(version);
  out.blob(state.view());
  out.blob(archive);
  return blake2b_256(out.view());
}

bytes encode(const map_op& op) {
  msgpack_writer out;
  out.array(fields_of(op.kind));
  out.unsigned_integer(static_cast<std::uint64_t>(op.kind));
  out.unsigned_integer(format_version);
  out.unsigned_integer(op.at_ms);
  switch (op.kind) {
  case map_op_kind::configure:
    out.blob(op.value);
    break;
  case map_op_kind::add:
    write_key(out, op.key);
    out.unsigned_integer(op.level);
    out.blob(op.value);
    break;
  case map_op_kind::put:
    write_key(out, op.key);
    out.blob(op.value);
    break;
  case map_op_kind::remove:
  case map_op_kind::revoke:
    write_key(out, op.key);
    break;
  case map_op_kind::checkpoint:
    out.unsigned_integer(op.version);
    out.blob(op.state.view());
    out.blob(op.archive);
    out.blob(op.signature);
    break;
  default:
    break;
  }
  return std::move(out).take();
}

expected<map_op> decode_map_op(byte_view wire) {
  msgpack_reader in{wire};
  map_op op;
  const auto fields = in.array(codec_tokens_max);
  op.kind = static_cast<map_op_kind>(in.unsigned_integer(static_cast<std::uint64_t>(map_op_kind::checkpoint)));
  if (in.unsigned_integer() != format_version) in.fail(errc::bad_version);
  if (op.kind == map_op_kind::none || fields != fields_of(op.kind)) in.fail(errc::bad_value);
  op.at_ms = in.unsigned_integer(wire_number_max);
  switch (op.kind) {
  case map_op_kind::configure:
    op.value = to_bytes(in.blob(map_advert_max));
    break;
  case map_op_kind::add:
    op.key = read_member(in);
    op.level = static_cast<member_level>(in.unsigned_integer(level_lowest));
    op.value = to_bytes(in.blob(map_value_max));
    break;
  case map_op_kind::put:
    op.key = read_text(in);
    op.value = to_bytes(in.blob(map_value_max));
    break;
  case map_op_kind::remove:
    if (in.peek() == token_kind::text) {
      op.key = read_text(in);
    } else {
      op.key = read_member(in);
    }
    break;
  case map_op_kind::revoke:
    op.key = read_member(in);
    break;
  case map_op_kind::checkpoint: {
    op.version = in.unsigned_integer(wire_number_max);
    const auto state = in.blob_exactly(digest::size_bytes);
    if (in.good()) std::ranges::copy(state, op.state.octets.begin());
    op.archive = to_bytes(in.blob(eris_capability_size));
    if (in.good() && !op.archive.empty())
      if (const auto content = decode_eris_capability(op.archive); !content) in.fail(content.error());
    op.signature = to_bytes(in.blob(checkpoint_signature_max));
    break;
  }
  default:
    break;
  }
  HANSE_CHECK(in.finish());
  return op;
}

byte_view value_in(byte_view wire) {
  msgpack_reader in{wire};
  in.array(codec_tokens_max);
  const auto kind = static_cast<map_op_kind>(in.unsigned_integer());
  in.unsigned_integer(); // the version
  in.unsigned_integer(); // the time
  switch (kind) {
  case map_op_kind::configure:
    return in.blob(map_advert_max);
  case map_op_kind::add:
    in.blob(identity::size_bytes);
    in.unsigned_integer();
    return in.blob(map_value_max);
  case map_op_kind::put:
    in.text(map_text_max);
    return in.blob(map_value_max);
  default:
    return {};
  }
}

} // namespace hanse
