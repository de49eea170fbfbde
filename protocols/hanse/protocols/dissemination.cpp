// The registry of dissemination protocols and their parameters; see dissemination.hpp.
#include "hanse/protocols/dissemination.hpp"

#include "hanse/protocols/full_mesh.hpp"
#include "hanse/protocols/plumtree.hpp"

#include <charconv>

namespace hanse {

namespace {

expected<std::unique_ptr<dissemination>> make_full_mesh(const dissemination_context& context,
                                                        const dissemination_params& params) {
  full_mesh_config config;
  std::uint64_t queue = config.queue_octets_max;
  param_reader in{params};
  in.number("queue_octets", 1024 * 1024, 1 << 30, queue);
  HANSE_CHECK(in.finish());
  config.queue_octets_max = queue;
  return std::unique_ptr<dissemination>{std::make_unique<full_mesh>(context, config)};
}

expected<std::unique_ptr<dissemination>> make_plumtree(const dissemination_context& context,
                                                       const dissemination_params& params) {
  plumtree_config config;
  std::uint64_t active = config.overlay.active_max, passive = config.overlay.passive_max, arwl = config.overlay.arwl;
  std::uint64_t prwl = config.overlay.prwl, shuffle = config.overlay.shuffle_ms, ping = config.overlay.ping_ms;
  std::uint64_t threshold = config.optimisation_hops, queue = config.queue_octets_max;
  param_reader in{params};
  in.number("active", 2, 64, active);
  in.number("passive", 4, 1024, passive);
  in.number("arwl", 1, 32, arwl);
  in.number("prwl", 1, 32, prwl);
  in.number("shuffle_ms", 1000, 3'600'000, shuffle);
  in.number("ping_ms", 100, 600'000, ping);
  in.number("optimisation_hops", 1, 1000, threshold);
  in.number("queue_octets", 1024 * 1024, 1 << 30, queue);
  HANSE_CHECK(in.finish());
  config.overlay.active_max = active;
  config.overlay.passive_max = passive;
  config.overlay.arwl = static_cast<std::uint32_t>(arwl);
  config.overlay.prwl = static_cast<std::uint32_t>(prwl);
  config.overlay.shuffle_ms = static_cast<std::uint32_t>(shuffle);
  config.overlay.ping_ms = static_cast<std::uint32_t>(ping);
  config.optimisation_hops = static_cast<std::uint32_t>(threshold);
  config.queue_octets_max = queue;
  return std::unique_ptr<dissemination>{std::make_unique<plumtree>(context, config)};
}

} // namespace

dissemination_registry dissemination_registry::builtin() {
  dissemination_registry r;
  r.add("full-mesh/1", make_full_mesh);
  r.add("plumtree/1", make_plumtree);
  return r;
}

expected<std::unique_ptr<dissemination>> dissemination_registry::make(const std::string& name,
                                                                      const dissemination_context& context,
                                                                      const dissemination_params& params) const {
  const auto it = factories_.find(name);
  if (it == factories_.end())
    return error{errc::unsupported_protocol, "no dissemination protocol " + name + " here; there are " + known()};
  auto made = it->second(context, params);
  if (!made) return error{made.code(), name + ": " + made.error().detail};
  return made;
}

std::string dissemination_registry::known() const {
  std::string all;
  for (const auto& [name, factory] : factories_) all += (all.empty() ? "" : ", ") + name;
  return all;
}

expected<unit> dissemination_registry::check(const std::string& name, const dissemination_params& params) const {
  struct nobody final : payload_sink {
    payload_verdict offer(const identity&, const shared_bytes&, time_ms) override { return payload_verdict::unwanted; }
  } sink;
  seeded_random random{0};
  HANSE_CHECK(make(name, {identity{}, sink, random}, params));
  return ok();
}

std::vector<std::string> dissemination_registry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

void param_reader::number(const std::string& name, std::uint64_t min, std::uint64_t max, std::uint64_t& value) {
  const auto it = left_.find(name);
  if (it == left_.end()) return;
  const auto text = it->second;
  left_.erase(it);
  std::uint64_t read = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), read);
  if (code == std::errc{} && end == text.data() + text.size() && read >= min && read <= max) {
    value = read;
  } else if (!error_) {
    error_ =
        error{errc::bad_config, name + " is not a number from " + std::to_string(min) + " to " + std::to_string(max)};
  }
}

expected<unit> param_reader::finish() {
  if (error_) return *error_;
  if (!left_.empty()) return error{errc::bad_config, "there is no parameter " + left_.begin()->first};
  return ok();
}

} // namespace hanse
