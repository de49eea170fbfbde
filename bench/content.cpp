// Content between two real node processes over TLS on loopback, both with their stores on disk: put, get by the other
// one, get again from the own store; rates of wall clock and of processor time beside the plain hash rate of the run,
// and the memory of each process. Not the machines alone (blocks.cpp). Usage: content [MEBIBYTES [DIRECTORY]]
//
// One process a node, started by fork before any thread; lines over pipes.
#include "hanse/actors/blocks.hpp"
#include "hanse/app/memory_reuse.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <thread>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace hanse;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t piece = 1024 * 1024;

key_pair key_of(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random);
}

struct config : caf::actor_system_config {
  config() {
    load<caf::io::middleman>();
    set("caf.scheduler.max-threads", 2);
  }
};

[[noreturn]] void die(const char* what, const error& e) {
  std::fprintf(stderr, "content: %s: %s\n", what, to_string(e).c_str());
  _exit(1);
}

template <class T>
T must(expected<T> result, const char* what) {
  if (!result) die(what, result.error());
  return *std::move(result);
}

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/// The most that this process ever held, MiB.
long memory_mib() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return u.ru_maxrss / 1024;
}

/// Runs `work`; prints MB/s of wall clock, and returns the processor time that it took here.
template <class F>
double measure(const char* name, std::uint64_t octets, F&& work) {
  const auto cpu = cpu_seconds();
  const auto start = clock_type::now();
  work();
  const auto seconds = std::chrono::duration<double>(clock_type::now() - start).count();
  const auto used = cpu_seconds() - cpu;
  const auto megabytes = static_cast<double>(octets) / 1e6;
  std::printf("%-44s %8.0f %14.0f %12ld\n", name, megabytes / seconds, megabytes / used, memory_mib());
  std::fflush(stdout);
  return used;
}

/// A node with its domains and blocks.
struct host {
  host(std::uint64_t seed, const std::filesystem::path& directory) {
    std::filesystem::create_directories(directory);
    node_options o;
    o.key = key_of(seed);
    o.data_dir = directory;
    o.listen = {"tls://127.0.0.1:0"};
    o.log = log_level::error;
    o.speaks = domain_node_protocols();
    for (auto& p : block_node_protocols()) o.speaks.push_back(p);
    n = must(node::start(system, std::move(o)), "start");
    domains = must(node_domains::start(*n, {}), "domains");
    blocks = must(node_blocks::start(*n, *domains, {.directory = directory}), "blocks");
  }
  ~host() {
    blocks.reset();
    domains.reset();
    n->stop();
  }
  void enter(const signed_domain_advert& advert, std::size_t members) {
    must(domains->enter({advert, {}, "", ""}), "enter");
    await_members(members);
  }
  void await_members(std::size_t members) {
    for (int i = 0; i < 6000; ++i, std::this_thread::sleep_for(std::chrono::milliseconds{5})) {
      const auto r = must(blocks->report(), "report");
      if (!r.domains.empty() && r.domains.front().members >= members) return;
    }
    die("enter", errc::timed_out);
  }

  config cfg;
  caf::actor_system system{cfg};
  std::unique_ptr<node> n;
  std::unique_ptr<node_domains> domains;
  std::unique_ptr<node_blocks> blocks;
};

content_sink count_into(std::uint64_t& octets) {
  return [&octets](byte_view part) -> expected<unit> {
    octets += part.size();
    return ok();
  };
}

