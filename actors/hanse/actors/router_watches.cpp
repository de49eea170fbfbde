// Watches: proxies here that want to know when their engine elsewhere is gone, and nodes elsewhere that want to know it
// of engines here. Not CAF's monitors, which the proxies turn this into. See router_engine.hpp.
#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/router_engine.hpp"

namespace hanse {

/// A proxy here wants to know when its engine is gone.
void router_engine::watch(const identity& destination, const caf::weak_actor_ptr& proxy) {
  if (watched_.size() >= watches_max) return;
  auto& proxies = watched_[destination].proxies;
  std::erase_if(proxies, [](auto& p) { return p.lock() == nullptr; });
  proxies.push_back(proxy);
  find_watched(destination);
}

void router_engine::find_watched(const identity& engine) {
  compat::request(self_, identities_, caf::infinite, find_atom_v, engine, true)
      .then([this, engine](const identity& node) { watch_at(engine, node); }, [](const caf::error&) {});
}

/// Asks the node that hosts a watched engine to tell when it is gone.
void router_engine::watch_at(const identity& engine, const identity& node) {
  auto i = watched_.find(engine);
  if (i == watched_.end() || !node) return;
  i->second.node = node;
  send_control(services_->self, node, monitor_protocol(), *encode_body(std::string{"watch"}, engine));
  finish();
}

void router_engine::take_watch(const identity& watcher, byte_view body) {
  if (auto down = decode_body<std::string, identity, std::uint8_t>(body); down && std::get<0>(*down) == "down") {
    auto code = std::get<2>(*down);
    auto i = watched_.find(std::get<1>(*down));
    if (i != watched_.end() && i->second.node == watcher) // else: not its host's word
      engine_is_down(std::get<1>(*down), {is_known_errc(code) ? static_cast<errc>(code) : errc::engine_down, {}});
    return;
  }
  auto request = decode_body<std::string, identity>(body);
  if (!request || std::get<0>(*request) != "watch") {
    services_->counters.drop(errc::schema_mismatch);
    return;
  }
  auto& engine = std::get<1>(*request);
  if (released_.contains(engine)) return; // it lives elsewhere, as its next advert will tell the watcher
  if (!engines_.contains(engine)) {
    send_control(services_->self, watcher, monitor_protocol(),
                 *encode_body(std::string{"down"}, engine, static_cast<std::uint8_t>(errc::engine_down)));
    return;
  }
  if (watchers_.size() < watches_max) watchers_[engine].insert(watcher);
}

void router_engine::engine_is_down(const identity& engine, const error& why) {
  auto i = watched_.find(engine);
  if (i == watched_.end()) return;
  for (auto& proxy : i->second.proxies)
    if (auto alive = proxy.lock())
      compat::send(self_, caf::actor_cast<answer_sink_actor>(alive), stop_atom_v, to_caf(why));
  watched_.erase(i);
}

} // namespace hanse
