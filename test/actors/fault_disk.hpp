// A disk for SQLite that fails as told: an in-memory VFS with write errors, a full disk, power loss with torn and lost
// writes, and fsyncs that do nothing. Not fast. Sources: SQLite's "How To Corrupt" and "Atomic Commit" pages, and
// Pillai et al., "All file systems are not created equal" (OSDI 2014) for what a power loss may leave.
#pragma once

#include "hanse/crypto/random.hpp"

#include <map>
#include <memory>
#include <string>

struct sqlite3_vfs;

namespace hanse::test {

enum class disk_fault {
  none,
  io_error,   ///< the operation fails with EIO, as do all later ones
  disk_full,  ///< with ENOSPC, for good
  full_once,  ///< with ENOSPC, once: room comes back
  power_loss, ///< everything not synced is written in part, in any order, or not at all
  lying_sync, ///< from this operation on no sync does anything; the power goes at the end
};

/// The disk. Registers a VFS of its own name while it lives.
class fault_disk {
public:
  explicit fault_disk(std::uint64_t seed);
  ~fault_disk();
  fault_disk(const fault_disk&) = delete;
  fault_disk& operator=(const fault_disk&) = delete;

  const char* vfs() const noexcept { return name_.c_str(); }

  /// The operation `at` (writes, truncations, syncs, deletions, counted from 0) meets the fault.
  void plan(disk_fault fault, std::uint64_t at) noexcept;
  std::uint64_t operations() const noexcept { return operations_; }

  /// The machine starts anew, without faults: with what the power loss left, or with everything if there was none.
  void restart(bool power_lost);

  /// Flips bits of what is on the disk, as age does.
  void damage(const std::string& file, std::uint64_t at);
  std::uint64_t size_of(const std::string& file) const;

  struct file {
    bytes now, durable;
    std::vector<std::pair<std::uint64_t, bytes>> unsynced; ///< writes since the last sync
    bool exists_durably = false;
  };
  int before_write(); ///< SQLITE_OK, or how this operation fails
  void synced(file& f);

  std::map<std::string, std::shared_ptr<file>> files;
  seeded_random random;

private:
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  disk_fault fault_ = disk_fault::none;
  std::uint64_t at_ = 0, operations_ = 0;
};

} // namespace hanse::test
