// See internal/carried.hpp.
#include "hanse/actors/internal/carried.hpp"

#include "hanse/actors/internal/ask.hpp"
#include "hanse/protocols/codec.hpp"
#include "hanse/protocols/message_batch.hpp"
#include "hanse/protocols/replay_window.hpp"

namespace hanse::internal {

namespace {

std::size_t cost_of(const outbound& m) {
  return queue_cost(m) + payload_overhead_per_message_max;
}

bool fits(const carried_payload& p, std::size_t used, const outbound& next, std::size_t room) {
  return p.messages.size() < batch_size_max && p.messages.front().message.source == next.message.source &&
         used + cost_of(next) <= room;
}

void seal_one(carried_payload& p, random_source& random) {
  std::vector<bytes> encoded;
  for (const auto& m : p.messages) encoded.push_back(encode(m.message));
  const std::vector<byte_view> views{encoded.begin(), encoded.end()};
  p.octets = seal(*p.messages.front().signer, views, random);
  for (auto& m : p.messages) m.message.body = {};
}

} // namespace

expected<message_id> floor_since_start(const node_core& core) {
  HANSE_TRY(const auto clock, ask<std::vector<record>>(core, core.store, load_atom_v, std::string{"clock"}));
  for (const auto& r : clock) {
    if (as_text(r.key) != "mark") continue;
    msgpack_reader in{r.value};
    const auto mark = in.unsigned_integer();
    if (in.finish()) return floor_at_start(mark, core.services->now_ms());
  }
  return message_id{0};
}

std::vector<carried_payload> seal_all(std::vector<outbound> messages, std::size_t room, time_ms now,
                                      random_source& random, const std::function<void(outbound, error)>& refuse) {
  std::vector<carried_payload> out;
  std::size_t used = 0;
  for (auto& m : messages) {
    const auto expires = m.message.expires_ms();
    if (expires <= now) {
      refuse(std::move(m), errc::expired);
      continue;
    }
    if (payload_overhead_max + cost_of(m) > room) {
      refuse(std::move(m), {errc::too_long, "at most " + std::to_string(room / 1024) + " KiB go this way"});
      continue;
    }
    if (out.empty() || !fits(out.back(), used, m, room)) {
      out.emplace_back();
      used = payload_overhead_max;
    }
    auto& p = out.back();
    p.expires_ms = p.messages.empty() ? expires : std::min(p.expires_ms, expires);
    used += cost_of(m);
    p.messages.push_back(std::move(m));
  }
  for (auto& p : out) seal_one(p, random);
  return out;
}

expected<std::vector<inbound>> open_carried(node_services& services, const identity_store_actor& identities,
                                            const bundle& b) {
  HANSE_TRY(auto opened, open(shared_bytes{bytes{b.payload}}));
  if (!b.adverts.empty()) compat::anon_send(identities, learn_atom_v, b.sender, b.adverts);
  services.counters.bundles_received.inc();
  services.counters.received.inc(opened.messages.size());
  std::vector<inbound> messages;
  messages.reserve(opened.messages.size());
  for (auto& m : opened.messages) messages.push_back({std::move(m), nullptr, std::nullopt});
  return messages;
}

} // namespace hanse::internal
