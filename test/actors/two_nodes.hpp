// Two or more nodes in one process, for the tests of the actors layer.
#pragma once

#include "calculator.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/function_view.hpp>
#include <doctest/doctest.h>
#include <filesystem>
#include <stdlib.h>

inline hanse::key_pair key_of(std::uint64_t seed) {
  hanse::seeded_random random{seed};
  return hanse::key_pair::generate(random);
}

struct temporary_directory {
  std::filesystem::path path;
  temporary_directory() {
    auto name = (std::filesystem::temp_directory_path() / "hanse-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path = name;
  }
  ~temporary_directory() { std::filesystem::remove_all(path); }
};

struct node_fixture {
  struct config : caf::actor_system_config {
    config() {
      load<caf::io::middleman>();
      set("caf.scheduler.max-threads", 2);
    }
  };

  hanse::node_options options_at(std::string address, hanse::node_options o = {}) const {
    if (!address.empty()) o.listen = {std::move(address)};
    o.memory = memory;
    if (!o.sink) o.log = std::getenv("HANSE_TEST_LOG") ? hanse::log_level::trace : hanse::log_level::quiet;
    return o;
  }

  std::unique_ptr<hanse::node> start(std::string address, hanse::node_options o = {}) {
    auto n = hanse::node::start(system, options_at(std::move(address), std::move(o)));
    REQUIRE_MESSAGE(n, (n ? "" : to_string(n.error())));
    return std::move(*n);
  }

  template <class Handle, class... Ts>
  auto ask(const Handle& h, Ts... xs) {
    return caf::make_function_view(h, std::chrono::seconds{30})(xs...);
  }

  /// Polls until `condition` holds; false after thirty seconds.
  template <class F>
  static bool eventually(F condition) {
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
  }

  static std::uint64_t drops(hanse::node& n, hanse::errc reason) {
    auto all = n.services().counters.drops();
    auto i = all.find(std::string{hanse::to_string(reason)});
    return i == all.end() ? 0 : i->second;
  }

  config cfg;
  caf::actor_system system{cfg};
  std::shared_ptr<hanse::mem_network> memory = std::make_shared<hanse::mem_network>();
};
