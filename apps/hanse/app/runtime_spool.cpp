// The spool of the program's node: what `hanse spool ls` asks of it. It tells names and sizes; the node's own actor is
// the one that reads, writes and removes (actors/spool_engine.hpp).
#include "hanse/actors/spool_directory.hpp"
#include "hanse/app/command.hpp"
#include "hanse/app/runtime_backend.hpp"
#include "hanse/transport/spool.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hanse::app {

using nlohmann::json;

control_result runtime_backend::spool(const spool_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  const auto& path = config_.spool.directory;
  if (path.empty())
    return error{errc::not_found,
                 "this node has no spool; name one in its configuration: \"listen\": [\"spool:///DIR\"]"};
  HANSE_TRY(const auto directory, spool_directory::open(path));
  HANSE_TRY(const auto names, directory.list(spool_files_max));
  auto files = json::array();
  for (auto i = std::ranges::upper_bound(names, request.after); i != names.end() && files.size() < request.count; ++i) {
    std::error_code gone; // taken or carried away meanwhile
    const auto octets = std::filesystem::file_size(path / *i, gone);
    if (gone) continue;
    json file{{"file", *i}, {"octets", octets}, {"recipient", nullptr},
              {"name", ""}, {"here", false},    {"expires_ms", nullptr}};
    if (const auto name = parse_bundle_name(*i)) {
      file["recipient"] = to_string(name->recipient);
      file["name"] = name_of(name->recipient);
      file["here"] = name->recipient == node_->id();
      file["expires_ms"] = name->expires_ms;
    }
    files.push_back(std::move(file));
  }
  return json{{"directory", directory.path().string()}, {"files", std::move(files)}, {"now_ms", wall_clock_ms()}};
}

} // namespace hanse::app
