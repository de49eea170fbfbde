// The envelope's octets: one positional array, written without temporaries and read strictly. Layout: docs/wire.md.
// Not signatures (message_batch.cpp). Fault bodies and trace ids: fault.cpp.
#include "hanse/protocols/envelope.hpp"

#include "hanse/protocols/codec.hpp"
#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t trace_size = sizeof(trace_id::octets);
constexpr std::size_t dep_field_count = 5;
constexpr std::size_t dep_size_max = 1 + 2 * (2 + identity::size_bytes) + 3 * 9;
constexpr std::size_t fixed_size_max = 256; ///< all but body, deps and protocol name; the sum of the maxima is 238

void write_trace(msgpack_writer& out, const trace_id& trace) {
  if (trace) {
    out.blob(trace.octets);
  } else {
    out.nil();
  }
}

void write_stream(msgpack_writer& out, const std::optional<stream_position>& stream) {
  if (!stream) return out.nil();
  out.array(3);
  out.unsigned_integer(stream->epoch);
  out.unsigned_integer(stream->seq);
  out.array(stream->deps.size());
  for (const auto& dep : stream->deps) {
    out.array(dep_field_count);
    out.blob(dep.source.wire());
    out.blob(dep.destination.wire());
    out.unsigned_integer(dep.epoch);
    out.unsigned_integer(dep.seq);
    out.unsigned_integer(dep.expires_ms);
  }
}

void write_envelope(msgpack_writer& out, const envelope& e) {
  out.array(envelope_field_count);
  out.unsigned_integer(envelope_version);
  out.blob(e.source.wire());
  out.blob(e.destination.wire());
  out.unsigned_integer(e.id);
  out.unsigned_integer(e.in_reply_to);
  out.unsigned_integer(static_cast<std::uint8_t>(e.kind));
  write(out, e.protocol);
  out.unsigned_integer(e.sent_ms);
  out.unsigned_integer(e.ttl_ms);
  out.unsigned_integer(static_cast<std::uint8_t>(e.routing.scope));
  if (e.routing.scope == scope_kind::domain) {
    out.blob(e.routing.domain.wire());
  } else {
    out.nil();
  }
  out.unsigned_integer(e.routing.trust_min);
  out.unsigned_integer(e.routing.rtt_max_ms);
  out.boolean(e.transport.ordered);
  out.boolean(e.transport.reliable);
  out.unsigned_integer(static_cast<std::uint8_t>(e.transport.security));
  write_stream(out, e.stream);
  write_trace(out, e.trace);
  out.blob(e.body.view());
}

trace_id read_trace(msgpack_reader& in) {
  trace_id trace;
  if (in.nil()) return trace;
  const auto octets = in.blob_exactly(trace_size);
  std::ranges::copy(octets, trace.octets.begin());
  if (in.good() && !trace) in.fail(errc::not_canonical); // no trace is written as nil
  return trace;
}

causal_dep read_dep(msgpack_reader& in) {
  causal_dep dep;
  in.array_exactly(dep_field_count);
  dep.source = internal::read_identity(in);
  dep.destination = internal::read_identity(in);
  dep.epoch = in.unsigned_integer(wire_number_max);
  dep.seq = in.unsigned_integer(wire_number_max);
  dep.expires_ms = in.unsigned_integer(wire_number_max);
  return dep;
}

std::optional<stream_position> read_stream(msgpack_reader& in) {
  if (in.nil()) return std::nullopt;
  stream_position stream;
  in.array_exactly(3);
  stream.epoch = in.unsigned_integer(wire_number_max);
  stream.seq = in.unsigned_integer(wire_number_max);
  const auto count = in.array(causal_deps_max);
  stream.deps.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) stream.deps.push_back(read_dep(in));
  return stream;
}

routing_preferences read_routing(msgpack_reader& in) {
  routing_preferences routing;
  routing.scope = internal::read_enum<scope_kind>(in, scope_kind::domain);
  if (!in.nil()) routing.domain = internal::read_identity(in);
  routing.trust_min = static_cast<std::uint8_t>(in.unsigned_integer(UINT8_MAX));
  routing.rtt_max_ms = static_cast<std::uint32_t>(in.unsigned_integer(UINT32_MAX));
  return routing;
}