/// The one that gets: told the domain; once both are in it, the capability.
int run_getter(const std::filesystem::path& directory, int in, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  init_global_meta_objects();
  dup2(in, STDIN_FILENO);
  host h{2, directory};
  std::string ticket, urn, word;
  std::uint64_t size = 0;
  if (!(std::cin >> ticket)) return 1;
  const auto advert = must(parse_domain_ticket(ticket), "ticket");
  h.enter(advert, 2);
  if (::write(out, "in.\n", 4) != 4 || !(std::cin >> urn >> size)) return 1;
  const content_get_wish wish{.domain = advert.value.domain, .content = must(parse_eris_urn(urn), "capability")};
  const auto get = [&] {
    std::uint64_t came = 0;
    must(h.blocks->get(wish, count_into(came)), "get");
    if (came != size) die("get", {errc::bad_value, "another size"});
  };
  measure("get over TLS, from the other process", size, get);
  const auto stats = must(h.blocks->report(), "report").domains.front().stats;
  std::printf("  asked again after silence: %llu of %llu blocks\n", static_cast<unsigned long long>(stats.timeouts),
              static_cast<unsigned long long>(stats.fetched));
  if (::write(out, "got\n", 4) != 4 || !(std::cin >> word)) return 1; // the other one says what it spent meanwhile
  measure("get again, from the own store", size, get);
  return ::write(out, "end\n", 4) == 4 ? 0 : 1;
}

int run(std::uint64_t octets, const std::filesystem::path& directory) {
  int to[2], from[2];
  if (pipe(to) != 0 || pipe(from) != 0) return 1;
  const auto child = fork();
  if (child == 0) {
    close(to[1]);
    close(from[0]);
    _exit(run_getter(directory / "getter", to[0], from[1]));
  }
  close(to[0]);
  close(from[1]);
  init_global_meta_objects();
  std::printf("%-44s %8s %14s %12s\n", "", "MB/s", "MB/s of CPU", "memory MiB");
  bytes content(piece);
  seeded_random{1}.fill(content);
  measure("plain BLAKE2b-256 of 32 KiB blocks", octets, [&] {
    for (std::uint64_t at = 0; at < octets; at += piece)
      for (std::size_t k = 0; k < piece; k += stored_block_size_max)
        (void)blake2b_256(byte_view{content}.subspan(k, stored_block_size_max));
  });
  host h{1, directory / "putter"};
  domain_config c;
  c.domain = key_of(9).identity();
  c.version = 1;
  c.name = "bench";
  c.introducers = {make_introducer(must(parse_ticket(h.n->ticket()), "ticket"))};
  const auto advert = sign(c, key_of(9));
  h.enter(advert, 1);
  std::optional<content_kept> kept;
  measure("put, durable", octets, [&] {
    std::uint64_t made = 0, count = 0;
    kept = must(h.blocks->put({.domain = c.domain},
                              [&](std::span<std::byte> into) -> expected<std::size_t> {
                                const auto size = std::min<std::uint64_t>(into.size(), octets - made);
                                std::copy_n(content.begin(), size, into.begin()); // with a counter: blocks differ
                                for (std::size_t at = 0; at + 1024 <= size; at += 1024, ++count)
                                  std::memcpy(into.data() + at, &count, sizeof count);
                                made += size;
                                return size;
                              }),
                "put");
  });
  char answer[4];
  const auto tell = [&](const std::string& line) {
    return ::write(to[1], line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
           ::read(from[0], answer, 4) == 4;
  };
  if (!tell(to_ticket(advert) + "\n")) return 1;
  const auto cpu = cpu_seconds();
  if (!tell(to_urn(kept->content) + " " + std::to_string(octets) + "\n")) return 1;
  std::printf("%-44s %8s %14.0f %12ld\n", "  of which the one that serves", "",
              static_cast<double>(octets) / 1e6 / (cpu_seconds() - cpu), memory_mib());
  std::fflush(stdout);
  if (!tell("on\n")) return 1;
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

} // namespace

int main(int argc, char** argv) {
  hanse::app::keep_freed_memory(); // as the program does
  const std::uint64_t octets = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 256) * piece;
  const std::filesystem::path folder = argc > 2 ? argv[2] : std::filesystem::temp_directory_path();
  const auto directory = folder / ("hanse-bench-content-" + std::to_string(getpid()));
  const auto status = run(octets, directory);
  std::filesystem::remove_all(directory);
  return status;
}
