// Links with latency, jitter, loss and a rate for kernels without netem: each is a pair of tap devices, with a thread
// of this process as the cable between them. Not a network: the far end of each cable is a port of a bridge
// (cluster_network.hpp). Costs four system calls a packet, and ends with this process.
#pragma once

#include "hanse/app/cluster/link_shape.hpp"
#include "hanse/app/line_channel.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

namespace hanse::app {

/// Makes a tap device called `name` in an open network namespace; it lives as long as the descriptor. Only a thread of
/// its own enters the namespace. Errors: `io_error`, such as: there is no /dev/net/tun.
expected<unique_fd> make_tap(int network, const std::string& name);

/// Thread-safe.
class emulated_links {
public:
  emulated_links() = default;
  ~emulated_links();
  emulated_links(const emulated_links&) = delete;
  emulated_links& operator=(const emulated_links&) = delete;

  /// Adds a link between a node's device and a port of the bridge, before `start`. Its number is the count before it.
  void add(unique_fd node, unique_fd port);

  /// Both devices of every link are up: packets pass from now on.
  void start();

  /// From the next packet on. What is under way stays so.
  void shape(std::size_t link, const link_shape& shape);

private:
  using clock = std::chrono::steady_clock;
  struct packet {
    clock::time_point due;
    std::vector<char> octets;
  };
  struct link {
    unique_fd node, port;
    link_shape shape;           ///< guarded by mutex_
    clock::time_point free{};   ///< when the last packet has passed at the rate
    std::deque<packet> waiting; ///< ascending by `due`: a link does not reorder
    std::size_t broken = 0;     ///< reads that failed: a device that is gone
  };

  void work();
  void carry(link& l);
  void receive(link& l, std::vector<char>& buffer);
  void deliver(link& l, clock::time_point now);

  std::vector<std::unique_ptr<link>> links_; ///< fixed once started; what is not guarded: the thread's alone
  std::mutex mutex_;
  std::mt19937_64 random_{std::random_device{}()};
  stop_event stopping_;
  std::thread thread_;
};

} // namespace hanse::app
