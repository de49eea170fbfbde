// Topics between real node processes over TLS on loopback, every event signed: how many events a second one node
// publishes to another; how long an event takes to all of ten nodes; what a stopped subscriber (SIGSTOP) costs the
// others. Not the machine alone (dissemination.cpp). Usage: topics [--events N] [--seconds S]
//
// One process a node, started by fork before any thread; the parent talks to them in lines over pipes. Times are of
// CLOCK_MONOTONIC, which the processes share.
#include "hanse/actors/topics.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/io/middleman.hpp>
#include <caf/stateful_actor.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace hanse;
using std::chrono::milliseconds;

constexpr std::size_t body_size = 128;          // octets, as in end_to_end.cpp
constexpr std::uint64_t credit_events = 32'768; // published and not yet delivered by the slowest that counts
constexpr std::uint64_t report_every = 2048;    // a receiver's progress
constexpr std::size_t under_way_max = 2048;     // publications that the node has not answered

std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

key_pair key_of(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random);
}

const std::uint64_t domain_seed = 1000, topic_seed = 1001;

// --- a node's process ---

struct config : caf::actor_system_config {
  config() {
    load<caf::io::middleman>();
    set("caf.scheduler.max-threads", 2);
  }
};

void say(const std::string& line) {
  const auto text = line + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(1);
}

template <class F>
void until(const char* what, F condition) {
  for (int i = 0; i < 6000; ++i, std::this_thread::sleep_for(milliseconds{5}))
    if (condition()) return;
  std::fprintf(stderr, "topics: not within 30 s: %s\n", what);
  _exit(1);
}

/// Counts, tells of it, and keeps the latencies of events that carry a time.
struct receiver {
  explicit receiver(topic_listener_actor::pointer) {}
  topic_listener_actor::behavior_type make_behavior() {
    return {[this](const std::vector<topic_delivery>& events) {
      const auto now = now_ns();
      for (const auto& e : events) {
        auto body = decode_body<std::uint64_t, std::string>(e.body.view());
        if (!body) _exit(1);
        const auto sent = std::get<0>(*body);
        if (sent != 0) say("latency " + std::to_string((now - sent) / 1000));
        ++count;
        if (count % report_every == 0) say("got " + std::to_string(count));
      }
    }};
  }
  std::uint64_t count = 0;
};

/// Publishes as fast as the node answers, as far as the credit goes.
struct source {
  std::atomic<std::uint64_t> credit = 0;
  std::uint64_t sent = 0;
  std::size_t under_way = 0;
  shared_bytes body{*encode_body(std::uint64_t{0}, std::string(body_size - 12, 'x'))};
  identity topic;
  topic_actor topics;

  void run(caf::event_based_actor* self) {
    while (under_way < under_way_max && sent < credit.load()) {
      ++sent, ++under_way;
      self->request(topics, caf::infinite, publish_atom_v, topic_publication{topic, {}, body, event_mode::causal})
          .then(
              [this, self] {
                --under_way;
                if (under_way < under_way_max / 2) run(self);
              },
              [](const caf::error& e) {
                std::fprintf(stderr, "topics: not published: %s\n", to_string(e).c_str());
                _exit(1);
              });
    }
  }
};

