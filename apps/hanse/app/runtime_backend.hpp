// The control backend over a real node: what the control socket asks, answered through hanse::node. Not the socket.
#pragma once

#include "hanse/actors/blocks.hpp"
#include "hanse/actors/datagrams.hpp"
#include "hanse/actors/domains.hpp"
#include "hanse/actors/engine_registry.hpp"
#include "hanse/actors/relays.hpp"
#include "hanse/actors/spools.hpp"
#include "hanse/actors/topics.hpp"
#include "hanse/app/node_runtime.hpp"

#include <caf/actor_system_config.hpp>

#include <atomic>
#include <shared_mutex>

namespace hanse::app {

/// CAF's configuration for the program: io, two or more workers, metrics as configured.
struct runtime_config : caf::actor_system_config {
  explicit runtime_config(const node_config& config);
};

class runtime_backend final : public control_backend {
public:
  runtime_backend(node_config config, node_secrets secrets);
  ~runtime_backend() override;

  /// Starts the node and its engines. Errors: see start_node.
  expected<unit> start(node_events events);

  control_result status() override;
  control_result peers() override;
  control_result engines() override;
  control_result add_ticket(const std::string& ticket) override;
  control_result send(const send_request& request) override;
  control_result ping(const ping_request& request) override;
  control_result why(const why_request& request) override;
  control_result trust(const std::string& who, std::uint8_t trust) override;
  control_result trace(const std::string& trace_id) override;
  control_result traces() override;
  control_result counters() override;
  control_result spawn_engine(const spawn_request& request) override;
  control_result stop_engine(const std::string& engine) override;
  control_result export_engine(const std::string& engine, const std::string& file) override;
  control_result import_engine(const std::string& file) override;
  control_result inject(const inject_request& request) override;
  control_result domain(const domain_request& request) override;
  control_result topic(const topic_request& request) override;
  control_result block(const block_request& request, const control_channel& channel) override;
  control_result spool(const spool_request& request) override;
  void stop() override;

private:
  using lock = std::shared_lock<std::shared_mutex>;

  expected<unit> start_engines();
  expected<unit> start_domains();
  expected<unit> start_ways(std::unique_ptr<datagram_sockets> udp);
  expected<enrolment> read_enrolment(const std::string& advert, const std::string& key_file,
                                     const std::string& instance) const;
  expected<identity> resolve_topic(const std::string& text);
  expected<identity> resolve_domain(const std::string& text);
  expected<identity> resolve_own_domain(const std::string& text);
  control_result put_content(const block_request& request, const control_channel& channel);
  control_result get_content(const block_request& request, const control_channel& channel);
  control_result block_stat();
  control_result list_blocks(const block_request& request);
  control_result domain_status(const domain_request& request);
  control_result domain_members(const identity& domain);
  control_result domain_checkpoint(const identity& domain, const domain_request& request);
  control_result domain_graph(const identity& domain, std::uint32_t blocks);
  control_result publish_domain(const domain_request& request);
  expected<unit> start_imported();
  expected<identity> spawn(const engine_config& engine, engine_options options);
  expected<identity> start_imported_file(const std::filesystem::path& file);
  expected<key_pair> engine_key(const engine_config& engine);
  expected<identity> resolve(const std::string& text);
  expected<std::pair<routing_preferences, transport_preferences>> preferences(const preference_request& wants);
  expected<engine_entry> local_engine(const std::string& text);
  std::string name_of(const identity& id);
  expected<answer> wait_for(post p, std::chrono::milliseconds timeout);
  std::filesystem::path engines_dir() const { return config_.data_dir / "engines"; }
  expected<unit> running() const;

  node_config config_;
  node_secrets secrets_;
  runtime_config caf_config_;
  caf::actor_system system_;
  engine_registry registry_;
  std::unique_ptr<node> node_;
  std::unique_ptr<node_relay> relay_;
  std::unique_ptr<node_spool> spool_;
  std::unique_ptr<node_datagrams> datagrams_;
  std::unique_ptr<node_domains> domains_;
  std::unique_ptr<node_topics> topics_;
  std::unique_ptr<node_blocks> blocks_;
  std::mutex parameters_mutex_;
  std::map<identity, std::string> parameters_; ///< of engines spawned by type, for export
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::FILE* log_file_ = nullptr;
  std::shared_mutex stopping_; ///< shared by every call, exclusive in stop
  bool stopped_ = false;
  std::atomic<bool> ending_ = false; ///< set before stop waits for the calls: those that take long give up
};

/// As a list of texts.
nlohmann::json identities(const std::vector<identity>& list);

/// The one of `known` (name, identity) that is called `name`; `kind` and `see` are for the errors: a word, and the
/// command that lists them. Errors: `not_found`, `bad_value` (several).
expected<identity> one_called(const std::string& name, const std::vector<std::pair<std::string, identity>>& known,
                              const std::string& kind, const std::string& see);

/// Whether a user gave an identity, not a name.
bool is_identity_text(std::string_view text);

} // namespace hanse::app
