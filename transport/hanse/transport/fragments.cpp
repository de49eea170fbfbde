// Fragments of datagram messages. See the header.
#include "hanse/transport/fragments.hpp"

#include <algorithm>

namespace hanse {

expected<std::vector<bytes>> cut(std::uint8_t kind, std::uint32_t number, byte_view message,
                                 std::size_t fragment_size) {
  const std::size_t piece = fragment_size - fragment_header_size;
  const std::size_t count = (message.size() + piece - 1) / piece;
  if (count == 0) return errc::bad_value;
  if (count > fragments_max) return errc::too_long;
  std::vector<bytes> out;
  for (std::size_t i = 0; i < count; ++i) {
    bytes f;
    for (const std::size_t octet : {std::size_t{kind}, std::size_t{number >> 24}, std::size_t{number >> 16},
                                    std::size_t{number >> 8}, std::size_t{number}, i, count})
      f.push_back(static_cast<std::byte>(octet & 0xff));
    append(f, message.subspan(i * piece, std::min(piece, message.size() - i * piece)));
    out.push_back(std::move(f));
  }
  return out;
}

void reassembly::drop(std::map<std::uint32_t, entry>::iterator which) {
  octets_ -= which->second.octets;
  by_age_.erase({which->second.since, which->first});
  partial_.erase(which);
}

void reassembly::drop_oldest() {
  ++lost_;
  drop(partial_.find(by_age_.begin()->second));
}

expected<std::optional<whole_message>> reassembly::receive(byte_view fragment, time_ms now) {
  if (fragment.size() <= fragment_header_size) return errc::truncated;
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint32_t>(fragment[i]); };
  const auto kind = static_cast<std::uint8_t>(at(0));
  const std::uint32_t number = at(1) << 24 | at(2) << 16 | at(3) << 8 | at(4);
  const std::size_t index = at(5), count = at(6);
  const auto piece = fragment.subspan(fragment_header_size);
  if (count == 0 || count > fragments_max || index >= count) return errc::bad_value;
  if (count == 1) return std::optional{whole_message{kind, number, to_bytes(piece)}};
  tick(now);
  auto found = partial_.find(number);
  if (found != partial_.end() && (found->second.kind != kind || found->second.pieces.size() != count))
    return errc::not_canonical;
  if (found != partial_.end() && !found->second.pieces[index].empty()) return std::optional<whole_message>{};
  if (found == partial_.end()) {
    if (partial_.size() >= partial_messages_max) drop_oldest();
    found = partial_.emplace(number, entry{kind, std::vector<bytes>(count), 0, 0, now}).first;
    by_age_.insert({now, number});
  }
  auto& e = found->second;
  e.pieces[index] = to_bytes(piece);
  ++e.have;
  e.octets += piece.size();
  octets_ += piece.size();
  if (e.have == count) {
    whole_message whole{kind, number, {}};
    whole.octets.reserve(e.octets);
    for (const auto& p : e.pieces) append(whole.octets, p);
    drop(found);
    return std::optional{std::move(whole)};
  }
  while (octets_ > partial_octets_max) drop_oldest();
  return std::optional<whole_message>{};
}

void reassembly::tick(time_ms now) {
  while (!by_age_.empty() && by_age_.begin()->first + partial_age_max_ms <= now) drop_oldest();
}

std::optional<time_ms> reassembly::next_timer() const {
  if (by_age_.empty()) return std::nullopt;
  return by_age_.begin()->first + partial_age_max_ms;
}

} // namespace hanse
