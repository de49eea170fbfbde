// See plugin_loader.hpp. The stamp is read from the file itself: dlopen would run the plug-in's static constructors.
#include "hanse/actors/plugin_loader.hpp"

#include "hanse/actors/plugin.hpp"

#include <dlfcn.h>

#include <fstream>
#include <sstream>

namespace hanse {
namespace {

namespace fs = std::filesystem;

struct loaded_plugin {
  fs::path file;
  const plugin_entry* entry = nullptr;
};

/// Shared objects belong to the process, so the list of them does.
struct {
  std::mutex mutex;
  std::vector<loaded_plugin> all;
} plugins;

/// The value of `key` in a stamp, "" if it is not there.
std::string_view value_of(std::string_view stamp, std::string_view key) {
  while (!stamp.empty()) {
    auto line = stamp.substr(0, stamp.find('\n'));
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=')
      return line.substr(key.size() + 1);
    stamp.remove_prefix(std::min(stamp.size(), line.size() + 1));
  }
  return {};
}

expected<std::string> read_stamp(const fs::path& file) {
  std::error_code failed;
  auto size = fs::file_size(file, failed);
  if (failed) return error{fs::exists(file) ? errc::io_error : errc::not_found, failed.message()};
  if (size > plugin_file_max) return error{errc::bad_config, "the file is too large for a plug-in"};
  std::ifstream in{file, std::ios::binary};
  std::string octets(static_cast<std::size_t>(size), '\0');
  if (!in.read(octets.data(), static_cast<std::streamsize>(size))) return error{errc::io_error, "it cannot be read"};
  constexpr std::string_view mark = HANSE_STAMP_MARK;
  auto at = octets.find(mark);
  if (!octets.starts_with("\177ELF") || at == octets.npos)
    return error{errc::bad_config, "this is no plug-in of Hanse: a shared object that contains HANSE_PLUGIN(…) was "
                                   "expected; see docs/plugins.md"};
  return std::string{octets.c_str() + at + mark.size()};
}

/// CAF ends the program when a type id is registered twice: say so before.
expected<unit> check_type_ids(const plugin_entry& entry) {
  if (entry.first_type_id > entry.end_type_id) return error{errc::bad_config, "its block of type ids is upside down"};
  for (caf::type_id_t id = entry.first_type_id; id < entry.end_type_id; ++id) {
    auto taken = compat::type_name(id);
    if (taken.empty()) continue;
    return error{errc::bad_config, "its message types have the ids " + std::to_string(entry.first_type_id) + " to " +
                                       std::to_string(entry.end_type_id - 1) + ", but " + std::to_string(id) +
                                       " is already that of " + std::string{taken} +
                                       "; give its CAF_BEGIN_TYPE_ID_BLOCK another start and build it again"};
  }
  return ok();
}

expected<const plugin_entry*> open(const fs::path& file) {
  HANSE_TRY(auto stamp, read_stamp(file));
  HANSE_CHECK(check_plugin_stamp(stamp));
  // Local: two plug-ins may use the same names. Now: a missing symbol is found here and not in the middle of a run.
  auto* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = ::dlerror();
    return error{errc::bad_config, std::string{"it cannot be loaded: "} + (why ? why : "unknown") +
                                       "; link it with what it uses, but not with Hanse or CAF (hanse_add_plugin)"};
  }
  auto* entry = static_cast<const plugin_entry*>(::dlsym(handle, "hanse_plugin"));
  auto fine =
      entry ? check_type_ids(*entry) : error{errc::bad_config, "it has no entry point: HANSE_PLUGIN is missing"};
  if (fine) return entry;
  ::dlclose(handle);
  return fine.error();
}

error naming(const fs::path& file, const error& why) {
  return {why.code, "plug-in " + file.string() + ": " + why.detail};
}

} // namespace

std::string_view program_stamp() noexcept {
  return HANSE_STAMP_LINES;
}

expected<unit> check_plugin_stamp(std::string_view stamp) {
  struct {
    std::string_view key, name;
  } parts[] = {{"hanse", "Hanse"},
               {"caf", "CAF"},
               {"headers", "headers of Hanse with the hash"},
               {"type_ids", "HANSE_TYPE_ID_START"},
               {"compiler_abi", "a compiler with the C++ ABI"},
               {"library", "the C++ library"},
               {"checks", "run-time checks"}};
  auto ours = program_stamp();
  for (auto& [key, name] : parts) {
    auto theirs = value_of(stamp, key);
    if (theirs == value_of(ours, key)) continue;
    std::ostringstream text;
    text << "it was built for " << name << ' ' << (theirs.empty() ? "(none)" : theirs) << ", this program for "
         << value_of(ours, key) << "; build the plug-in again with what this program was built with";
    return error{errc::bad_version, text.str()};
  }
  return ok();
}

expected<unit> load_plugin(const fs::path& file) {
  std::error_code failed;
  auto path = fs::canonical(file, failed);
  if (failed) return naming(file, {errc::not_found, failed.message()});
  std::lock_guard guard{plugins.mutex};
  for (auto& p : plugins.all)
    if (p.file == path) return ok();
  auto entry = open(path);
  if (!entry) return naming(file, entry.error());
  (*entry)->register_types();
  plugins.all.push_back({path, *entry});
  return ok();
}

expected<unit> add_plugin_engines(engine_registry& registry) {
  std::lock_guard guard{plugins.mutex};
  for (auto& p : plugins.all)
    if (auto added = p.entry->register_engines(registry); !added) return naming(p.file, added.error());
  return ok();
}

} // namespace hanse