int run_node(std::uint64_t number, std::size_t nodes) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  init_global_meta_objects();
  config cfg;
  caf::actor_system system{cfg};
  node_options o;
  o.key = key_of(number + 1);
  o.listen = {"tls://127.0.0.1:0"};
  o.allow_private = true;
  o.log = log_level::error;
  o.speaks = domain_node_protocols();
  for (auto& p : topic_node_protocols()) o.speaks.push_back(p);
  auto n = node::start(system, std::move(o));
  if (!n) return 1;
  auto domains = node_domains::start(**n, {});
  if (!domains) return 1;
  auto topics = node_topics::start(**n, **domains, {});
  if (!topics) return 1;
  say((*n)->ticket());
  source out;
  caf::actor publisher;
  const auto topic = key_of(topic_seed).identity(), domain = key_of(domain_seed).identity();
  for (std::string word, argument; std::cin >> word >> argument;) {
    if (word == "ticket") {
      if (!(*n)->add(argument)) return 1;
    } else if (word == "domain") {
      auto advert = parse_domain_ticket(argument);
      if (!advert || !(*domains)->enter({*advert, {}, "", ""})) return 1;
      until("a member", [&] {
        auto r = (*domains)->report(domain);
        return r && r->role == domain_role::member;
      });
      say("member");
    } else if (word == "topic") {
      until("all members", [&] {
        auto r = (*domains)->report(domain);
        return r && r->members == nodes;
      });
      if (number == 0) {
        topic_advert a{topic, 1, domain, "bench", {}, {}};
        if (!(*topics)->add(sign(a, key_of(topic_seed)))) return 1;
      }
      until("the topic", [&] { return (*topics)->report(topic).has_value(); });
      auto sink = caf::actor_cast<topic_listener_actor>(system.spawn<topic_listener_actor::stateful_impl<receiver>>());
      if (!(*topics)->listen(topic, sink)) return 1;
      until("all joined", [&] {
        auto r = (*topics)->report(topic);
        return r && r->info.joined && r->info.nodes.size() + 1 == nodes;
      });
      say("joined");
    } else if (word == "paced") { // so many single events, 5 ms apart
      for (auto left = std::stoul(argument); left > 0; --left, std::this_thread::sleep_for(milliseconds{5}))
        if (!(*topics)->publish(topic, shared_bytes{*encode_body(now_ns(), std::string(body_size - 20, 'x'))}))
          return 1;
      say("published");
    } else if (word == "credit") { // up to that number of events
      out.credit = std::stoull(argument);
      if (!publisher) {
        out.topic = topic;
        out.topics = (*topics)->handle();
        publisher = system.spawn([&out](caf::event_based_actor* self) -> caf::behavior {
          return {[&out, self](tick_atom) { out.run(self); }};
        });
      }
      caf::anon_send(publisher, tick_atom_v);
    } else if (word == "counts") {
      auto r = (*topics)->report(topic);
      const auto& m = r->info.multicast;
      say("counts " + std::to_string(m.delivered) + " delivered, " + std::to_string(m.repaired) + " repaired, " +
          std::to_string(m.duplicates) + " duplicates, " + std::to_string(r->info.dissemination.payloads_received) +
          " parcels received");
    }
  }
  _exit(0); // what is measured is over
}

// --- the parent ---

struct child {
  pid_t pid = 0;
  std::FILE* in = nullptr;
  std::FILE* out = nullptr;

  void tell(const std::string& line) {
    std::fprintf(in, "%s\n", line.c_str());
    std::fflush(in);
  }
  std::string line() {
    char text[4096];
    if (!std::fgets(text, sizeof text, out)) {
      std::fprintf(stderr, "topics: a node ended\n");
      std::exit(1);
    }
    text[std::strcspn(text, "\n")] = 0;
    return text;
  }
};

/// Nodes in one domain with one topic, all subscribed; node 0 is the introducer.
struct network {
  std::vector<child> nodes;

  explicit network(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      int to[2], from[2];
      if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) std::abort();
      const auto pid = fork();
      if (pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        for (auto& other : nodes) { // or their ends would keep the others' pipes open
          close(fileno(other.in));
          close(fileno(other.out));
        }
        close(to[1]);
        close(from[0]);
        _exit(run_node(i, count));
      }
      close(to[0]);
      close(from[1]);
      nodes.push_back({pid, fdopen(to[1], "w"), fdopen(from[0], "r")});
    }
    std::vector<std::string> tickets;
    for (auto& n : nodes) tickets.push_back(n.line());
    for (std::size_t i = 1; i < count; ++i) nodes[i].tell("ticket " + tickets[0]);
    domain_config c;
    c.domain = key_of(domain_seed).identity();
    c.version = 1;
    c.name = "bench";
    c.introducers = {make_introducer(*parse_ticket(tickets[0]))};
    const auto ticket = to_ticket(sign(c, key_of(domain_seed)));
    for (auto& n : nodes) {
      n.tell("domain " + ticket);
      n.line();
    }
    for (auto& n : nodes) n.tell("topic bench");
    for (auto& n : nodes) n.line();
  }

  ~network() {
    for (auto& n : nodes) {
      ::kill(n.pid, SIGKILL);
      std::fclose(n.in);
      std::fclose(n.out);
      waitpid(n.pid, nullptr, 0);
    }
  }

  void counts(std::size_t i) {
    nodes[i].tell("counts now");
    std::string said;
    while (!(said = nodes[i].line()).starts_with("counts")) {
    }
    std::printf("  node %zu: %s\n", i, said.c_str() + 7);
  }
};

