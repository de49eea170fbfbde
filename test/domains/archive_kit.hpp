// Signed events for the tests of archives: one publisher's chain, each event in a parcel of its own.
#pragma once

#include "hanse/domains/archive_reader.hpp"
#include "protocols/event_signing.hpp"

namespace hanse::test {

inline const identity archived_topic = fake_identity(1);

struct archived_event {
  topic_event event;
  parcel_place where;
};

/// Copies go on alike.
struct archived_chain {
  explicit archived_chain(std::uint64_t n, std::uint64_t epoch = 1) : publisher(fake_identity(200 + n)), epoch(epoch) {}

  archived_event next(std::size_t body_octets = 10, std::vector<event_dep> deps = {}) {
    topic_event e;
    e.topic = archived_topic;
    e.chain = {publisher, epoch};
    e.seq = ++seq;
    e.published_ms = 1;
    e.previous = previous;
    e.deps = std::move(deps);
    e.body = shared_bytes{bytes(body_octets)};
    const auto wire = encode(e);
    const byte_view view{wire};
    const auto id = event_id(wire);
    previous = id;
    cheap_signer signer{publisher, seq};
    auto parcel = std::make_shared<const event_parcel>(*read_parcel(seal_parcel(signer, {&view, 1}, {&id, 1}).wire));
    return {std::move(e), {std::move(parcel), 0}};
  }
  event_dep tip() const { return {{publisher, epoch}, seq, previous.value()}; }

  identity publisher;
  std::uint64_t epoch;
  std::uint64_t seq = 0;
  std::optional<digest> previous;
};

} // namespace hanse::test
