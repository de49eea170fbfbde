// The router's life: its behavior, streams, links, engines, watches and timers. The ways out and in are router_send.cpp
// and router_receive.cpp. See router_engine.hpp.
#include "hanse/actors/router_engine.hpp"

#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"

namespace hanse {

namespace {

constexpr std::string_view clock_table = "clock"; ///< two keys: the id lease and the replay mark

record clock_record(std::string_view key, message_id value) {
  msgpack_writer out;
  out.unsigned_integer(value);
  return {std::string{clock_table}, to_bytes(key), std::move(out).take()};
}

caf::result<void> answer_of(const expected<unit>& done) {
  return done ? caf::result<void>{} : caf::result<void>{to_caf(done.error())};
}

} // namespace

const protocol_id& node_protocol() {
  static const protocol_id id{"hanse.node", 1, 0};
  return id;
}

const protocol_id& monitor_protocol() {
  static const protocol_id id{"hanse.monitor", 1, 0};
  return id;
}

router_engine::router_engine(pointer self, services_ptr services, key_pair key, identity_store_actor identities,
                             transport_actor transport, store_actor store, router_state state)
    : self_(self), services_(std::move(services)), key_(std::move(key)), identities_(std::move(identities)),
      transport_(std::move(transport)), store_(std::move(store)), clock_(state.lease), replay_(state.mark),
      unicast_(services_->random()), stored_lease_(state.stored_lease), stored_mark_(state.stored_mark),
      engine_versions_(std::move(state.engine_versions)) {
  compat::ignore_stray_errors(self_);
  for (auto& r : state.streams)
    if (auto done = unicast_.restore(r.key, r.value); !done)
      services_->log(log_level::warning, "stream_not_restored", {{"reason", to_string(done.error())}});
}

router_actor::behavior_type router_engine::make_behavior() {
  persist_ids();
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{router_tick_ms}, tick_atom_v, true);
  return {
      [this](std::vector<post>& posts) {
        for (auto& p : posts) accept(std::move(p));
        finish();
      },
      [this](received_atom, const identity& peer, std::vector<inbound>& messages) {
        for (auto& m : messages) receive(peer, std::move(m));
        finish();
      },
      [this](std::vector<handled>& done) {
        unicast_effects effects;
        for (auto& h : done) unicast_.handled(h.delivery, h.result, services_->now_ms(), effects);
        perform(std::move(effects));
        finish();
      },
      [this](refused_atom, const identity&, const identity&, const error& why) { services_->counters.drop(why.code); },
      [this](unsent_atom, std::vector<outbound>& unsent, const error& why) { bounce(std::move(unsent), why); },
      [this](link_up_atom, const link_event& e, const caf::strong_actor_ptr& link) {
        link_up(e, link);
        finish();
      },
      [this](link_down_atom, const identity& peer, std::uint64_t link) { link_down(peer, link); },
      [this](register_atom, engine_entry& e) -> caf::result<void> {
        auto promise = self_->make_response_promise();
        add_engine(std::move(e), promise);
        return promise;
      },
      [this](remove_atom, const identity& id, const error& reason) -> caf::result<engine_entry> {
        if (!engines_.contains(id)) return to_caf(error{errc::not_found, "no such engine on this node"});
        auto entry = remove_engine(id, reason);
        finish();
        return entry;
      },
      [this](register_atom, const std::string& protocol, const caf::strong_actor_ptr& service) {
        return answer_of(register_service(protocol, service));
      },
      [this](claim_atom, const identity& destination, const std::string& protocol,
             const caf::strong_actor_ptr& service) { return answer_of(claim(destination, protocol, service)); },
      [this](listen_atom, const std::string& scheme, const caf::strong_actor_ptr& carrier) {
        return answer_of(register_carrier(scheme, carrier));
      },
      [this](remove_atom, const caf::actor_addr& service) { service_ended(service); },
      [this](domain_atom, domain_members& d) { set_domain(std::move(d)); },
      [this](watch_atom, const identity& destination, const caf::weak_actor_ptr& proxy) {
        watch(destination, proxy);
        finish();
      },
      [this](changed_atom) {
        std::erase_if(routes_, [](auto& entry) { return entry.second.known; });
        std::erase_if(hosts_, [](auto& entry) { return entry.second.known; });
        for (auto& [destination, entry] : routes_)
          if (!entry.asking) ask_route(destination);
        for (auto& [engine, w] : watched_)
          if (!w.node) find_watched(engine); // it was not advertised when it was first asked for
      },
      [this](moved_atom, const identity& engine, const identity& node) {
        unicast_effects effects;
        unicast_.destination_moved(engine, services_->now_ms(), effects);
        perform(std::move(effects));
        watch_at(engine, node);
        finish();
      },
      [this](find_atom, const identity& id) -> caf::result<engine_entry> {
        auto i = engines_.find(id);
        if (i == engines_.end()) return to_caf(error{errc::not_found, "no such engine on this node"});
        return i->second;
      },
      [this](list_atom) {
        std::vector<engine_entry> all;
        for (auto& [id, e] : engines_) all.push_back(e);
        return all;
      },
      [this](inject_atom, const identity& target, const std::string& kind, std::uint32_t count, const identity& claim) {
        inject(target, kind, count, claim);
      },
      [this](tick_atom, bool periodic) {
        if (periodic) {
          tick();
          compat::delayed_send_to_self(self_, std::chrono::milliseconds{router_tick_ms}, tick_atom_v, true);
        } else {
          unicast_timer_.reset();
          unicast_effects effects;
          unicast_.tick(services_->now_ms(), effects);
          perform(std::move(effects));
        }
        finish();
      },
      [this](retry_atom, message_id id) {
        if (tick_group(id)) return finish();
        auto i = pending_.find(id);
        if (i == pending_.end() || !i->second.retry) return;
        post p{std::move(*i->second.retry), false, false, i->second.token, i->second.reply_to};
        pending_.erase(i);
        p.message.id = 0;
        auto now = services_->now_ms();
        p.message.ttl_ms = p.message.expires_ms() > now ? static_cast<std::uint32_t>(p.message.expires_ms() - now) : 1;
        accept(std::move(p));
        finish();
      },
      [this](stop_atom) {
        // What was posted before leaves first: its routes have been asked for, and come before this answer.
        auto end = [this] { stop(); };
        compat::request(self_, identities_, caf::infinite, find_atom_v, services_->self, true)
            .then([end](const identity&) { end(); }, [end](const caf::error&) { end(); });
      },
  };
}

