// The block table in memory, with an undo log of what is not committed. See block_table.hpp.
#include "hanse/domains/block_table.hpp"

namespace hanse {

expected<unit> memory_block_table::commit() {
  old_blocks_.clear();
  old_leases_.clear();
  ++commits_;
  return ok();
}

void memory_block_table::note_block(const digest& name) {
  const auto found = now_.blocks.find(name);
  old_blocks_.try_emplace(name, found == now_.blocks.end() ? std::nullopt : std::optional{found->second});
}

void memory_block_table::note_lease(const digest& name, const identity& domain) {
  const auto found = now_.leases.find({name, domain});
  old_leases_.try_emplace({name, domain}, found == now_.leases.end() ? std::nullopt : std::optional{found->second});
}

void memory_block_table::set_lease(const digest& name, const identity& domain, std::optional<time_ms> until) {
  if (const auto found = now_.leases.find({name, domain}); found != now_.leases.end()) {
    now_.ends.erase({found->second, name, domain});
    now_.leases.erase(found);
  }
  if (!until) return;
  now_.leases[{name, domain}] = *until;
  now_.ends.insert({*until, name, domain});
}

void memory_block_table::crash() {
  for (auto& [name, old] : old_blocks_) {
    if (old)
      now_.blocks[name] = *old;
    else
      now_.blocks.erase(name);
  }
  for (auto& [key, until] : old_leases_) set_lease(key.first, key.second, until);
  old_blocks_.clear();
  old_leases_.clear();
}

void memory_block_table::damage(const digest& name, std::size_t at) {
  auto& e = now_.blocks.at(name);
  auto changed = *e.octets;
  changed.at(at) ^= std::byte{1};
  e.octets = std::make_shared<const bytes>(std::move(changed));
}

expected<unit> memory_block_table::put(const digest& name, byte_view octets) {
  note_block(name);
  now_.blocks[name] = {std::make_shared<const bytes>(to_bytes(octets))};
  return ok();
}

expected<std::optional<bytes>> memory_block_table::get(const digest& name) {
  const auto found = now_.blocks.find(name);
  if (found == now_.blocks.end()) return std::optional<bytes>{};
  return std::optional<bytes>{*found->second.octets};
}

expected<std::optional<block_info>> memory_block_table::find(const digest& name) {
  const auto found = now_.blocks.find(name);
  if (found == now_.blocks.end()) return std::optional<block_info>{};
  return std::optional<block_info>{{name, static_cast<std::uint32_t>(found->second.octets->size()), found->second.bad}};
}

expected<unit> memory_block_table::mark_bad(const digest& name) {
  note_block(name);
  if (const auto found = now_.blocks.find(name); found != now_.blocks.end()) found->second.bad = true;
  return ok();
}

expected<unit> memory_block_table::remove(const digest& name) {
  note_block(name);
  now_.blocks.erase(name);
  return ok();
}

expected<std::vector<block_info>> memory_block_table::blocks_after(const std::optional<digest>& after,
                                                                   std::size_t count) {
  std::vector<block_info> result;
  for (auto i = after ? now_.blocks.upper_bound(*after) : now_.blocks.begin();
       i != now_.blocks.end() && result.size() < count; ++i)
    result.push_back({i->first, static_cast<std::uint32_t>(i->second.octets->size()), i->second.bad});
  return result;
}

expected<unit> memory_block_table::lease(const block_lease& l) {
  note_lease(l.block, l.domain);
  set_lease(l.block, l.domain, l.until);
  return ok();
}

expected<unit> memory_block_table::release(const digest& name, const identity& domain) {
  note_lease(name, domain);
  set_lease(name, domain, std::nullopt);
  return ok();
}

expected<std::vector<block_lease>> memory_block_table::leases_of(const digest& name) {
  std::vector<block_lease> result;
  for (auto i = now_.leases.lower_bound({name, identity{}}); i != now_.leases.end() && i->first.first == name; ++i)
    result.push_back({name, i->first.second, i->second});
  return result;
}

expected<std::vector<block_lease>> memory_block_table::leases_until(time_ms until, std::size_t count) {
  std::vector<block_lease> result;
  for (const auto& [end, name, domain] : now_.ends) {
    if (end > until || result.size() == count) break;
    result.push_back({name, domain, end});
  }
  return result;
}

expected<std::map<identity, domain_usage>> memory_block_table::usage() {
  std::map<identity, domain_usage> result;
  for (const auto& [key, until] : now_.leases) {
    const auto found = now_.blocks.find(key.first);
    if (found == now_.blocks.end()) continue;
    auto& u = result[key.second];
    ++u.blocks;
    u.octets += found->second.octets->size();
  }
  return result;
}

} // namespace hanse
