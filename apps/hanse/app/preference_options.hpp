// What `hanse send` and `hanse why` can ask of a message's way: options, and the keys of the request.
// Not what they mean: protocols/routing.hpp.
#pragma once

#include "hanse/app/control_backend.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

namespace hanse::app {

inline std::shared_ptr<preference_request> add_preference_options(CLI::App& command) {
  auto p = std::make_shared<preference_request>();
  auto* within = command.add_option("--within", p->within, "Only to members of this domain");
  command.add_flag("--local", p->local, "Only to this node")->excludes(within);
  command.add_option("--trust-min", p->trust_min, "Only over nodes that are trusted so much, 0 to 255");
  command.add_option("--rtt-max", p->rtt_max_ms, "Only to nodes that are nearer, in milliseconds")
      ->check(CLI::Range(1, 3'600'000));
  auto* ordered = command.add_flag("--ordered", p->ordered, "Only over transports that keep the order");
  command
      .add_flag("--unordered", p->unordered,
                "The order does not matter; with --unreliable: rather in datagrams than over a link")
      ->excludes(ordered);
  command.add_flag("--unreliable", p->unreliable, "It may get lost");
  command.add_flag("--any-security", p->any_security, "Ways without forward secrecy will do");
  return p;
}

inline void put_preferences(nlohmann::json& request, const preference_request& p) {
  if (!p.within.empty()) request["within"] = p.within;
  if (p.local) request["local"] = true;
  if (p.trust_min > 0) request["trust_min"] = p.trust_min;
  if (p.rtt_max_ms > 0) request["rtt_max_ms"] = p.rtt_max_ms;
  if (p.ordered) request["ordered"] = true;
  if (p.unordered) request["unordered"] = true;
  if (p.unreliable) request["unreliable"] = true;
  if (p.any_security) request["any_security"] = true;
}

} // namespace hanse::app