void router_engine::stop() {
  for (auto& [id, e] : engines_)
    compat::send(self_, caf::actor_cast<gateway_actor>(e.gateway), stop_atom_v, caf::error{});
  engines_.clear();
  for (auto& s : all_services()) compat::send(self_, caf::actor_cast<service_actor>(s), stop_atom_v);
  services_of_node_.clear();
  claims_.clear();
  flush_carriers();
  for (auto& [scheme, c] : carriers_) compat::send(self_, caf::actor_cast<carrier_actor>(c), stop_atom_v);
  for (auto& [id, p] : pending_)
    if (p.reply_to) answer_to(p.reply_to, failed(p.token, fault_of({errc::cancelled, "the node stops"})));
  pending_.clear();
  for (auto& [id, g] : groups_) fail_post(g.original, {errc::cancelled, "the node stops"});
  groups_.clear();
  flush_links();
  self_->quit();
}

/// The end of every handler: sends what was collected, keeps marks and leases ahead, sets the stream timer.
void router_engine::finish() {
  unicast_effects effects;
  unicast_.flush(services_->now_ms(), effects);
  perform(std::move(effects));
  persist_ids();
  flush_links();
  schedule_unicast();
}

void router_engine::save(std::vector<record> records, std::function<void()> then) {
  compat::request(self_, store_, caf::infinite, write_atom_v, std::move(records))
      .then(
          [this, then = std::move(then)] {
            then();
            finish();
          },
          [](const caf::error&) { /* the store has stopped the node */ });
}

