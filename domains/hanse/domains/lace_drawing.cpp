// See the header.
#include "hanse/domains/lace_drawing.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t text_max = 200;

std::string text_of(const map_op& op) {
  const auto* member = std::get_if<identity>(&op.key);
  auto what = member ? to_string(*member) : std::get<std::string>(op.key);
  switch (op.kind) {
  case map_op_kind::add:
    return "add " + what + " at level " + std::to_string(op.level);
  case map_op_kind::put:
    return "put " + what;
  case map_op_kind::remove:
    return "remove " + what;
  case map_op_kind::revoke:
    return "expel " + what;
  case map_op_kind::checkpoint:
    return "checkpoint " + std::to_string(op.version);
  default:
    return std::string{to_string(op.kind)};
  }
}

} // namespace

std::string_view to_string(map_op_kind k) noexcept {
  constexpr std::array<std::string_view, 8> names{"dropped", "configure", "add", "put",
                                                  "remove",  "revoke",    "ack", "checkpoint"};
  const auto at = static_cast<std::size_t>(k);
  return at < names.size() ? names[at] : "unknown";
}

lace_drawing draw(const domain_lattice& lattice, std::size_t blocks_max) {
  lace_drawing out;
  const auto& g = lattice.lace().graph();
  const auto& accepted = lattice.lace().accepted();
  const auto first = accepted.size() > blocks_max ? accepted.size() - blocks_max : 0;
  out.left_out = first;
  std::map<block_index, std::uint32_t> at;
  std::map<identity, std::uint32_t> creators;
  for (auto i = first; i < accepted.size(); ++i) {
    const auto b = accepted[i];
    const auto& placed = g[b];
    const auto& who = g.creator(b);
    const auto [creator, is_new] = creators.try_emplace(who, static_cast<std::uint32_t>(out.creators.size()));
    if (is_new) out.creators.push_back({who, lattice.map().level_of(who), lattice.lace().is_byzantine(who)});
    drawn_block d;
    d.id = placed.id;
    d.creator = creator->second;
    d.seq = placed.seq;
    d.height = placed.height;
    const auto point_at = [&](block_index p) {
      if (const auto known = at.find(p); known != at.end()) d.preds.push_back(known->second);
    };
    if (placed.self_prev != no_block) point_at(placed.self_prev);
    for (const auto p : placed.preds) point_at(p);
    d.is_equivocation = g.twin(b, [&](block_index t) { return g[t].accepted; }) != no_block;
    d.is_acknowledged = placed.acknowledged;
    if (const auto op = decode_map_op(g.payload(b)); op && !placed.bare) {
      d.kind = op->kind;
      d.text = text_of(*op).substr(0, text_max);
    }
    at.emplace(b, static_cast<std::uint32_t>(out.blocks.size()));
    out.blocks.push_back(std::move(d));
  }
  return out;
}

} // namespace hanse
