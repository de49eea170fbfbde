// The network of a cluster: a network namespace for each node, one with a bridge, and a link from each node to it.
// Not what runs in it (cluster.hpp). Linux with iproute2, as root. The machine's own devices, addresses and routes are
// not touched: all of it is in namespaces called hanse-cluster-PID, after this process.
#pragma once

#include "hanse/app/cluster/emulated_links.hpp"
#include "hanse/app/cluster/iproute.hpp"
#include "hanse/app/cluster/scenario.hpp"

#include <map>

namespace hanse::app {

/// Thread-safe once made. Removes the namespaces in the destructor, unless kept.
class cluster_network {
public:
  /// Removes what killed runners left, makes namespaces and links, and gives all links the scenario's shape.
  /// `keep`: nodes may outlive this process, and so has the network to. Files of its own go to `directory`.
  /// Errors: `permission_denied` (not root), `not_found` (no iproute2), `io_error`: what to do is in the detail.
  static expected<std::unique_ptr<cluster_network>> make(const scenario& plan, process_starter& starter,
                                                         const std::filesystem::path& directory, bool keep);
  ~cluster_network();
  cluster_network(const cluster_network&) = delete;
  cluster_network& operator=(const cluster_network&) = delete;

  /// The node's open network namespace, and its address there.
  int network_of(const std::string& node) const;
  std::string address_of(const std::string& node) const;

  /// "veth and netem", "emulated" or "veth"; why links cannot be shaped, if so.
  const std::string& links() const noexcept { return links_; }
  const std::string& unshaped_because() const noexcept { return unshaped_; }

  /// From now on. Only if links can be shaped. Error: `io_error`.
  expected<unit> shape(const std::string& node, const link_shape& shape);

  /// Nothing passes between the groups from now on; what was under way may arrive. All nodes are in `groups`.
  expected<unit> partition(const std::vector<std::vector<std::string>>& groups);
  expected<unit> heal();

  /// Leaves all of it for the nodes that go on running. How to remove it.
  std::string keep();

private:
  struct member {
    std::string name; ///< of the node
    std::string network;
    std::string address;
    std::string port; ///< the bridge's end of its link
    unique_fd open;
  };

  cluster_network(iproute programs, const scenario& plan);
  expected<unit> build(const scenario& plan, bool keep);
  expected<unit> choose_links(const scenario& plan, bool keep);
  expected<unit> make_links();
  expected<unit> move_ports(const std::vector<std::vector<std::string>>& groups);
  const member& find(const std::string& node) const;

  iproute programs_; ///< guarded by mutex_ once made
  std::mutex mutex_;
  std::string prefix_; ///< hanse-cluster-PID: the bridge's namespace
  std::vector<member> members_;
  unique_fd bridge_;        ///< its namespace
  std::size_t bridges_ = 1; ///< br0, …: one for each group of a partition; guarded by mutex_
  std::string links_, unshaped_;
  std::unique_ptr<emulated_links> emulated_;
  bool kept_ = false;
};

} // namespace hanse::app