/// Node 0 publishes for `seconds`; events a second that the slowest of nodes 1 to `counting` delivered. What they had
/// delivered before is in `got`.
double goodput(network& net, std::size_t counting, double seconds, std::vector<std::uint64_t>& got) {
  std::atomic<bool> over = false;
  std::mutex mutex;
  const auto start = got;
  const auto least = [&] { return *std::min_element(got.begin() + 1, got.begin() + 1 + static_cast<long>(counting)); };
  auto credit = least() + credit_events;
  net.nodes[0].tell("credit " + std::to_string(credit));
  std::vector<std::thread> readers;
  const auto began = now_ns();
  std::vector<std::uint64_t> ended(got.size(), began);
  for (std::size_t i = 1; i <= counting; ++i)
    readers.emplace_back([&, i] {
      while (true) {
        const auto said = net.nodes[i].line();
        if (!said.starts_with("got ")) continue;
        std::lock_guard guard{mutex};
        got[i] = std::stoull(said.substr(4));
        ended[i] = now_ns();
        over = over || static_cast<double>(ended[i] - began) > seconds * 1e9;
        if (over && got[i] >= credit) return; // all that was published has arrived
        if (!over && least() + credit_events >= credit + report_every) {
          credit = least() + credit_events;
          net.nodes[0].tell("credit " + std::to_string(credit));
        }
      }
    });
  for (auto& r : readers) r.join();
  double slowest = 1e18;
  for (std::size_t i = 1; i <= counting; ++i)
    slowest = std::min(slowest, static_cast<double>(got[i] - start[i]) / (static_cast<double>(ended[i] - began) / 1e9));
  return slowest;
}

void two_processes(double seconds) {
  network net{2};
  std::vector<std::uint64_t> got(2);
  const auto rate = goodput(net, 1, seconds, got);
  std::printf("two processes: %.0f events/s, published at one node, delivered at the other\n", rate);
  net.counts(1);
}

void ten_nodes(unsigned events) {
  network net{10};
  net.nodes[0].tell("paced " + std::to_string(events));
  std::vector<std::uint64_t> last(events);
  for (std::size_t i = 1; i < 10; ++i)
    for (unsigned e = 0; e < events;) {
      const auto said = net.nodes[i].line();
      if (!said.starts_with("latency ")) continue;
      last[e] = std::max<std::uint64_t>(last[e], std::stoull(said.substr(8)));
      ++e;
    }
  std::ranges::sort(last);
  std::printf("ten nodes, one event every 5 ms, until the last one has it: p50 %.2f ms, p90 %.2f ms, p99 %.2f ms\n",
              static_cast<double>(last[events / 2]) / 1000, static_cast<double>(last[events * 9 / 10]) / 1000,
              static_cast<double>(last[events * 99 / 100]) / 1000);
  net.counts(9);
}

/// Whether two other subscribers keep at least 80% of their goodput.
bool one_stopped(double seconds) {
  network net{4};
  std::vector<std::uint64_t> got(4);
  (void)goodput(net, 2, seconds / 4, got); // warm up
  std::thread reader{[&net] {              // of the one that will be stopped: its pipe must not fill
    char text[4096];
    while (std::fgets(text, sizeof text, net.nodes[3].out)) {
    }
  }};
  const auto all = goodput(net, 2, seconds, got);
  ::kill(net.nodes[3].pid, SIGSTOP);
  const auto stopped = goodput(net, 2, seconds, got);
  std::printf("three subscribers: %.0f events/s each; one of them stopped: %.0f events/s at the others: %.0f%%\n", all,
              stopped, 100 * stopped / all);
  net.counts(1);
  net.counts(2);
  ::kill(net.nodes[3].pid, SIGKILL);
  reader.join();
  return stopped >= 0.8 * all;
}

} // namespace

int main(int argc, char** argv) {
  unsigned events = 400;
  double seconds = 5;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--events") == 0) events = static_cast<unsigned>(std::stoul(argv[i + 1]));
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::stod(argv[i + 1]);
  }
  std::signal(SIGPIPE, SIG_IGN);
  two_processes(seconds);
  ten_nodes(events);
  return one_stopped(seconds) ? 0 : 1;
}
