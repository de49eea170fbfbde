// Makes the namespaces with iproute2. A partition puts the ports of each group on a bridge of their own: packets
// between groups get lost without a word, as no device goes down and no route is missing at any node. Links are veth
// pairs with netem on the bridge's end (there, because a sender whose packets wait in its own qdisc is slowed down by
// its kernel), or emulated ones where the kernel has no netem.
#include "hanse/app/cluster/cluster_network.hpp"

#include "hanse/app/text_file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <set>
#include <sstream>

namespace hanse::app {
namespace {

constexpr std::string_view name_start = "hanse-cluster-";
constexpr auto names_directory = "/run/netns/"; // where `ip netns` has them

/// 10.0.0.1, …: private (RFC 1918), and known to nobody outside the namespaces.
std::string address_number(std::size_t i) {
  return "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
}

/// The process id in hanse-cluster-PID or hanse-cluster-PID-NODE; 0: another name.
pid_t maker_of(std::string_view name) {
  if (!name.starts_with(name_start)) return 0;
  name.remove_prefix(name_start.size());
  pid_t pid = 0;
  auto end = std::from_chars(name.data(), name.data() + name.size(), pid);
  auto rest = std::string_view{end.ptr, static_cast<std::size_t>(name.data() + name.size() - end.ptr)};
  return end.ec == std::errc{} && (rest.empty() || rest.front() == '-') ? pid : 0;
}

/// Removes the namespaces of runners that are gone, unless nodes that they kept still run in one of them.
void remove_leftovers(iproute& programs) {
  auto list = programs.ip({"netns", "list"});
  if (!list) return;
  std::map<pid_t, std::vector<std::string>> found;
  std::istringstream lines{*list};
  for (std::string line; std::getline(lines, line);) {
    auto name = line.substr(0, line.find(' '));
    auto maker = maker_of(name);
    auto gone = maker == ::getpid() || (maker > 0 && ::kill(maker, 0) != 0 && errno == ESRCH);
    if (gone) found[maker].push_back(std::move(name));
  }
  for (const auto& [maker, names] : found) {
    auto lived_in = std::any_of(names.begin(), names.end(), [&](const auto& name) {
      auto pids = programs.ip({"netns", "pids", name});
      return pids && !pids->empty();
    });
    std::string batch;
    for (const auto& name : names) batch += "netns del " + name + "\n";
    // Another runner may be removing them, too.
    if (auto removed = lived_in ? ok() : programs.ip_batch("", batch, true); !removed) continue;
  }
}

expected<unique_fd> open_network(const std::string& name) {
  auto file = names_directory + name;
  unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return io_failure(file, errno);
  return fd;
}

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::vector<std::string> netem_arguments(const std::string& network, const std::string& port, const link_shape& s) {
  std::vector<std::string> a{"-netns", network, "qdisc", "replace", "dev",
                             port,     "root",  "netem", "limit",   std::to_string(s.packets_max())};
  if (s.latency_ms > 0) a.insert(a.end(), {"delay", std::to_string(s.latency_ms) + "ms"});
  if (s.jitter_ms > 0) a.push_back(std::to_string(s.jitter_ms) + "ms");
  if (s.loss_percent > 0) a.insert(a.end(), {"loss", decimal(s.loss_percent) + "%"});
  // Always: a change keeps the rate before, unlike all else (seen with Linux 6.1).
  a.insert(a.end(), {"rate", s.rate_mbit > 0 ? decimal(s.rate_mbit) + "mbit" : "0bit"});
  return a;
}

} // namespace

expected<std::unique_ptr<cluster_network>> cluster_network::make(const scenario& plan, process_starter& starter,
                                                                 const std::filesystem::path& directory, bool keep) {
  if (::geteuid() != 0) return error{errc::permission_denied, "network namespaces take root; run it as root"};
  HANSE_TRY(auto programs, iproute::find(starter, directory / "network.log"));
  remove_leftovers(programs);
  std::unique_ptr<cluster_network> network{new cluster_network{std::move(programs), plan}};
  HANSE_CHECK(network->build(plan, keep));
  return network;
}

cluster_network::cluster_network(iproute programs, const scenario& plan)
    : programs_(std::move(programs)), prefix_(std::string{name_start} + std::to_string(::getpid())) {
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const auto& name = plan.nodes[i].name;
    members_.push_back({name, prefix_ + "-" + name, address_number(i), "n" + std::to_string(i + 1), {}});
  }
}

cluster_network::~cluster_network() {
  emulated_.reset();
  if (kept_) return;
  std::string batch;
  for (auto& m : members_) {
    m.open.reset();
    batch += "netns del " + m.network + "\n";
  }
  bridge_.reset();
  (void)programs_.ip_batch("", batch + "netns del " + prefix_ + "\n", true); // some may not be there, after a failure
}