void router_engine::persist_ids() {
  if (auto lease = clock_.lease_to_persist(services_->now_us())) {
    stored_lease_ = std::max(stored_lease_, *lease);
    save({clock_record("lease", stored_lease_)}, [this, lease] {
      clock_.persisted(*lease);
      auto waiting = std::move(without_id_);
      without_id_.clear();
      for (auto& p : waiting) accept(std::move(p));
    });
  }
  if (auto mark = replay_.mark_to_persist(services_->now_ms())) {
    stored_mark_ = std::max(stored_mark_, *mark);
    save({clock_record("mark", stored_mark_)}, [this, mark] {
      replay_.persisted(*mark);
      auto waiting = std::move(without_mark_);
      without_mark_.clear();
      for (auto& m : waiting) screen(std::move(m));
    });
  }
}

void router_engine::perform(unicast_effects effects) {
  for (auto& effect : effects) {
    std::visit(
        [this](auto& x) {
          using effect_type = std::decay_t<decltype(x)>;
          if constexpr (std::is_same_v<effect_type, unicast_transmit>) {
            resolve(envelope{*x.message});
          } else if constexpr (std::is_same_v<effect_type, unicast_transmit_control>) {
            send_control(x.source, x.destination, unicast_protocol(), std::move(x.body), message_kind::tell, 0,
                         stream_transport(x.source, x.destination));
          } else if constexpr (std::is_same_v<effect_type, unicast_persist>) {
            std::vector<record> records;
            for (auto& w : x.writes)
              records.push_back(
                  {std::string{unicast_table}, std::move(w.key), w.value ? std::move(*w.value) : bytes{}});
            save(std::move(records), [this, token = x.token] {
              unicast_effects more;
              unicast_.persisted(token, services_->now_ms(), more);
              perform(std::move(more));
            });
          } else if constexpr (std::is_same_v<effect_type, unicast_deliver>) {
            auto& s = *x.message.stream;
            stream_ref ref{x.message.source, x.message.destination, s.epoch, s.seq};
            dispatch(inbound{std::move(x.message), nullptr, ref, identity{}});
          } else if constexpr (std::is_same_v<effect_type, unicast_confirmed>) {
            auto i = pending_.find(x.id);
            if (i == pending_.end() || !i->second.acknowledgement) return;
            answer done;
            done.acknowledged = true;
            settle(x.id, std::move(done));
          } else if constexpr (std::is_same_v<effect_type, unicast_failed>) {
            services_->counters.drop(x.why.code);
            settle(x.id, failed(0, fault_of(x.why)));
          } else {
            services_->counters.drop(x.why.code);
          }
        },
        effect);
  }
}

/// What is said about a stream goes the ways that its messages may go.
void router_engine::note_stream(const identity& here, const envelope& e) {
  if (e.transport.security != security_kind::any) return;
  if (slow_streams_.size() >= slow_streams_max) slow_streams_.clear();
  slow_streams_.insert({here, here == e.source ? e.destination : e.source});
}

transport_preferences router_engine::stream_transport(const identity& here, const identity& there) const {
  transport_preferences wanted;
  if (slow_streams_.contains({here, there})) wanted.security = security_kind::any;
  return wanted;
}

/// The engine was not where we thought: it may be moving, so the request goes out again, by then to its new node.
void router_engine::retry_later(message_id id) {
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{resolve_again_ms}, retry_atom_v, id);
}

void router_engine::schedule_unicast() {
  auto due = unicast_.next_timer();
  if (!due || (unicast_timer_ && *unicast_timer_ <= *due)) return;
  unicast_timer_ = due;
  auto now = services_->now_ms();
  std::chrono::milliseconds delay{*due > now ? *due - now : 1};
  compat::delayed_send_to_self(self_, delay, tick_atom_v, false);
}

void router_engine::link_up(const link_event& e, const caf::strong_actor_ptr& link) {
  if (!link) { // a carrier's session, which is no link
    clock_.raise_to(e.id_floor, services_->now_us());
    return;
  }
  links_[e.peer] = {link, e.link, e.channel};
  lost_.erase(e.peer);
  for (auto& s : all_services()) compat::send(self_, caf::actor_cast<service_actor>(s), link_up_atom_v, e.peer);
  clock_.raise_to(e.id_floor, services_->now_us());
  auto now = services_->now_ms();
  unicast_effects effects;
  for (auto& [destination, entry] : routes_)
    if (entry.known && entry.decided.next_hop == e.peer) unicast_.destination_reachable(destination, now, effects);
  perform(std::move(effects));
  // The far side may have restarted and forgotten who watches.
  for (auto& [engine, w] : watched_)
    if (w.node == e.peer)
      send_control(services_->self, e.peer, monitor_protocol(), *encode_body(std::string{"watch"}, engine));
}

