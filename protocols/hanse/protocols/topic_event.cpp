// Events and parcels: octets and signatures. See topic_event.hpp; layout: docs/topics.md.
// Every cost that grows with a peer's input is bounded by the octets that are there before it is paid.
#include "hanse/protocols/topic_event.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint8_t event_version = 1;
constexpr std::size_t event_field_count = 11;
constexpr std::uint8_t parcel_version = 1;
constexpr std::size_t alone_field_count = 4;
constexpr std::size_t batch_field_count = 5;

/// Goes before the octets into an event's id. A message begins with an array, so no event's signature is a message's.
constexpr std::string_view event_context = "hanse-event-v1";

void write_chain(msgpack_writer& out, const chain_key& chain) {
  out.blob(chain.publisher.wire());
  out.unsigned_integer(chain.epoch);
}

chain_key read_chain(msgpack_reader& in) {
  chain_key chain;
  chain.publisher = internal::read_identity(in);
  chain.epoch = in.unsigned_integer(wire_number_max);
  return chain;
}

std::uint64_t read_seq(msgpack_reader& in) {
  const auto seq = in.unsigned_integer(wire_number_max);
  if (seq == 0) in.fail(error{errc::bad_value, "sequence number 0"});
  return seq;
}

digest read_digest(msgpack_reader& in) {
  digest d;
  std::ranges::copy(in.blob_exactly(digest::size_bytes), d.octets.begin());
  return d;
}

void read_deps(msgpack_reader& in, topic_event& e) {
  const auto count = in.array(event_deps_max);
  e.deps.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(4);
    event_dep dep;
    dep.chain = read_chain(in);
    dep.seq = read_seq(in);
    dep.id = read_digest(in);
    if (dep.chain == e.chain) in.fail(error{errc::bad_value, "a dependency on the own chain"});
    if (!e.deps.empty() && !(e.deps.back().chain < dep.chain)) in.fail(errc::not_canonical);
    e.deps.push_back(dep);
  }
}

void read_seen(msgpack_reader& in, topic_event& e) {
  const auto count = in.array(event_seen_max);
  e.seen.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(3);
    chain_mark mark;
    mark.chain = read_chain(in);
    mark.seq = read_seq(in);
    if (!e.seen.empty() && !(e.seen.back().chain < mark.chain)) in.fail(errc::not_canonical);
    e.seen.push_back(mark);
  }
}

void read_previous(msgpack_reader& in, topic_event& e) {
  if (in.nil()) {
    if (e.seq != 1 && e.mode != event_mode::unreliable) in.fail(error{errc::bad_value, "no previous event"});
    return;
  }
  e.previous = read_digest(in);
  if (e.seq == 1 || e.mode == event_mode::unreliable) in.fail(error{errc::bad_value, "nothing comes before"});
}

/// Fails unless what only causal events have, or must not have, is so.
void check_mode(msgpack_reader& in, const topic_event& e) {
  if (e.mode == event_mode::unreliable && (!e.deps.empty() || !e.seen.empty()))
    in.fail(error{errc::bad_value, "an unreliable event with a past"});
  if (e.mode == event_mode::join && !e.body.empty()) in.fail(error{errc::bad_value, "a join with a body"});
}

bytes buffer_for(std::size_t size) {
  bytes buffer;
  buffer.reserve(size);
  return buffer;
}

msgpack_writer begin_parcel(std::size_t fields, std::uint8_t kind, std::size_t size) {
  msgpack_writer out{buffer_for(size)};
  out.array(fields);
  out.unsigned_integer(parcel_version);
  out.unsigned_integer(kind);
  return out;
}

/// Where each event begins is appended to `offsets`.
using event_offsets = std::vector<std::size_t>;

bytes wire_alone(byte_view event, const message_signature& signature, event_offsets& offsets) {
  const auto octets = encode(signature);
  auto out = begin_parcel(alone_field_count, 0, parcel_overhead_max + event.size() + octets.size());
  out.blob(event);
  offsets.push_back(out.size() - event.size());
  out.blob(octets);
  return std::move(out).take();
}

bytes wire_batch(const identity& publisher, const signed_batch& batch, std::span<const byte_view> events,
                 event_offsets& offsets) {
  std::size_t size = parcel_overhead_max;
  for (const auto event : events) size += event.size() + parcel_overhead_per_event_max;
  auto out = begin_parcel(batch_field_count, 1, size);
  out.blob(publisher.wire());
  out.blob(batch.signature);
  out.array(2 * events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    out.blob(batch.salts[i]);
    out.blob(events[i]);
    offsets.push_back(out.size() - events[i].size());
  }
  return std::move(out).take();
}

expected<unit> read_alone(msgpack_reader& in, event_parcel& parcel) {
  const auto event = in.blob(event_size_max);
  const auto signature = in.blob(message_signature_size_max);
  HANSE_CHECK(in.finish());
  HANSE_TRY(parcel.alone, decode_message_signature(signature));
  HANSE_TRY(const auto head, decode_event(parcel.wire.slice(event)));
  parcel.publisher = head.chain.publisher;
  parcel.events = {event};
  parcel.ids = {event_id(event)};
  return ok();
}

