// Steps of a scenario that are about content: putting a file, and getting it while nodes that keep it are killed. The
// others are step_runner.cpp and its neighbours.
#include "hanse/app/cluster/step_runner.hpp"

#include "hanse/app/content_transfer_client.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/app/text_table.hpp"
#include "hanse/crypto/random.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <thread>

namespace hanse::app {

using nlohmann::json;

namespace {

constexpr std::size_t piece_size = 1024 * 1024;

expected<unit> write_all(int file, byte_view octets) {
  while (!octets.empty()) {
    const auto n = ::write(file, octets.data(), octets.size());
    if (n < 0 && errno != EINTR) return io_failure("content", errno);
    if (n > 0) octets = octets.subspan(static_cast<std::size_t>(n));
  }
  return ok();
}

/// Octets that do not repeat, the same ones in every run.
expected<unit> generate(const std::filesystem::path& file, std::uint64_t mebibytes) {
  unique_fd out{::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!out) return io_failure(file, errno);
  seeded_random random{mebibytes};
  bytes piece(piece_size);
  for (std::uint64_t i = 0; i < mebibytes; ++i) {
    random.fill(piece);
    HANSE_CHECK(write_all(out.get(), piece));
  }
  return ok();
}

std::string rate_text(std::uint64_t octets, std::chrono::steady_clock::time_point since) {
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
  return size_text(octets) + " in " + duration_text(static_cast<std::uint64_t>(seconds * 1e6));
}

} // namespace

expected<step_runner::kept_content> step_runner::content(const std::string& name) {
  std::lock_guard guard{trials_mutex_};
  const auto i = contents_.find(name);
  if (i == contents_.end()) return error{errc::not_found, "the content " + name + " was not put"};
  return i->second;
}

step_runner::result step_runner::run(const content_put_step& s, work& w) {
  auto file = s.file;
  if (file.empty()) {
    file = cluster_.directory() / (s.content + ".content");
    HANSE_CHECK(generate(file, s.mebibytes));
  }
  HANSE_TRY(const auto hash, hash_file(file));
  HANSE_TRY(const auto domain, cluster_.domain(s.domain));
  HANSE_TRY(const auto opened, open_to_read(file));
  w.scope.involve(s.node);
  const auto start = std::chrono::steady_clock::now();
  content_client client;
  client.socket = cluster_.socket_of(s.node);
  client.domain = domain.identity;
  client.replicas = s.replicas;
  client.cancel = &w.scope.abort;
  HANSE_TRY(const auto answer, client.put(opened.get()));
  kept_content c{answer.at("content"), domain.identity, s.node, hash.hash, hash.size, {}};
  std::string names;
  for (const auto& r : answer.at("replicas"))
    for (const auto& n : cluster_.nodes())
      if (n.identity == r.at("node")) {
        c.keepers.push_back(n.name);
        names += (names.empty() ? ", also at " : ", ") + n.name;
      }
  if (c.keepers.size() < s.replicas)
    return error{errc::not_found,
                 "only " + std::to_string(c.keepers.size()) + " other nodes keep it: " + answer.at("refusal").dump()};
  std::lock_guard guard{trials_mutex_};
  contents_[s.content] = std::move(c);
  return step_outcome{1, rate_text(hash.size, start) + names};
}

/// Reads what the node writes; when half of it is here, the rest waits in the node until `at_half` is done.
expected<unit> step_runner::receive(const kept_content& c, int from, const std::filesystem::path& to,
                                    std::uint64_t half, const std::function<expected<unit>()>& at_half, work& w) {
  unique_fd out{::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (!out) return io_failure(to, errno);
  bytes piece(piece_size);
  std::uint64_t came = 0;
  for (bool halved = false;;) {
    if (!halved && came >= half) {
      halved = true;
      HANSE_CHECK(at_half());
    }
    pollfd entries[2] = {{from, POLLIN, 0}, {w.scope.abort.fd(), POLLIN, 0}};
    const auto ready = ::poll(entries, 2, static_cast<int>(std::min<std::int64_t>(w.scope.left().count(), 1000)));
    if (entries[1].revents != 0) return errc::cancelled;
    if (ready == 0 && std::chrono::steady_clock::now() >= w.scope.deadline)
      return error{errc::timed_out, size_text(came) + " of " + size_text(c.size) + " came"};
    if (ready <= 0) continue;
    const auto n = ::read(from, piece.data(), piece.size());
    if (n < 0 && errno != EINTR) return io_failure("a pipe", errno);
    if (n == 0) return ok();
    if (n < 0) continue;
    came += static_cast<std::uint64_t>(n);
    HANSE_CHECK(write_all(out.get(), byte_view{piece}.first(static_cast<std::size_t>(n))));
    w.progress(came >> 20, c.size >> 20);
  }
}

step_runner::result step_runner::run(const content_get_step& s, work& w) {
  HANSE_TRY(const auto c, content(s.content));
  auto node = s.node;
  for (const auto& n : cluster_.nodes())
    if (node.empty() && n.running && n.name != c.node && std::ranges::count(c.keepers, n.name) == 0) node = n.name;
  if (node.empty()) return error{errc::not_found, "every node keeps the content; name one with \"node\""};
  std::vector<std::string> victims;
  for (const auto& n : c.keepers)
    if (victims.size() < s.kill && n != node && n != c.node) victims.push_back(n);
  if (victims.size() < s.kill) return error{errc::not_found, "fewer nodes keep it than are to be killed"};
  w.scope.involve(node);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return io_failure("a pipe", errno);
  unique_fd from{ends[0]}, to{ends[1]};
  content_client client;
  client.socket = cluster_.socket_of(node);
  client.domain = c.domain;
  client.cancel = &w.scope.abort;
  const auto start = std::chrono::steady_clock::now();
  control_result answer = errc::internal;
  std::thread getter{[&, end = std::move(to)]() mutable {
    answer = client.get(c.capability, end.get());
    end.reset(); // the end of what comes
  }};
  const auto file = cluster_.directory() / (s.content + "." + node);
  const auto received = receive(
      c, from.get(), file, victims.empty() ? UINT64_MAX : c.size / 4,
      [&]() -> expected<unit> {
        for (const auto& n : victims) HANSE_CHECK(cluster_.kill(n, w.scope));
        return ok();
      },
      w);
  if (!received) from.reset(); // the node's next write fails: the getter ends
  getter.join();
  for (const auto& n : victims) HANSE_CHECK(cluster_.start(n, w.scope));
  if (!answer) return error{answer.code(), node + ": " + answer.error().detail};
  if (!received) return received.error();
  HANSE_TRY(const auto hash, hash_file(file));
  if (hash.hash != c.hash) return error{errc::bad_checksum, "other octets came out at " + node + " than were put"};
  std::string names;
  for (const auto& n : victims) names += (names.empty() ? "; killed meanwhile: " : ", ") + n;
  return step_outcome{1, rate_text(hash.size, start) + " at " + node + ", from " +
                             std::to_string(answer->at("sources").size()) + " nodes" + names + "; same hash"};
}

} // namespace hanse::app