void router_engine::link_down(const identity& peer, std::uint64_t link) {
  auto i = links_.find(peer);
  if (i == links_.end() || i->second.id != link) return; // an older link; a newer one is up
  links_.erase(i);
  for (auto& s : all_services()) compat::send(self_, caf::actor_cast<service_actor>(s), link_down_atom_v, peer);
  lost_[peer] = services_->now_ms();
  fail_copies_at(peer);
  finish();
}

void router_engine::add_engine(engine_entry e, caf::response_promise promise) {
  auto id = e.id;
  engine_advert advert;
  advert.engine = id;
  advert.node = services_->self;
  auto stored = engine_versions_.find(id);
  auto last = std::max(e.advert_version, stored == engine_versions_.end() ? 0 : stored->second);
  advert.version = std::max<std::uint64_t>(last + 1, services_->now_ms());
  if (stored != engine_versions_.end()) stored->second = advert.version;
  advert.protocols = e.protocols;
  advert.name = e.name;
  auto signed_one = sign(advert, *e.key);
  e.advert_version = advert.version;
  auto engine = e.engine;
  if (auto before = engines_.find(id); before != engines_.end()) set_serving(before->second, false);
  set_serving(e, true);
  engines_.insert_or_assign(id, std::move(e));
  released_.erase(id);
  compat::on_termination(engine, [router = router_actor{self_}, id](const caf::error&) {
    compat::anon_send(router, remove_atom_v, id, error{errc::engine_down});
  });
  compat::request(self_, identities_, caf::infinite, register_atom_v, std::vector<bytes>{std::move(signed_one.wire)})
      .then([promise]() mutable { promise.deliver(caf::message{}); },
            [promise](const caf::error& why) mutable { promise.deliver(why); });
}

engine_entry router_engine::remove_engine(const identity& id, const error& reason) {
  auto entry = std::move(engines_.extract(id).mapped());
  set_serving(entry, false);
  compat::send(self_, caf::actor_cast<gateway_actor>(entry.gateway), stop_atom_v, caf::error{});
  if (reason.code != errc::none) {
    compat::send(self_, identities_, remove_atom_v, id);
    if (auto watchers = watchers_.find(id); watchers != watchers_.end())
      for (auto& node : watchers->second)
        send_control(services_->self, node, monitor_protocol(),
                     *encode_body(std::string{"down"}, id, static_cast<std::uint8_t>(reason.code)));
  } else if (released_.size() < released_max) {
    released_.insert(id);
  }
  watchers_.erase(id);
  unicast_effects effects;
  unicast_.engine_removed(id, services_->now_ms(), effects);
  perform(std::move(effects));
  return entry;
}

void router_engine::tick() {
  auto now = services_->now_ms();
  std::vector<message_id> late;
  for (auto& [id, p] : pending_)
    if (p.expires_ms + router_tick_ms <= now && !p.acknowledgement) late.push_back(id);
  for (auto id : late) settle(id, failed(0, fault_of({errc::timed_out, "no answer before the message expired"})));
  give_up_routes(now);
  if (now - swept_ms_ > 10'000) {
    replay_.sweep(now);
    swept_ms_ = now;
  }
  std::vector<identity> gone;
  for (auto& [node, since] : lost_)
    if (now - since >= down_after_ms) gone.push_back(node);
  for (auto& node : gone) {
    lost_.erase(node);
    std::vector<identity> engines;
    for (auto& [engine, w] : watched_)
      if (w.node == node) engines.push_back(engine);
    for (auto& engine : engines) engine_is_down(engine, {errc::unreachable, "its node is gone"});
  }
}

} // namespace hanse
