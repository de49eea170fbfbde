// The policy of the block store. See block_store.hpp.
#include "hanse/domains/block_store.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t lost_max = 1024; // of a domain; more are found again by the next pass of the scrub

} // namespace

block_store::block_store(block_table& table, const block_store_config& config) : table_(&table), config_(config) {
  if (config.scrub_start != digest{}) scrub_cursor_ = config.scrub_start;
}

expected<block_store> block_store::open(block_table& table, const block_store_config& config) {
  block_store store{table, config};
  HANSE_TRY(store.stats_.usage, table.usage());
  return store;
}

void block_store::wrote(std::size_t octets) noexcept {
  dirty_ = true;
  written_octets_ += octets;
}

/// Sets the lease of a block that is or will be here. What the quota refuses is found before anything is written.
expected<time_ms> block_store::hold(const identity& domain, const digest& name, std::size_t size, bool is_here,
                                    time_ms until, time_ms now) {
  if (until <= now) return error{errc::expired, "a lease that has ended"};
  if (until != lease_forever) until = std::min(until, now + config_.lease_max_ms);
  std::vector<block_lease> leases;
  if (is_here) {
    HANSE_TRY(leases, table_->leases_of(name)); // else nobody has one
  }
  const auto own = std::ranges::find(leases, domain, &block_lease::domain);
  if (own != leases.end()) {
    if (own->until >= until) return own->until;
  } else {
    if (!stats_.usage.contains(domain) && stats_.usage.size() >= config_.domains_max)
      return error{errc::table_full, "domains with blocks here"};
    const auto quota = quotas_.find(domain);
    const auto limit = quota == quotas_.end() ? config_.quota_octets : quota->second;
    const auto used = stats_.usage.find(domain);
    if (size > limit || (used != stats_.usage.end() && used->second.octets > limit - size))
      return error{errc::table_full, "the domain's quota"};
    auto& usage = stats_.usage[domain];
    ++usage.blocks;
    usage.octets += size;
  }
  HANSE_CHECK(table_->lease({name, domain, until}));
  wrote(0);
  return until;
}

expected<time_ms> block_store::put(const identity& domain, const digest& name, byte_view octets, time_ms until,
                                   time_ms now, block_check check) {
  const auto keep = [&]() -> expected<time_ms> {
    if (octets.size() > stored_block_size_max) return error{errc::too_long, "block"};
    if (check == block_check::hash && blake2b_256(octets) != name) return error{errc::bad_checksum, "block"};
    HANSE_TRY(const auto found, table_->find(name));
    HANSE_TRY(const auto end, hold(domain, name, octets.size(), found.has_value(), until, now));
    if (found && !found->bad) {
      ++stats_.known;
      return end;
    }
    HANSE_CHECK(table_->put(name, octets));
    found_again(name);
    wrote(octets.size());
    return end;
  };
  auto end = keep();
  if (end) {
    ++stats_.puts;
    stats_.put_octets += octets.size();
  } else {
    ++stats_.refused;
  }
  return end;
}

expected<time_ms> block_store::extend(const identity& domain, const digest& name, time_ms until, time_ms now) {
  HANSE_TRY(const auto found, table_->find(name));
  if (!found || found->bad) return error{errc::not_found, "block"};
  return hold(domain, name, found->size, true, until, now);
}

expected<unit> block_store::release(const identity& domain, const digest& name) {
  HANSE_TRY(const auto leases, table_->leases_of(name));
  const auto own = std::ranges::find(leases, domain, &block_lease::domain);
  if (own == leases.end()) return error{errc::not_found, "lease"};
  return end_lease(*own);
}

expected<unit> block_store::end_lease(const block_lease& l) {
  HANSE_TRY(const auto found, table_->find(l.block));
  HANSE_CHECK(table_->release(l.block, l.domain));
  wrote(0);
  if (const auto lost = lost_.find(l.domain); lost != lost_.end()) lost->second.erase(l.block);
  if (!found) return ok();
  auto& usage = stats_.usage[l.domain];
  --usage.blocks;
  usage.octets -= found->size;
  if (usage.blocks == 0) stats_.usage.erase(l.domain);
  HANSE_TRY(const auto others, table_->leases_of(l.block));
  if (!others.empty()) return ok();
  ++stats_.removed;
  return table_->remove(l.block);
}

/// Whoever holds it is to be told.
expected<unit> block_store::miss(const digest& name) {
  HANSE_TRY(const auto leases, table_->leases_of(name));
  for (const auto& l : leases)
    if (auto& lost = lost_[l.domain]; lost.size() < lost_max) lost.insert(name);
  return ok();
}

