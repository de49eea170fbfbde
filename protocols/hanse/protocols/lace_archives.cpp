// Archives in the exchange of blocks: whom one is named to, and which offers are heard. See lace_sync.hpp; what an
// archive is and how it is taken is domains/domain_lattice.hpp.
#include "hanse/protocols/lace_sync.hpp"

namespace hanse {

void lace_sync::set_archive(block_index covers, bytes voucher) {
  archive_covers_ = covers;
  archive_voucher_ = std::move(voucher);
}

/// Much of it, or some that has no payload any more: nobody takes that but from an archive.
bool lace_sync::is_for_archive(const std::vector<block_index>& lacking) const {
  if (archive_covers_ == no_block) return false;
  const auto& g = lace_.graph();
  std::size_t covered = 0;
  for (const auto b : lacking) {
    if (!g.in_past(b, archive_covers_)) continue;
    if (g[b].bare || ++covered >= config_.archive_blocks) return true;
  }
  return false;
}

/// One that was not to be expected (a second peer's, a late one) is passed over.
void lace_sync::on_archive(const identity& from, msgpack_reader& in, time_ms now) {
  const auto voucher = in.blob(block_payload_max);
  if (!in.good() || !hears_archives(now)) return;
  archive_after_ms_ = UINT64_MAX;
  offer_ = archive_offer{from, to_bytes(voucher)};
}

} // namespace hanse
