// A node without a network for tests of the program: engines are functions, nodes talk over their control sockets.
// Not a model of the real node's behaviour under faults; it keeps the contract of control_backend.hpp and no more.
#pragma once

#include "hanse/app/node_runtime.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

namespace hanse::app {

/// Identities come from names, tickets are paths of control sockets, everything else is made up on the spot.
class fake_node final : public control_backend {
public:
  fake_node(const node_config& config, const identity& id);

  control_result status() override;
  control_result peers() override;
  control_result engines() override;
  control_result add_ticket(const std::string& ticket) override;
  control_result send(const send_request& request) override;
  control_result ping(const ping_request& request) override;
  control_result why(const why_request& request) override;
  control_result trace(const std::string& trace_id) override;
  control_result counters() override;
  control_result spawn_engine(const spawn_request& request) override;
  control_result stop_engine(const std::string& engine) override;
  control_result export_engine(const std::string& engine, const std::string& file) override;
  control_result import_engine(const std::string& file) override;
  control_result inject(const inject_request& request) override;
  void stop() override {}

private:
  using json = nlohmann::json;

  struct engine {
    std::string name;
    std::string type;
    std::string identity;
    json state; ///< what the last "put" brought
  };

  control_result handle(const engine& e, const json& body);
  control_result send_file(const std::string& path, const std::string& receiver);
  control_result ask_all(const json& request);
  std::optional<engine> find(const std::string& name_or_identity);
  json describe(const engine& e) const;
  std::string ticket() const;
  void save_peers();

  const node_config config_;
  const std::string identity_;
  std::mutex mutex_;
  std::map<std::string, engine> engines_;    ///< by name; guarded by mutex_, as all below
  std::map<std::string, std::string> peers_; ///< control socket by identity
  std::map<std::string, std::uint64_t> drops_;
};

} // namespace hanse::app
