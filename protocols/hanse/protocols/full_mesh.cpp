// Full mesh; see full_mesh.hpp. A message is [kind 0, version 1, [payload, …]].
#include "hanse/protocols/full_mesh.hpp"

namespace hanse {

namespace {

constexpr std::uint8_t mesh_version = 1;
constexpr std::size_t payloads_in_message_max = 4096;
constexpr std::uint32_t invalid_max = 3; ///< then nothing of the peer is looked at; no honest one gets to one

} // namespace

void full_mesh::members_changed(const std::vector<identity>& members, time_ms, dissemination_effects&) {
  std::map<identity, peer> next;
  for (const auto& m : members) {
    if (m == context_.self) continue;
    const auto old = peers_.find(m);
    next.emplace(m, old == peers_.end() ? peer{} : std::move(old->second));
  }
  peers_ = std::move(next);
}

void full_mesh::peer_writable(const identity& id, bool writable, time_ms, dissemination_effects& out) {
  const auto it = peers_.find(id);
  if (it == peers_.end()) return;
  it->second.writable = writable;
  if (writable) send(id, it->second, out);
}

void full_mesh::broadcast(const shared_bytes& payload, time_ms, dissemination_effects&) {
  ++stats_.broadcast;
  for (auto& [id, p] : peers_) {
    p.queue.push_back(payload);
    p.octets += payload.size();
    while (p.octets > config_.queue_octets_max && p.queue.size() > 1) {
      p.octets -= p.queue.front().size();
      p.queue.pop_front();
      ++stats_.dropped;
    }
  }
}

void full_mesh::send(const identity& to, peer& p, dissemination_effects& out) {
  while (!p.queue.empty()) {
    std::size_t count = 0, octets = 0;
    while (count < p.queue.size() && count < payloads_in_message_max &&
           (count == 0 || octets + p.queue[count].size() <= dissemination_message_max))
      octets += p.queue[count++].size();
    bytes buffer;
    buffer.reserve(octets + 16 + 5 * count);
    msgpack_writer message{std::move(buffer)};
    message.array(3);
    message.unsigned_integer(0);
    message.unsigned_integer(mesh_version);
    message.array(count);
    for (std::size_t i = 0; i < count; ++i) message.blob(p.queue[i].view());
    p.queue.erase(p.queue.begin(), p.queue.begin() + static_cast<std::ptrdiff_t>(count));
    p.octets -= octets;
    stats_.payloads_sent += count;
    out.emplace_back(peer_message{to, std::move(message).take()});
  }
}

expected<unit> full_mesh::receive(const identity& from, byte_view body, time_ms now, dissemination_effects& out) {
  const auto it = peers_.find(from);
  if (it == peers_.end()) return error{errc::permission_denied, "not a node of this topic"};
  if (it->second.invalid >= invalid_max) return errc::untrusted;
  msgpack_reader in{body};
  in.array_exactly(3);
  if (in.unsigned_integer() != 0) in.fail(errc::bad_type);
  if (in.unsigned_integer() != mesh_version) in.fail(errc::bad_version);
  std::vector<byte_view> payloads(in.array(payloads_in_message_max));
  for (auto& p : payloads) p = in.blob(dissemination_message_max);
  HANSE_CHECK(in.finish());
  for (const auto p : payloads) {
    ++stats_.payloads_received;
    const auto verdict = context_.sink.offer(from, shared_bytes::copy_of(p), now);
    if (verdict == payload_verdict::fresh) ++stats_.fresh;
    stats_.last_hop = 1;
    if (verdict != payload_verdict::invalid) continue;
    ++stats_.invalid;
    if (++it->second.invalid == invalid_max) ++stats_.scored_out;
    out.emplace_back(peer_faulted{from, errc::bad_signature});
    if (it->second.invalid >= invalid_max) break;
  }
  return ok();
}

void full_mesh::flush(time_ms, dissemination_effects& out) {
  for (auto& [id, p] : peers_)
    if (p.writable) send(id, p, out);
}

std::vector<identity> full_mesh::neighbours() const {
  std::vector<identity> ids;
  for (const auto& [id, p] : peers_) ids.push_back(id);
  return ids;
}

} // namespace hanse
