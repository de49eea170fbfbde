// Wrapping, forwarding and unwrapping of relayed messages. See the header; the octets of the payload are bundle.cpp's.
#include "hanse/transport/relay.hpp"

#include "hanse/protocols/codec.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::uint64_t message_kind_number = 1; // the only kind of body so far
constexpr std::uint64_t format_version = 1;
constexpr std::string_view scheme = "relay://";

expected<identity> read_node(msgpack_reader& in) {
  const auto wire = in.blob_exactly(identity::size_bytes);
  if (!in.good()) return error{errc::bad_value, "identity"};
  HANSE_TRY(auto who, identity::decode(wire));
  if (who.kind() != identity_kind::individual) return error{errc::bad_type, "a node is an individual"};
  return who;
}

} // namespace

struct relay::message {
  identity recipient;
  std::uint64_t hops_left = 0; ///< relays that may still forward it
  time_ms expires_ms = 0;
  std::vector<identity> path; ///< relays after the one that reads this
  bytes box;
};

expected<identity> parse_relay_address(std::string_view text) {
  if (!text.starts_with(scheme)) return error{errc::bad_value, "expected relay://"};
  HANSE_TRY(auto who, identity::parse(text.substr(scheme.size())));
  if (who.kind() != identity_kind::individual) return error{errc::bad_value, "a relay is a node"};
  return who;
}

bytes relay::encode(const message& m) {
  msgpack_writer out;
  out.array(7);
  out.unsigned_integer(message_kind_number);
  out.unsigned_integer(format_version);
  out.blob(m.recipient.wire());
  out.unsigned_integer(m.hops_left);
  out.unsigned_integer(m.expires_ms);
  out.array(m.path.size());
  for (const auto& r : m.path) out.blob(r.wire());
  out.blob(m.box);
  return std::move(out).take();
}

expected<relay::message> relay::decode(byte_view body) {
  if (body.size() > body_size_max) return errc::too_long;
  msgpack_reader in{body};
  in.array_exactly(7);
  if (in.unsigned_integer() != message_kind_number && in.good()) return error{errc::bad_type, "relay message"};
  if (in.unsigned_integer() != format_version && in.good()) return errc::bad_version;
  message m;
  HANSE_TRY(m.recipient, read_node(in));
  m.hops_left = in.unsigned_integer(relay_hops_max);
  m.expires_ms = in.unsigned_integer(wire_number_max);
  const auto count = in.array(relay_hops_max - 1);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    HANSE_TRY(auto r, read_node(in));
    m.path.push_back(r);
  }
  m.box = to_bytes(in.blob(bundle_size_max));
  HANSE_CHECK(in.finish());
  return m;
}

expected<peer_message> relay::send(const identity& recipient, const std::vector<identity>& relays, byte_view payload,
                                   time_ms now, time_ms life_ms, const std::vector<bytes>& adverts) {
  if (relays.empty() || relays.size() > relay_hops_max) return errc::hop_limit;
  std::set<identity> distinct{relays.begin(), relays.end()};
  if (distinct.size() != relays.size() || distinct.contains(recipient) || distinct.contains(self_.identity()))
    return error{errc::bad_value, "relays"};
  if (payload.size() > relay_payload_max) return errc::too_long;
  if (life_ms > relay_life_max_ms) return errc::bad_value;
  HANSE_TRY(auto file, make_bundle(self_, recipient, payload, now, life_ms, random_, adverts));
  message m{recipient, relays.size(), now + life_ms, {relays.begin() + 1, relays.end()}, std::move(file.octets)};
  return peer_message{relays.front(), encode(m)};
}

bool relay::usage::take(std::size_t size, std::size_t limit, time_ms now) {
  if (since + relay_quota_ms <= now) *this = {now, 0};
  if (octets + size > limit) return false;
  octets += size;
  return true;
}

// What holds for whoever gets it. The digest is noted last, so that what is refused can come again.
expected<unit> relay::judge(const identity& from, const message& m, std::size_t size, time_ms now) {
  if (m.expires_ms + clock_skew_max_ms < now) return errc::expired;
  if (m.expires_ms > now + relay_life_max_ms + clock_skew_max_ms) return errc::clock_skew;
  tick(now);
  const auto id = blake2b_256(m.box);
  if (seen_.contains(id)) return errc::replayed;
  if (seen_.size() >= relay_seen_max) return errc::table_full;
  if (m.recipient != self_.identity()) HANSE_CHECK(judge_forwarding(from, m, size, now));
  const time_ms until = m.expires_ms + clock_skew_max_ms;
  seen_[id] = until;
  by_expiry_.insert({until, id});
  return ok();
}

expected<unit> relay::judge_forwarding(const identity& from, const message& m, std::size_t size, time_ms now) {
  if (!config_.forwards) return error{errc::permission_denied, "this node relays nothing"};
  if (m.hops_left == 0 || m.path.size() >= m.hops_left) return errc::hop_limit;
  const auto& next = m.path.empty() ? m.recipient : m.path.front();
  if (next == from || next == self_.identity()) return error{errc::bad_value, "a loop"};
  if (!sources_.contains(from) && sources_.size() >= relay_sources_max) {
    std::erase_if(sources_, [&](const auto& s) { return s.second.since + relay_quota_ms <= now; });
    if (sources_.size() >= relay_sources_max) return error{errc::table_full, "neighbours"};
  }
  if (!sources_[from].take(size, config_.octets_per_minute, now))
    return error{errc::queue_full, "octets a minute from this node"};
  if (!all_.take(size, config_.octets_per_minute_in_all, now)) return error{errc::queue_full, "octets a minute"};
  return ok();
}

void relay::receive(const identity& from, byte_view body, time_ms now, std::vector<relay_effect>& out) {
  const auto refuse = [&](error why) {
    out.emplace_back(std::in_place_type<relay_refused>, relay_refused{from, std::move(why)});
  };
  auto m = decode(body);
  if (!m) return refuse(m.error());
  if (auto fine = judge(from, *m, body.size(), now); !fine) return refuse(fine.error());
  if (m->recipient == self_.identity()) {
    auto b = open_bundle(self_, m->box);
    if (!b) return refuse(b.error());
    // The times outside are a relay's word, those inside the sender's.
    if (b->expires_ms + clock_skew_max_ms < now) return refuse(errc::expired);
    if (b->created_ms > now + clock_skew_max_ms) return refuse(errc::clock_skew);
    out.emplace_back(std::in_place_type<relay_deliver>, relay_deliver{std::move(*b)});
    return;
  }
  const auto next = m->path.empty() ? m->recipient : m->path.front();
  if (!m->path.empty()) m->path.erase(m->path.begin());
  --m->hops_left;
  out.emplace_back(std::in_place_type<peer_message>, peer_message{next, encode(*m)});
}

void relay::tick(time_ms now) {
  while (!by_expiry_.empty() && by_expiry_.begin()->first < now) {
    seen_.erase(by_expiry_.begin()->second);
    by_expiry_.erase(by_expiry_.begin());
  }
}

std::optional<time_ms> relay::next_timer() const {
  if (by_expiry_.empty()) return std::nullopt;
  return by_expiry_.begin()->first + 1;
}

} // namespace hanse
