// Nodes with all their actors under one seed: CAF's testing scheduler picks who runs next by the seed, links pass over
// the simulated network of transport/, and time is virtual. CAF 0.18 only: later versions have no such scheduler.
// Not the simulator of whole clusters (apps/hanse/sim), which runs machines without CAF.
#pragma once

// Not under AddressSanitizer: about 27 KiB are reported as leaked when the world ends; not traced yet.
#if __has_include(<caf/scheduler/test_coordinator.hpp>) && !defined(__SANITIZE_ADDRESS__)
#define HANSE_HAS_SEEDED_WORLD

#include "calculator.hpp"

#include "hanse/transport/sim_network.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/detail/test_actor_clock.hpp>
#include <caf/scheduler/test_coordinator.hpp>

class seeded_world {
public:
  explicit seeded_world(std::uint64_t seed, hanse::sim_path path = {1, 40})
      : random_(seed), net_(random_.next_u64(), path), system_(config_),
        scheduler_(dynamic_cast<caf::scheduler::test_coordinator&>(system_.scheduler())),
        clock_(dynamic_cast<caf::detail::test_actor_clock&>(system_.clock())) {
    memory_->between = [this](auto& from, auto& to, auto& target) { return wire(from, to, target); };
  }

  /// A node that listens at mem://`name`.
  std::unique_ptr<hanse::node> start(const std::string& name) {
    hanse::node_options o;
    o.name = name;
    o.listen = {"mem://" + name};
    o.memory = memory_;
    o.log = hanse::log_level::trace;
    o.sink = [this, name](auto, std::string_view event, const hanse::log_fields& fields) {
      auto line = name + ' ' + std::string{event};
      for (auto& [key, value] : fields) line += ' ' + value;
      note(line);
    };
    o.environment.now_us = [this] { return wall_start_us + elapsed_us(); };
    o.environment.random = std::make_shared<hanse::seeded_random>(random_.next_u64());
    o.environment.run_actors = [this] { run(now_ms() + answer_ms); };
    net_.listen(name);
    auto made = hanse::node::start(system_, std::move(o));
    return made ? std::move(*made) : nullptr;
  }

  /// Lets actors, timers and the network work until the virtual time `until`.
  void run(hanse::time_ms until) {
    for (;;) {
      while (scheduler_.has_job()) {
        auto& jobs = scheduler_.jobs;
        std::swap(jobs.front(), jobs[random_.below(jobs.size())]); // who is next is not promised to anybody
        scheduler_.run_once();
      }
      if (now_ms() >= until) return;
      auto next = std::min({until, net_.next_event_time(), next_timer_ms()});
      if (next > now_ms())
        scheduler_.advance_time(std::chrono::milliseconds{next - now_ms()});
      else
        scheduler_.advance_time(std::chrono::microseconds{1}); // a timer between two milliseconds
      for (auto& e : net_.advance(now_ms())) arrive(e);
    }
  }

  hanse::time_ms now_ms() const { return elapsed_us() / 1000; }
  hanse::random_source& random() { return random_; }
  hanse::sim_network& network() { return net_; }
  caf::actor_system& system() { return system_; }

  /// Adds a line to the trace, which is the same for the same seed.
  void note(const std::string& line) { trace_.push_back(std::to_string(now_ms()) + ' ' + line); }
  const std::vector<std::string>& trace() const { return trace_; }

private:
  static constexpr std::uint64_t wall_start_us = 1'800'000'000'000'000;
  static constexpr hanse::time_ms answer_ms = 5000; ///< longer than a link takes to close

  struct config : caf::actor_system_config {
    config() {
      load<caf::io::middleman>();
      set("caf.scheduler.policy", "testing");
      // BASP's heartbeats would come from the thread for sockets, and race for the clock, which has no lock.
      set("caf.middleman.heartbeat-interval", caf::timespan{0});
    }
  };

  std::uint64_t elapsed_us() const {
    auto elapsed = clock_.current_time.time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count());
  }

  hanse::time_ms next_timer_ms() const {
    if (clock_.schedule.empty()) return UINT64_MAX;
    auto at = clock_.schedule.begin()->first.time_since_epoch();
    return static_cast<hanse::time_ms>(std::chrono::ceil<std::chrono::milliseconds>(at).count());
  }

  /// One direction of a link: a stream of the simulated network, and an actor that writes into it.
  caf::strong_actor_ptr wire(const std::string& from, const std::string& to, const caf::strong_actor_ptr& target) {
    using namespace hanse;
    auto stream = net_.connect(from, to, now_ms());
    targets_[stream + 1] = target;
    auto write = [this, stream](const caf::byte_buffer& octets) {
      auto* first = reinterpret_cast<const std::byte*>(octets.data());
      (void)net_.send(stream, {first, octets.size()}, now_ms());
    };
    auto close = [this, stream] { net_.close(stream, now_ms()); };
    auto actor = system_.spawn([write, close](link_actor::pointer self) -> link_actor::behavior_type {
      return {
          [](std::vector<outbound>&) {},
          write,
          [](written_atom, std::uint64_t) {},
          [](credit_atom, std::uint64_t) {},
          [](connected_atom, const caf::strong_actor_ptr&) {},
          [](adverts_atom, const std::vector<bytes>&) {},
          [](inject_atom, const std::vector<bytes>&) {},
          [](remove_atom) {},
          [close, self](closed_atom, const std::string&) {
            close();
            self->quit();
          },
          [](stop_atom, const error&, bool) {},
          [](flush_atom) {},
          [](tick_atom) {},
      };
    });
    return caf::actor_cast<caf::strong_actor_ptr>(actor);
  }

  void arrive(const hanse::sim_event& e) {
    auto target = targets_.find(e.endpoint);
    if (target == targets_.end()) return;
    auto link = caf::actor_cast<hanse::link_actor>(target->second);
    if (e.what == hanse::sim_event::kind::data) {
      auto* first = reinterpret_cast<const hanse::compat::byte_type*>(e.octets.data());
      hanse::compat::anon_send(link, caf::byte_buffer{first, first + e.octets.size()});
    } else if (e.what == hanse::sim_event::kind::closed) {
      targets_.erase(target);
      hanse::compat::anon_send(link, hanse::closed_atom_v, std::string{"the simulated stream has ended"});
    }
  }

  hanse::seeded_random random_;
  hanse::sim_network net_;
  config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator& scheduler_;
  const caf::detail::test_actor_clock& clock_;
  std::shared_ptr<hanse::mem_network> memory_ = std::make_shared<hanse::mem_network>();
  std::map<hanse::endpoint_id, caf::strong_actor_ptr> targets_; // by the accepting end of a stream
  std::vector<std::string> trace_;
};

#endif