void block_store::found_again(const digest& name) {
  for (auto& [domain, lost] : lost_) lost.erase(name);
}

expected<unit> block_store::quarantine(const digest& name) {
  ++stats_.corrupt;
  HANSE_CHECK(miss(name));
  HANSE_CHECK(table_->mark_bad(name));
  wrote(0);
  return ok();
}

expected<std::optional<bytes>> block_store::get(const digest& name) {
  ++stats_.gets;
  HANSE_TRY(auto octets, table_->get(name));
  if (octets && blake2b_256(*octets) == name) {
    ++stats_.hits;
    return octets;
  }
  HANSE_TRY(const auto found, table_->find(name)); // looked up only now: most blocks are good
  if (found && !found->bad) HANSE_CHECK(quarantine(name));
  return std::optional<bytes>{};
}

expected<bool> block_store::has(const digest& name) {
  HANSE_TRY(const auto found, table_->find(name));
  return found && !found->bad;
}

void block_store::await_commit(time_ms now) {
  if (awaited_++ == 0) awaited_since_ = now;
}

bool block_store::commit_due(time_ms now) const noexcept {
  return written_octets_ >= config_.commit_octets_max || awaited_ >= config_.commit_items_max ||
         (awaited_ > 0 && now >= awaited_since_ + config_.commit_ms);
}

expected<unit> block_store::commit() {
  HANSE_CHECK(table_->commit()); // also when nothing was written: then it says whether it has failed
  if (dirty_) ++stats_.commits;
  ++batch_;
  dirty_ = false;
  written_octets_ = awaited_ = 0;
  return ok();
}

expected<bool> block_store::scrub(std::size_t count) {
  HANSE_TRY(const auto blocks, table_->blocks_after(scrub_cursor_, count));
  for (const auto& b : blocks) {
    scrub_cursor_ = b.name;
    scrub_has_read_ = true;
    if (b.bad) {
      HANSE_CHECK(miss(b.name)); // still wanted: asked for again with every pass
      continue;
    }
    ++stats_.scrubbed;
    HANSE_TRY(const auto octets, table_->get(b.name));
    if (!octets || blake2b_256(*octets) != b.name) HANSE_CHECK(quarantine(b.name));
  }
  if (blocks.size() == count) return false;
  scrub_cursor_.reset();
  if (std::exchange(scrub_has_read_, false)) ++stats_.scrub_passes;
  return true;
}

expected<std::size_t> block_store::end_some_leases(time_ms now) {
  const auto before = now > config_.lease_grace_ms ? now - config_.lease_grace_ms : 0;
  HANSE_TRY(const auto ended, table_->leases_until(before, config_.gc_step_max));
  for (const auto& l : ended) HANSE_CHECK(end_lease(l));
  stats_.expired += ended.size();
  return ended.size();
}

expected<std::uint64_t> block_store::collect(time_ms now) {
  std::uint64_t all = 0;
  for (std::size_t ended = config_.gc_step_max; ended == config_.gc_step_max; all += ended) {
    HANSE_TRY(ended, end_some_leases(now));
    HANSE_CHECK(commit());
  }
  return all;
}

expected<unit> block_store::tick(time_ms now) {
  if (now >= gc_at_) {
    HANSE_TRY(const auto ended, end_some_leases(now));
    gc_at_ = now + (ended == config_.gc_step_max ? 0 : config_.gc_every_ms);
    if (ended != 0) await_commit(now);
  }
  if (now >= scrub_at_) {
    const auto corrupt = stats_.corrupt;
    if (scrub_began_ == 0) scrub_began_ = now;
    HANSE_TRY(const auto around, scrub(config_.scrub_step_max));
    if (corrupt != stats_.corrupt) await_commit(now);
    scrub_at_ = now + config_.scrub_every_ms;
    if (around) scrub_at_ = std::max(scrub_at_, std::exchange(scrub_began_, 0) + config_.scrub_pass_ms);
  }
  if (commit_due(now)) return commit();
  return ok();
}

std::optional<time_ms> block_store::next_timer() const {
  auto at = std::min(gc_at_, scrub_at_);
  if (awaited_ > 0) at = std::min(at, awaited_since_ + config_.commit_ms);
  return at;
}

std::vector<digest> block_store::take_lost(const identity& domain, std::size_t count) {
  std::vector<digest> result;
  const auto found = lost_.find(domain);
  if (found == lost_.end()) return result;
  auto& lost = found->second;
  while (result.size() < count && !lost.empty()) result.push_back(lost.extract(lost.begin()).value());
  if (lost.empty()) lost_.erase(found);
  return result;
}

} // namespace hanse
