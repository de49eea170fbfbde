// Looks at running nodes over their control sockets, again and again, and turns two looks into rates. For `hanse top`
// and `hanse dashboard`. Not how it is shown, and nothing here changes a node. What a look gives: docs/watching.md.
#pragma once

#include "hanse/app/control_client.hpp"

#include <map>
#include <nlohmann/json.hpp>

namespace hanse::app {

inline constexpr std::size_t watched_nodes_max = 64;   ///< a thread each while a look lasts; a guess
inline constexpr std::size_t watched_domains_max = 16; ///< whose members are asked for, of each node; a guess

/// One thread at a time.
class observer {
public:
  /// Looks at the nodes behind these sockets, in this order.
  explicit observer(std::vector<std::filesystem::path> sockets);

  /// Asks all at once; a node that has not answered after `wait` is shown as such, with what it was called before.
  /// {at_ms, interval_ms (since the look before; null at the first), nodes: [{socket, ok, …}]}. A number that counts is
  /// {"total": n, "per_s": x}; per_s is null until there are two looks in one life of the node.
  nlohmann::json look(std::chrono::milliseconds wait, const stop_event* cancel = nullptr);

  const std::vector<std::filesystem::path>& sockets() const noexcept { return sockets_; }

private:
  /// What a counter was at the last look that brought news of it.
  struct sample {
    double at_s = 0;
    std::uint64_t total = 0;
    std::optional<double> per_s;
  };
  struct node_memory {
    std::string name, identity;
    std::uint64_t pid = 0;
    double at_s = 0;                        ///< of the last answer in this life; 0: none
    std::map<std::string, sample> counters; ///< by path
  };

  nlohmann::json describe(std::size_t index, const nlohmann::json& answers, double at_s);
  nlohmann::json links(node_memory& memory, const nlohmann::json& peers);
  nlohmann::json topics(node_memory& memory, const nlohmann::json& topics, double at_s);
  static nlohmann::json count(node_memory& memory, const std::string& path, const nlohmann::json& value, double at_s);

  std::vector<std::filesystem::path> sockets_;
  std::vector<node_memory> memories_;
  std::optional<std::chrono::steady_clock::time_point> looked_;
};

/// The sockets to watch: those given, or those of the nodes in a cluster's directory (DIR/NAME/data/control.sock),
/// or the usual one. Errors: `not_found` (no node in that directory), `table_full` (over `watched_nodes_max`).
expected<std::vector<std::filesystem::path>> sockets_to_watch(const std::vector<std::string>& given,
                                                              const std::string& cluster);

} // namespace hanse::app