/// The fields up to the source, where a signer is looked up.
identity read_head(msgpack_reader& in) {
  internal::read_versioned_array(in, envelope_field_count, envelope_version);
  return internal::read_identity(in);
}

expected<unit> check(const stream_position& stream) {
  if (stream.seq == 0 || stream.seq > wire_number_max || stream.epoch > wire_number_max)
    return error{errc::bad_value, "stream position"};
  if (stream.deps.size() > causal_deps_max) return error{errc::too_long, "causal dependencies"};
  for (const auto& dep : stream.deps) {
    if (dep.seq == 0 || dep.seq > wire_number_max || dep.epoch > wire_number_max || dep.expires_ms > wire_number_max)
      return error{errc::bad_value, "causal dependency"};
  }
  if (!std::ranges::is_sorted(stream.deps, std::ranges::less_equal{}))
    return error{errc::not_canonical, "causal dependencies out of order"};
  return ok();
}

} // namespace

expected<unit> check(const envelope& e) {
  const bool answers = e.kind == message_kind::reply || e.kind == message_kind::fault;
  if (e.id == 0 || e.id > wire_number_max || e.in_reply_to > wire_number_max)
    return error{errc::bad_value, "message id"};
  if (answers != (e.in_reply_to != 0)) return error{errc::bad_value, "in_reply_to does not fit the kind"};
  if (e.sent_ms > wire_number_max) return error{errc::bad_value, "sending time"};
  if (e.ttl_ms == 0 || e.ttl_ms > ttl_max_ms) return error{errc::bad_value, "time to live"};
  if ((e.routing.scope == scope_kind::domain) == e.routing.domain.is_none())
    return error{errc::bad_value, "domain does not fit the scope"};
  if (e.stream) HANSE_CHECK(check(*e.stream));
  if (e.body.size() > body_size_max) return error{errc::too_long, "body"};
  return ok();
}

std::size_t encode_to(bytes& out, const envelope& e) {
  assert(check(e) && e.source && e.destination);
  const auto before = out.size();
  const auto deps = e.stream ? e.stream->deps.size() * dep_size_max : 0;
  const auto needed = before + fixed_size_max + e.protocol.name.size() + deps + e.body.size();
  if (out.capacity() < needed)
    out.reserve(std::max(needed, before * 2)); // a plain reserve would not grow geometrically
  auto writer = msgpack_writer::appending_to(std::move(out));
  write_envelope(writer, e);
  out = std::move(writer).take();
  return out.size() - before;
}

bytes encode(const envelope& e) {
  bytes out;
  encode_to(out, e);
  return out;
}

expected<envelope> decode_envelope(const shared_bytes& wire) {
  msgpack_reader in{wire.view(), envelope_size_max};
  expected<envelope> result{envelope{}};
  auto& e = *result;
  e.source = read_head(in);
  e.destination = internal::read_identity(in);
  e.id = in.unsigned_integer(wire_number_max);
  e.in_reply_to = in.unsigned_integer(wire_number_max);
  e.kind = internal::read_enum<message_kind>(in, message_kind::fault);
  e.protocol = read_protocol_id(in);
  e.sent_ms = in.unsigned_integer(wire_number_max);
  e.ttl_ms = static_cast<std::uint32_t>(in.unsigned_integer(ttl_max_ms));
  e.routing = read_routing(in);
  e.transport.ordered = in.boolean();
  e.transport.reliable = in.boolean();
  e.transport.security = internal::read_enum<security_kind>(in, security_kind::encrypted);
  e.stream = read_stream(in);
  e.trace = read_trace(in);
  e.body = wire.slice(in.blob(body_size_max));
  HANSE_CHECK(in.finish());
  HANSE_CHECK(check(e));
  return result;
}

expected<identity> source_of(byte_view wire) {
  msgpack_reader in{wire, envelope_size_max};
  const auto source = read_head(in);
  if (!in.good()) return in.finish().error();
  return source;
}

expected<unit> check_time(const envelope& e, time_ms now) {
  if (now > e.expires_ms() && now - e.expires_ms() > clock_skew_max_ms) return errc::expired;
  if (e.sent_ms > now && e.sent_ms - now > clock_skew_max_ms) return errc::clock_skew;
  return ok();
}

} // namespace hanse
