// See the header. Files are made by openat below a directory that this process has made, and never through a link.
#include "hanse/app/content_tree.hpp"

#include "hanse/app/text_file.hpp"
#include "hanse/domains/directory_manifest.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;

constexpr mode_t mode_mask = 0777;

error at_path(const fs::path& path, const error& e) {
  return {e.code, path.string() + ": " + (e.detail.empty() ? std::string{to_string(e.code)} : e.detail)};
}

class tree_putter {
public:
  tree_putter(const content_client& client, tree_summary& done, const tree_watch& watch)
      : client_(client), done_(done), watch_(watch) {
    done_.replicas = client.replicas;
  }

  expected<std::string> put(const fs::path& directory, std::size_t depth, std::uint64_t& octets) {
    if (depth >= manifest_depth_max) return at_path(directory, {errc::too_deep, "directories within each other"});
    directory_manifest manifest;
    std::error_code failed;
    for (fs::directory_iterator i{directory, failed}, end; !failed && i != end; i.increment(failed)) {
      if (manifest.entries.size() >= manifest_entries_max)
        return at_path(directory, {errc::too_long, "over " + std::to_string(manifest_entries_max) + " entries"});
      HANSE_TRY(auto entry, put_entry(i->path(), depth));
      if (entry) manifest.entries.push_back(*std::move(entry));
    }
    if (failed) return error{errc::io_error, directory.string() + ": " + failed.message()};
    for (const auto& e : manifest.entries) octets += e.size;
    auto encoded = encode(std::move(manifest));
    if (!encoded) return at_path(directory, encoded.error());
    HANSE_TRY(const auto file, memory_file(*encoded));
    ++done_.directories;
    return put_file(file.get());
  }

private:
  expected<std::optional<manifest_entry>> put_entry(const fs::path& path, std::size_t depth) {
    manifest_entry e;
    e.name = path.filename().string();
    struct stat is {};
    if (::lstat(path.c_str(), &is) != 0) return io_failure(path, errno);
    e.mode = static_cast<std::uint16_t>(is.st_mode & mode_mask);
    std::string urn;
    if (!is_manifest_name(e.name)) return at_path(path, {errc::bad_value, "a name that cannot be in a manifest"});
    if (S_ISDIR(is.st_mode)) {
      e.kind = manifest_kind::directory;
      HANSE_TRY(urn, put(path, depth + 1, e.size));
    } else if (S_ISREG(is.st_mode)) {
      HANSE_TRY(const auto file, open_to_read(path));
      if (watch_) watch_(path.string(), static_cast<std::uint64_t>(is.st_size));
      const auto before = done_.octets;
      HANSE_TRY(urn, put_file(file.get()));
      ++done_.files;
      e.size = done_.octets - before;
    } else {
      done_.left_out.push_back(path.string());
      return std::optional<manifest_entry>{};
    }
    HANSE_TRY(e.content, parse_eris_urn(urn));
    return std::optional{std::move(e)};
  }

  expected<std::string> put_file(int file) {
    HANSE_TRY(const auto answer, client_.put(file));
    done_.octets += answer.at("octets").get<std::uint64_t>();
    done_.replicas = std::min(done_.replicas, static_cast<std::uint32_t>(answer.at("replicas").size()));
    return answer.at("content").get<std::string>();
  }

  const content_client& client_;
  tree_summary& done_;
  const tree_watch& watch_;
};

class tree_getter {
public:
  tree_getter(const content_client& client, tree_summary& done, const tree_watch& watch)
      : client_(client), done_(done), watch_(watch) {}

  expected<unit> get(const std::string& content, int directory, const fs::path& path, std::size_t depth) {
    if (depth >= manifest_depth_max) return at_path(path, {errc::too_deep, "directories within each other"});
    HANSE_TRY(const auto file, memory_file({}));
    auto got = client_.get(content, file.get(), manifest_size_max);
    if (!got && got.error() == errc::too_long) return not_a_directory(path);
    if (!got) return got.error();
    HANSE_TRY(const auto octets, read_all(file.get(), manifest_size_max));
    const auto manifest = decode_manifest(octets);
    if (!manifest) return not_a_directory(path);
    ++done_.directories;
    for (const auto& e : manifest->entries) HANSE_CHECK(get_entry(e, directory, path / e.name, depth));
    return ok();
  }

private:
  static error not_a_directory(const fs::path& path) {
    return {errc::bad_type, path.string() + ": the content is no directory; get it with -o FILE"};
  }

  expected<unit> get_entry(const manifest_entry& e, int directory, const fs::path& path, std::size_t depth) {
    if (e.kind == manifest_kind::directory) {
      if (::mkdirat(directory, e.name.c_str(), 0700) != 0) return io_failure(path, errno);
      unique_fd below{::openat(directory, e.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
      if (!below) return io_failure(path, errno);
      HANSE_CHECK(get(to_urn(e.content), below.get(), path, depth + 1));
      return set_mode(below.get(), e.mode, path); // last: it may forbid to write
    }
    unique_fd file{::openat(directory, e.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) return io_failure(path, errno);
    if (watch_) watch_(path.string(), e.size);
    auto got = client_.get(to_urn(e.content), file.get(), e.size);
    if (!got) return at_path(path, got.error());
    const auto octets = got->at("octets").get<std::uint64_t>();
    if (octets != e.size) return at_path(path, {errc::bad_value, "its size is not what the directory says"});
    ++done_.files;
    done_.octets += octets;
    return set_mode(file.get(), e.mode, path);
  }

  static expected<unit> set_mode(int file, std::uint16_t mode, const fs::path& path) {
    const auto mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file, mode & mode_mask & ~mask) != 0) return io_failure(path, errno);
    return ok();
  }

  const content_client& client_;
  tree_summary& done_;
  const tree_watch& watch_;
};

} // namespace

expected<std::string> put_tree(const content_client& client, const fs::path& directory, tree_summary& done,
                               const tree_watch& watch) {
  std::uint64_t octets = 0;
  return tree_putter{client, done, watch}.put(directory, 0, octets);
}

expected<unit> get_tree(const content_client& client, const std::string& content, const fs::path& directory,
                        tree_summary& done, const tree_watch& watch) {
  if (::mkdir(directory.c_str(), 0777) != 0) {
    std::error_code ignored;
    if (errno != EEXIST) return io_failure(directory, errno);
    if (!fs::is_directory(directory, ignored) || !fs::is_empty(directory, ignored))
      return error{errc::already_exists, directory.string() + " is there already, and not an empty directory"};
  }
  unique_fd root{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!root) return io_failure(directory, errno);
  return tree_getter{client, done, watch}.get(content, root.get(), directory, 0);
}

} // namespace hanse::app
