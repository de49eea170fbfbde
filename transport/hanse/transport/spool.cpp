// What a node keeps of bundles: which it has seen, which are under way, how much of its own lies in the directory.
// Not octets (bundle.cpp), not files.
#include "hanse/transport/spool.hpp"

#include "hanse/protocols/codec.hpp"

#include <algorithm>

namespace hanse {

expected<unit> spool_inbox::restore(byte_view key, byte_view value) {
  if (key.size() != digest::size_bytes) return error{errc::bad_value, "bundle record"};
  digest id;
  std::copy(key.begin(), key.end(), id.octets.begin());
  msgpack_reader in{value};
  const auto expires = in.unsigned_integer(wire_number_max);
  HANSE_CHECK(in.finish());
  seen_[id] = expires;
  by_expiry_.insert({expires, id});
  return ok();
}

void spool_inbox::scanned(const std::vector<std::string>& names, time_ms now, std::vector<spool_effect>& out) {
  std::size_t looked = 0;
  for (const auto& text : names) {
    if (++looked > spool_files_max || open_.size() >= bundles_open_max) return;
    const auto name = parse_bundle_name(text);
    if (!name || name->recipient != self_.identity() || open_.contains(text)) continue;
    if (name->expires_ms + clock_skew_max_ms < now) {
      refuse(text, errc::expired, true, out);
      continue;
    }
    open_.emplace(text, std::nullopt);
    out.push_back(spool_read{text});
  }
}

void spool_inbox::refuse(const std::string& name, error why, bool useless, std::vector<spool_effect>& out) {
  open_.erase(name);
  out.push_back(spool_refused{name, std::move(why)});
  if (useless) out.push_back(spool_remove{name});
}

void spool_inbox::content(const std::string& name, byte_view octets, time_ms now, std::vector<spool_effect>& out) {
  const auto it = open_.find(name);
  if (it == open_.end() || it->second) return;
  // A file that is still being copied does not fit its name yet: it is read again at the next scan.
  if (blake2b_256(octets) != parse_bundle_name(name)->file) return refuse(name, errc::bad_checksum, false, out);
  auto b = open_bundle(self_, octets);
  if (!b) return refuse(name, b.error(), true, out);
  if (b->expires_ms + clock_skew_max_ms < now) return refuse(name, errc::expired, true, out);
  if (b->created_ms > now + clock_skew_max_ms) return refuse(name, errc::clock_skew, false, out);
  if (seen_.contains(b->id)) return refuse(name, errc::replayed, true, out);
  if (seen_.size() >= bundles_seen_max) return refuse(name, errc::table_full, false, out);
  // Kept as long as `content` would still take the bundle.
  const time_ms until = b->expires_ms + clock_skew_max_ms;
  seen_[b->id] = until;
  by_expiry_.insert({until, b->id});
  msgpack_writer value;
  value.unsigned_integer(until);
  std::vector<key_value_write> writes;
  writes.push_back({to_bytes(b->id.view()), std::move(value).take()});
  it->second = std::move(*b);
  out.push_back(spool_persist{name, std::move(writes)});
}

void spool_inbox::persisted(const std::string& name, time_ms, std::vector<spool_effect>& out) {
  const auto it = open_.find(name);
  if (it != open_.end() && it->second) out.push_back(spool_deliver{name, *it->second});
}

void spool_inbox::handled(const std::string& name, std::vector<spool_effect>& out) {
  if (open_.erase(name) != 0) out.push_back(spool_remove{name});
}

void spool_inbox::tick(time_ms now, std::vector<spool_effect>& out) {
  std::vector<key_value_write> erased;
  while (!by_expiry_.empty() && by_expiry_.begin()->first < now) {
    erased.push_back({to_bytes(by_expiry_.begin()->second.view()), std::nullopt});
    seen_.erase(by_expiry_.begin()->second);
    by_expiry_.erase(by_expiry_.begin());
  }
  if (!erased.empty()) out.push_back(spool_persist{{}, std::move(erased)});
}

std::optional<time_ms> spool_inbox::next_timer() const {
  if (by_expiry_.empty()) return std::nullopt;
  return by_expiry_.begin()->first + 1;
}

void spool_outbox::wrote(const bundle_name& name, std::size_t size) {
  if (!sizes_.emplace(to_string(name), size).second) return;
  octets_ += size;
  ++per_recipient_[name.recipient];
}

void spool_outbox::forget(std::map<std::string, std::size_t>::iterator which) {
  octets_ -= which->second;
  const auto count = per_recipient_.find(parse_bundle_name(which->first)->recipient);
  if (--count->second == 0) per_recipient_.erase(count);
  sizes_.erase(which);
}

std::vector<std::string> spool_outbox::scanned(const std::vector<std::string>& names, time_ms now) {
  const std::set<std::string> there{names.begin(), names.end()};
  std::vector<std::string> expired;
  for (auto it = sizes_.begin(); it != sizes_.end();) {
    const auto here = it++;
    const bool late = parse_bundle_name(here->first)->expires_ms + clock_skew_max_ms < now;
    if (!there.contains(here->first) || late) {
      if (late && there.contains(here->first)) expired.push_back(here->first);
      forget(here);
    }
  }
  return expired;
}

expected<unit> spool_outbox::admits(const identity& recipient, std::size_t size) const {
  if (sizes_.size() >= quota_.files_max) return error{errc::queue_full, "bundles in the spool"};
  if (octets_ + size > quota_.octets_max) return error{errc::queue_full, "octets in the spool"};
  const auto it = per_recipient_.find(recipient);
  if (it != per_recipient_.end() && it->second >= quota_.files_per_recipient_max)
    return error{errc::queue_full, "bundles for this node"};
  return ok();
}

} // namespace hanse