const cluster_network::member& cluster_network::find(const std::string& node) const {
  // The scenario was checked: every name is there.
  return *std::find_if(members_.begin(), members_.end(), [&](const auto& m) { return m.name == node; });
}

int cluster_network::network_of(const std::string& node) const {
  return find(node).open.get();
}

std::string cluster_network::address_of(const std::string& node) const {
  return find(node).address;
}

expected<unit> cluster_network::build(const scenario& plan, bool keep) {
  std::string batch = "netns add " + prefix_ + "\n";
  for (const auto& m : members_) batch += "netns add " + m.network + "\n";
  HANSE_CHECK(programs_.ip_batch("", batch));
  for (auto& m : members_) {
    HANSE_TRY(m.open, open_network(m.network));
  }
  HANSE_TRY(bridge_, open_network(prefix_));
  HANSE_CHECK(choose_links(plan, keep));
  HANSE_CHECK(make_links());
  std::string ports = "link add br0 type bridge\nlink set br0 up\n";
  for (const auto& m : members_) {
    HANSE_CHECK(programs_.ip_batch(m.network, "link set lo up\nlink set eth0 gso_max_segs 1\nlink set eth0 up\n"
                                              "address add " +
                                                  m.address + "/16 dev eth0\n"));
    ports += "link set " + m.port + " master br0\nlink set " + m.port + " up\n";
  }
  HANSE_CHECK(programs_.ip_batch(prefix_, ports));
  if (emulated_) emulated_->start();
  if (!plan.link.plain() && unshaped_.empty())
    for (const auto& m : members_) HANSE_CHECK(shape(m.name, plan.link));
  return ok();
}

expected<unit> cluster_network::choose_links(const scenario& plan, bool keep) {
  links_ = "veth";
  auto probe = programs_.tc(netem_arguments(prefix_, "lo", {}));
  if (probe) return ok();
  if (plan.link.plain() && !shapes_links(plan.steps)) return ok(); // nobody asks for it
  auto tap = make_tap(bridge_.get(), "probe");
  if (tap && !keep) {
    links_ = "emulated";
    emulated_ = std::make_unique<emulated_links>();
    return ok();
  }
  unshaped_ = "this kernel has no netem (modprobe sch_netem; " + probe.error().detail + "), and to emulate links ";
  unshaped_ +=
      tap ? "the runner would have to go on, which --keep excludes" : "it has no tap devices: " + tap.error().detail;
  if (plan.network == network_kind::automatic) return ok();
  return error{errc::io_error, unshaped_};
}

/// Links between nodes and the bridge's namespace. Large packets are not put together (gso_max_segs 1): losing one
/// would be losing forty.
expected<unit> cluster_network::make_links() {
  if (!emulated_) {
    std::string batch;
    for (const auto& m : members_)
      batch += "link add eth0 netns " + m.network + " type veth peer name " + m.port + " netns " + prefix_ + "\n";
    return programs_.ip_batch("", batch);
  }
  for (const auto& m : members_) {
    HANSE_TRY(auto node, make_tap(m.open.get(), "eth0"));
    HANSE_TRY(auto port, make_tap(bridge_.get(), m.port));
    emulated_->add(std::move(node), std::move(port));
  }
  return ok();
}

expected<unit> cluster_network::shape(const std::string& node, const link_shape& shape) {
  const auto& m = find(node);
  if (emulated_) {
    emulated_->shape(static_cast<std::size_t>(&m - members_.data()), shape);
    return ok();
  }
  std::lock_guard lock{mutex_};
  HANSE_CHECK(programs_.tc(netem_arguments(prefix_, m.port, shape)));
  return ok();
}

expected<unit> cluster_network::move_ports(const std::vector<std::vector<std::string>>& groups) {
  std::lock_guard lock{mutex_};
  std::string batch;
  for (; bridges_ < groups.size(); ++bridges_) {
    const auto bridge = "br" + std::to_string(bridges_);
    batch += "link add " + bridge + " type bridge\nlink set " + bridge + " up\n";
  }
  for (std::size_t i = 0; i < groups.size(); ++i)
    for (const auto& node : groups[i]) batch += "link set " + find(node).port + " master br" + std::to_string(i) + "\n";
  return programs_.ip_batch(prefix_, batch);
}

expected<unit> cluster_network::partition(const std::vector<std::vector<std::string>>& groups) {
  return move_ports(groups);
}

expected<unit> cluster_network::heal() {
  std::vector<std::string> all;
  for (const auto& m : members_) all.push_back(m.name);
  return move_ports({all});
}

std::string cluster_network::keep() {
  kept_ = true;
  auto text = "ip netns del " + prefix_;
  for (const auto& m : members_) text += "; ip netns del " + m.network;
  return text;
}

} // namespace hanse::app