expected<unit> read_batch(msgpack_reader& in, event_parcel& parcel) {
  parcel.publisher = internal::read_identity(in);
  std::ranges::copy(in.blob_exactly(parcel.batch.signature.size()), parcel.batch.signature.begin());
  const auto items = in.array(2 * parcel_events_max);
  if (in.good() && (items < 4 || items % 2 != 0)) in.fail(errc::bad_value); // one event has its own kind
  if (in.good()) {
    parcel.events.reserve(items / 2);
    parcel.batch.salts.reserve(items / 2);
  }
  for (std::size_t i = 0; i < items && in.good(); i += 2) {
    batch_salt salt{};
    std::ranges::copy(in.blob_exactly(salt.size()), salt.begin());
    parcel.batch.salts.push_back(salt);
    parcel.events.push_back(in.blob(event_size_max));
  }
  HANSE_CHECK(in.finish());
  if (parcel.publisher.kind() != identity_kind::individual)
    return error{errc::bad_type, "a batch is signed by one key"};
  parcel.ids.reserve(parcel.events.size());
  for (const auto event : parcel.events) parcel.ids.push_back(event_id(event));
  return ok();
}

} // namespace

bytes encode(const topic_event& e) {
  msgpack_writer out{buffer_for(192 + e.body.size() + 90 * e.deps.size() + 60 * e.seen.size())};
  out.array(event_field_count);
  out.unsigned_integer(event_version);
  out.blob(e.topic.wire());
  write_chain(out, e.chain);
  out.unsigned_integer(e.seq);
  out.unsigned_integer(static_cast<std::uint8_t>(e.mode));
  out.unsigned_integer(e.published_ms);
  e.previous ? out.blob(e.previous->view()) : out.nil();
  out.array(e.deps.size());
  for (const auto& dep : e.deps) {
    out.array(4);
    write_chain(out, dep.chain);
    out.unsigned_integer(dep.seq);
    out.blob(dep.id.view());
  }
  out.array(e.seen.size());
  for (const auto& mark : e.seen) {
    out.array(3);
    write_chain(out, mark.chain);
    out.unsigned_integer(mark.seq);
  }
  out.blob(e.body.view());
  return std::move(out).take();
}

expected<topic_event> decode_event(const shared_bytes& wire) {
  msgpack_reader in{wire.view(), event_size_max};
  internal::read_versioned_array(in, event_field_count, event_version);
  expected<topic_event> result{topic_event{}};
  auto& e = *result;
  e.topic = internal::read_identity(in);
  e.chain = read_chain(in);
  e.seq = read_seq(in);
  e.mode = internal::read_enum(in, event_mode::join);
  e.published_ms = in.unsigned_integer(wire_number_max);
  read_previous(in, e);
  read_deps(in, e);
  read_seen(in, e);
  const auto body = in.blob(event_body_max);
  if (in.good()) e.body = wire.slice(body);
  check_mode(in, e);
  HANSE_CHECK(in.finish());
  return result;
}

digest event_id(byte_view wire) noexcept {
  return blake2b_256({as_byte_view(event_context), wire});
}

event_parcel seal_parcel(event_signer& signer, std::span<const byte_view> events, std::span<const digest> ids) {
  assert(!events.empty() && events.size() == ids.size() && events.size() <= parcel_events_max);
  event_parcel parcel;
  parcel.publisher = signer.publisher();
  parcel.ids.assign(ids.begin(), ids.end());
  event_offsets offsets;
  offsets.reserve(events.size());
  if (events.size() == 1) {
    parcel.alone = signer.sign_one(ids[0]);
    parcel.wire = shared_bytes{wire_alone(events[0], parcel.alone, offsets)};
  } else {
    parcel.batch = signer.sign_many(ids);
    parcel.wire = shared_bytes{wire_batch(parcel.publisher, parcel.batch, events, offsets)};
  }
  assert(parcel.wire.size() <= parcel_size_max);
  parcel.events.reserve(events.size());
  for (std::size_t i = 0; i < events.size(); ++i)
    parcel.events.push_back(parcel.wire.view().subspan(offsets[i], events[i].size()));
  return parcel;
}

expected<event_parcel> read_parcel(const shared_bytes& wire) {
  msgpack_reader in{wire.view(), parcel_size_max};
  const auto fields = in.array(batch_field_count);
  if (in.unsigned_integer() != parcel_version) in.fail(errc::bad_version);
  const auto kind = in.unsigned_integer(1);
  if (fields != (kind == 0 ? alone_field_count : batch_field_count)) in.fail(errc::bad_value);
  if (!in.good()) return in.finish().error();
  expected<event_parcel> result{event_parcel{}};
  result->wire = wire;
  HANSE_CHECK(kind == 0 ? read_alone(in, *result) : read_batch(in, *result));
  return result;
}

expected<unit> verify_parcel(const event_parcel& parcel, event_verifier& verifier) {
  if (parcel.batch.salts.empty()) return verifier.verify_one(parcel.publisher, parcel.ids[0], parcel.alone);
  return verifier.verify_many(parcel.publisher, parcel.ids, parcel.batch.salts, parcel.batch.signature);
}

bytes parcel_alone(const event_parcel& parcel, std::size_t index) {
  assert(index < parcel.events.size());
  if (parcel.batch.salts.empty()) return to_bytes(parcel.wire.view());
  event_offsets offsets;
  return wire_alone(parcel.events[index], message_signature{prove(parcel.batch, parcel.ids, index)}, offsets);
}

} // namespace hanse
