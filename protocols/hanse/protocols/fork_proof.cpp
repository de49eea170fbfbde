// Proofs that a publisher forked: two signed events with one place in its chain. See topic_event.hpp.
// Not finding forks (causal_multicast.hpp).
#include "hanse/protocols/topic_event.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

namespace hanse {

namespace {

constexpr std::uint8_t proof_version = 1;

struct side {
  topic_event event;
  digest id;
};

expected<side> read_side(byte_view wire, event_verifier* verifier) {
  HANSE_TRY(const auto parcel, read_parcel(shared_bytes::copy_of(wire)));
  if (parcel.events.size() != 1) return error{errc::bad_value, "a proof is about single events"};
  if (verifier) HANSE_CHECK(verify_parcel(parcel, *verifier));
  HANSE_TRY(auto event, decode_event(parcel.wire.slice(parcel.events[0])));
  return side{std::move(event), parcel.ids[0]};
}

} // namespace

bytes encode(const fork_proof& proof) {
  msgpack_writer out;
  out.array(3);
  out.unsigned_integer(proof_version);
  out.blob(proof.first);
  out.blob(proof.second);
  return std::move(out).take();
}

expected<fork_proof> decode_fork_proof(byte_view wire, event_verifier& verifier) {
  msgpack_reader in{wire};
  internal::read_versioned_array(in, 3, proof_version);
  fork_proof proof;
  proof.first = to_bytes(in.blob(parcel_size_max));
  proof.second = to_bytes(in.blob(parcel_size_max));
  HANSE_CHECK(in.finish());
  HANSE_TRY(const auto a, read_side(proof.first, &verifier));
  HANSE_TRY(const auto b, read_side(proof.second, &verifier));
  if (a.event.topic != b.event.topic || a.event.chain != b.event.chain || a.event.seq != b.event.seq)
    return error{errc::bad_value, "events of different places"};
  if (a.event.mode == event_mode::unreliable || b.event.mode == event_mode::unreliable)
    return error{errc::bad_value, "unreliable events have no place"};
  if (!(a.id < b.id)) return error{errc::bad_value, "no contradiction"};
  return proof;
}

expected<topic_event> forked_event(const fork_proof& proof) {
  HANSE_TRY(auto a, read_side(proof.first, nullptr));
  return std::move(a.event);
}

} // namespace hanse
