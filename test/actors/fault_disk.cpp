// See fault_disk.hpp. The file methods are of version 1: a database in exclusive mode needs no shared memory.
#include "fault_disk.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <new>

namespace hanse::test {

namespace {

constexpr std::size_t sector = 512;

struct open_file {
  sqlite3_file base;
  fault_disk* disk;
  std::shared_ptr<fault_disk::file>* content;
};

open_file& self(sqlite3_file* f) {
  return *reinterpret_cast<open_file*>(f);
}

fault_disk::file& content(sqlite3_file* f) {
  return **self(f).content;
}

int close(sqlite3_file* f) {
  delete self(f).content;
  return SQLITE_OK;
}

int read(sqlite3_file* f, void* to, int count, sqlite3_int64 at) {
  auto& octets = content(f).now;
  const auto start = std::min(static_cast<std::size_t>(at), octets.size());
  const auto part = std::min(static_cast<std::size_t>(count), octets.size() - start);
  if (part > 0) std::memcpy(to, octets.data() + start, part);
  std::memset(static_cast<char*>(to) + part, 0, static_cast<std::size_t>(count) - part);
  return part < static_cast<std::size_t>(count) ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

void write_at(bytes& octets, std::uint64_t at, byte_view data) {
  octets.resize(std::max<std::size_t>(octets.size(), at + data.size()));
  std::copy(data.begin(), data.end(), octets.begin() + static_cast<std::ptrdiff_t>(at));
}

int write(sqlite3_file* f, const void* from, int count, sqlite3_int64 at) {
  const byte_view data{static_cast<const std::byte*>(from), static_cast<std::size_t>(count)};
  if (const auto failed = self(f).disk->before_write(); failed != SQLITE_OK) {
    const auto part = self(f).disk->random.below(data.size() / sector + 1) * sector; // it may have begun
    write_at(content(f).now, static_cast<std::uint64_t>(at), data.first(part));
    if (part > 0) content(f).unsynced.emplace_back(at, to_bytes(data.first(part)));
    return failed == SQLITE_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  }
  write_at(content(f).now, static_cast<std::uint64_t>(at), data);
  content(f).unsynced.emplace_back(at, to_bytes(data));
  return SQLITE_OK;
}

int truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (self(f).disk->before_write() != SQLITE_OK) return SQLITE_IOERR_TRUNCATE;
  content(f).now.resize(static_cast<std::size_t>(size));
  return SQLITE_OK;
}

int sync(sqlite3_file* f, int) {
  if (self(f).disk->before_write() != SQLITE_OK) return SQLITE_IOERR_FSYNC;
  self(f).disk->synced(content(f));
  return SQLITE_OK;
}

int file_size(sqlite3_file* f, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(content(f).now.size());
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) {
  return SQLITE_OK;
}

int check_lock(sqlite3_file*, int* reserved) {
  *reserved = 0;
  return SQLITE_OK;
}

int control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*) {
  return sector;
}

int characteristics(sqlite3_file*) {
  return 0;
}

const sqlite3_io_methods methods{
    1,           close,           read,    write,   truncate, sync,    file_size, lock,   lock, check_lock, control,
    sector_size, characteristics, nullptr, nullptr, nullptr,  nullptr, nullptr,   nullptr};

fault_disk& disk_of(sqlite3_vfs* vfs) {
  return *static_cast<fault_disk*>(vfs->pAppData);
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* f, int flags, int* out_flags) {
  auto& disk = disk_of(vfs);
  const std::string key = name ? name : "temporary";
  if (!disk.files.contains(key)) {
    if (!(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
    disk.files[key] = std::make_shared<fault_disk::file>();
  }
  auto& o = self(f);
  o.disk = &disk;
  o.content = new std::shared_ptr<fault_disk::file>{disk.files[key]};
  o.base.pMethods = &methods;
  if (out_flags) *out_flags = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int) {
  if (disk_of(vfs).before_write() != SQLITE_OK) return SQLITE_IOERR_DELETE;
  return disk_of(vfs).files.erase(name) ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

int exists(sqlite3_vfs* vfs, const char* name, int, int* result) {
  *result = disk_of(vfs).files.contains(name);
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs* vfs, int size, char* out) {
  disk_of(vfs).random.fill({reinterpret_cast<std::byte*>(out), static_cast<std::size_t>(size)});
  return size;
}

int sleep(sqlite3_vfs*, int) {
  return 0;
}

int current_time(sqlite3_vfs*, double* now) {
  *now = 2'460'000.5;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

} // namespace

fault_disk::fault_disk(std::uint64_t seed)
    : random(seed), name_("fault-disk-" + std::to_string(reinterpret_cast<std::uintptr_t>(this))),
      vfs_(std::make_unique<sqlite3_vfs>()) {
  *vfs_ = {};
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(open_file);
  vfs_->mxPathname = 256;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = open;
  vfs_->xDelete = remove;
  vfs_->xAccess = exists;
  vfs_->xFullPathname = full_path;
  vfs_->xRandomness = randomness;
  vfs_->xSleep = sleep;
  vfs_->xCurrentTime = current_time;
  vfs_->xGetLastError = last_error;
  sqlite3_vfs_register(vfs_.get(), 0);
}

fault_disk::~fault_disk() {
  sqlite3_vfs_unregister(vfs_.get());
}

void fault_disk::plan(disk_fault fault, std::uint64_t at) noexcept {
  fault_ = fault;
  at_ = at;
  operations_ = 0;
}

int fault_disk::before_write() {
  const auto n = operations_++;
  if (n < at_) return SQLITE_OK;
  switch (fault_) {
  case disk_fault::io_error:
  case disk_fault::power_loss:
    return SQLITE_IOERR;
  case disk_fault::disk_full:
    return SQLITE_FULL;
  case disk_fault::full_once:
    return n == at_ ? SQLITE_FULL : SQLITE_OK;
  default:
    return SQLITE_OK;
  }
}

void fault_disk::synced(file& f) {
  if (fault_ == disk_fault::lying_sync && operations_ > at_) return;
  f.durable = f.now;
  f.unsynced.clear();
  f.exists_durably = true;
}

void fault_disk::restart(bool power_lost) {
  fault_ = disk_fault::none;
  for (auto i = files.begin(); i != files.end();) {
    auto& f = *i->second;
    if (!power_lost) {
      ++i;
      continue;
    }
    auto left = f.durable;
    for (const auto& [at, data] : f.unsynced) // each write in whole, in part by sectors, or not at all
      switch (random.below(3)) {
      case 0:
        break;
      case 1:
        write_at(left, at, data);
        break;
      default:
        for (std::size_t k = 0; k < data.size(); k += sector)
          if (random.below(2) == 0)
            write_at(left, at + k, byte_view{data}.subspan(k, std::min(sector, data.size() - k)));
      }
    f.now = left;
    f.durable = std::move(left);
    f.unsynced.clear();
    if (!f.exists_durably && f.now.empty()) {
      i = files.erase(i);
    } else {
      ++i;
    }
  }
}

void fault_disk::damage(const std::string& file, std::uint64_t at) {
  auto& f = *files.at(file);
  f.now.at(at) ^= std::byte{4};
  f.durable = f.now;
}

std::uint64_t fault_disk::size_of(const std::string& file) const {
  const auto found = files.find(file);
  return found == files.end() ? 0 : found->second->now.size();
}

} // namespace hanse::test
