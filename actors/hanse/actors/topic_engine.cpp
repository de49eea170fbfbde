// The topics of a node: what comes from the network, from domains and from timers. See the header.
#include "hanse/actors/topic_engine.hpp"

#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/internal/change_signal.hpp"
#include "hanse/actors/internal/member_domains.hpp"
#include "hanse/actors/service.hpp"

namespace hanse {

namespace {

const protocol_id topics_protocol{std::string{topics_protocol_name}, 1, 0};
constexpr std::uint64_t keep_token = 1;
constexpr std::uint32_t keep_history = join_history_max;

} // namespace

topic_engine::topic_engine(pointer self, std::shared_ptr<node_core> core, domain_actor domains, block_actor blocks,
                           std::shared_ptr<topic_machine> machine, topic_memory memory)
    : self_(self), core_(std::move(core)), domains_(std::move(domains)), blocks_(std::move(blocks)),
      machine_(std::move(machine)), memory_(std::move(memory)) {
  compat::ignore_stray_errors(self_);
}

topic_actor::behavior_type topic_engine::make_behavior() {
  start();
  return {
      [this](std::vector<inbound>& messages) {
        topics_effects out;
        for (auto& in : messages) {
          if (in.message.destination == core_->services->self) {
            receive(in, out);
          } else {
            perform(std::exchange(out, {})); // before an event that may be published at once
            take_message(in);
          }
        }
        perform(std::move(out));
        finish_burst();
      },
      [this](link_up_atom, const identity& peer) {
        topics_effects out;
        machine().peer_up(peer, now(), out);
        perform(std::move(out));
        finish_burst();
      },
      [this](link_down_atom, const identity& peer) {
        topics_effects out;
        machine().peer_down(peer, now(), out);
        perform(std::move(out));
        finish_burst();
      },
      [this](stop_atom) { stop(); },
      [this](const domain_change&) { domains_changed(); },
      [this](const domain_role_changed&) { domains_changed(); },
      [this](learn_atom, const std::vector<bytes>& adverts) { return learn(adverts); },
      [this](publish_atom, topic_publication& p) -> caf::result<void> {
        auto promise = self_->make_response_promise<void>();
        const auto source = p.source ? p.source : core_->services->self;
        publish(p.topic, source,
                {std::move(p.body), p.mode, [this, source, promise](const expected<unit>& done) mutable {
                   if (done) return promise.deliver();
                   refuse("event_refused", source, done.error());
                   promise.deliver(to_caf(done.error()));
                 }});
        finish_burst();
        return promise;
      },
      [this](inject_atom, const identity& topic, std::uint32_t count) -> caf::result<void> {
        key_event_signer signer{*core_->key, machine_->random};
        expected<unit> done = ok();
        const shared_bytes body{*encode_body(std::string{"forged"})};
        for (; done && count > 0 && epochs_ < topic_epochs_max; --count)
          done = machine().forge(topic, signer, memory_.life + epochs_++, body, now());
        finish_burst();
        return done ? caf::result<void>{} : caf::result<void>{to_caf(done.error())};
      },
      [this](watch_atom, topic_wish& wish) -> caf::result<std::uint64_t> {
        auto token = subscribe(std::move(wish));
        if (!token) return to_caf(token.error());
        return *token;
      },
      [this](remove_atom, std::uint64_t token) { unsubscribe(token); },
      [this](find_atom, std::uint64_t token, std::uint32_t count, std::uint32_t wait_ms) {
        return fetch(token, count, wait_ms);
      },
      [this](keep_atom, const identity& topic, bool wanted) { return keep(topic, wanted); },
      [this](list_atom) { return reports(); },
      [this](changed_atom) { look_at_domains(); },
      [this](trees_atom) { tell_trees(); },
      [this](retry_atom, std::uint64_t token, std::uint64_t round) {
        auto i = subscriptions_.find(token);
        if (i != subscriptions_.end() && i->second.round == round) answer_fetch(i->second);
      },
      [this](flush_atom) { flush(); },
      [this](tick_atom) { tick(); },
  };
}

void topic_engine::start() {
  topics_effects out;
  for (const auto& wire : memory_.adverts)
    if (auto done = machine().add_advert(wire, now(), out); !done) refuse("topic_not_restored", {}, done.error());
  restore_archives(std::exchange(memory_.archives, {}));
  for (const auto& topic : memory_.kept) {
    kept_.insert(topic);
    if (blocks_) archives_.try_emplace(topic, topic);
    (void)machine().subscribe(topic, keep_token, keep_history, now(), out);
  }
  std::erase_if(out, [this](const auto& effect) { // they are in the store already
    const auto* advert = std::get_if<topic_known>(&effect);
    if (advert) known(advert->advert);
    return advert != nullptr;
  });
  memory_.adverts.clear();
  perform(std::move(out));
  domains_changed();
}

void topic_engine::refuse(std::string_view event, const identity& who, const error& why) {
  core_->services->counters.drop(why.code);
  core_->services->log(log_level::debug, event, {{"who", who ? to_short_string(who) : ""}, {"reason", to_string(why)}});
}

/// From another node: what belongs to a domain has to have travelled within it, which the router has checked.
void topic_engine::receive(inbound& in, topics_effects& out) {
  const auto& m = in.message;
  if (m.protocol.name != topics_protocol.name || m.protocol.major != topics_protocol.major)
    return refuse("topic_body_refused", in.peer, errc::unsupported_version);
  if (!in.peer || m.source != in.peer) return refuse("topic_body_refused", in.peer, errc::wrong_signer);
  const auto domain = machine().domain_of(m.body.view());
  if (domain && (m.routing.scope != scope_kind::domain || m.routing.domain != *domain))
    return refuse("topic_body_refused", in.peer, {errc::permission_denied, "it did not keep to the topic's domain"});
  if (auto done = machine().receive(in.peer, m.body.view(), now(), out); !done)
    refuse("topic_body_refused", in.peer, done.error());
}

void topic_engine::perform(topics_effects effects) {
  std::vector<post> posts;
  std::vector<identity> joined;
  for (std::size_t i = 0; i < effects.size(); ++i) { // there may come more
    auto& effect = effects[i];
    if (auto* m = std::get_if<peer_message>(&effect)) {
      const auto domain = machine().domain_of(m->body);
      if (!domain) continue; // the topic has gone meanwhile
      auto p = note_to(core_->services->self, m->to, topics_protocol, shared_bytes{std::move(m->body)}, topic_ttl_ms);
      p.message.routing.scope = scope_kind::domain;
      p.message.routing.domain = *domain;
      posts.push_back(std::move(p));
    } else if (auto* d = std::get_if<topic_deliver>(&effect)) {
      if (*d->to->begin() == keep_token) archive(d->event, d->where);
      deliver(*d);
    } else if (const auto* p = std::get_if<topic_pass>(&effect)) {
      archive(p->event, p->where);
    } else if (auto* a = std::get_if<topic_archive_body>(&effect)) {
      const auto body = std::move(*a); // `effect` moves when there come more
      take_archive_body(body, effects);
    } else if (auto* k = std::get_if<topic_known>(&effect)) {
      known(k->advert);
      machine_->changes->raise();
      write(topic_advert_table, to_bytes(k->advert.value.topic.wire()), k->advert.wire);
    } else if (auto* j = std::get_if<topic_joined>(&effect)) {
      core_->services->log(log_level::debug, "topic_joined", {{"topic", to_short_string(j->topic)}});
      joined.push_back(j->topic);
      machine_->changes->raise();
    } else if (auto* g = std::get_if<topic_gap>(&effect)) {
      lost_[g->topic] += g->lost.last - g->lost.first + 1;
      core_->services->log(log_level::warning, "topic_gap",
                           {{"topic", to_short_string(g->topic)},
                            {"publisher", to_short_string(g->lost.chain.publisher)},
                            {"events", std::to_string(g->lost.last - g->lost.first + 1)}});
    } else if (auto* f = std::get_if<topic_forked>(&effect)) {
      forked_[f->topic].insert(f->publisher);
      machine_->changes->raise();
      core_->services->log(log_level::warning, "topic_forked",
                           {{"topic", to_short_string(f->topic)}, {"publisher", to_short_string(f->publisher)}});
    } else {
      const auto& fault = std::get<peer_faulted>(effect);
      refuse("topic_peer_faulted", fault.peer, fault.why);
    }
  }
  for (const auto& topic : joined) topic_is_joined(topic);
  hand_over();
  if (!posts.empty()) compat::send(self_, core_->router, std::move(posts));
  schedule();
}

/// What is in the mailbox already belongs to the burst: one signature, one message a peer.
void topic_engine::finish_burst() {
  if (!std::exchange(flush_sent_, true)) compat::send(self_, topic_actor{self_}, flush_atom_v);
}

void topic_engine::flush() {
  flush_sent_ = false;
  topics_effects out;
  machine().flush(now(), out);
  perform(std::move(out));
  count_drops();
  look_at_trees_later();
}

void topic_engine::tick() {
  if (!timer_.came(now())) return;
  topics_effects out;
  machine().tick(now(), out);
  machine().flush(now(), out);
  perform(std::move(out));
  count_drops();
  look_at_trees_later();
  tick_archives();
  let_idle_go();
  schedule();
}

void topic_engine::schedule() {
  auto next = machine().next_timer();
  if (const auto archives = next_archive_timer()) next = std::min(next.value_or(*archives), *archives);
  if (const auto in_ms = timer_.set(next, now()))
    compat::delayed_send_to_self(self_, std::chrono::milliseconds{*in_ms}, tick_atom_v);
}

/// The machines count by topic; the node's counters have one number a reason.
void topic_engine::count_drops() {
  if (now() < counted_ms_ + topic_count_ms) return;
  counted_ms_ = now();
  auto& counters = core_->services->counters;
  for (const auto& domain : in_)
    for (const auto& topic : machine().topics_of(domain)) {
      const auto info = machine().info(topic);
      if (!info || !info->here) {
        counted_.erase(topic);
        continue;
      }
      const auto& is = info->multicast;
      auto& was = counted_[topic];
      const auto since = [](std::uint64_t before, std::uint64_t after) {
        return after < before ? after : after - before;
      };
      counters.drop(errc::permission_denied, since(was.unauthorised, is.unauthorised));
      counters.drop(errc::bad_signature, since(was.invalid, is.invalid));
      counters.drop(errc::untrusted, since(was.forked, is.forked));
      counters.drop(errc::rate_limited, since(was.refused, is.refused));
      counters.drop(errc::queue_full, since(was.dropped, is.dropped));
      was = is;
    }
}

void topic_engine::look_at_trees_later() {
  if (blocks_ && !std::exchange(trees_scheduled_, true))
    compat::delayed_send_to_self(self_, std::chrono::milliseconds{topic_trees_ms}, trees_atom_v);
}

/// Who looks for a block asks along the trees of topics: what one of its nodes has, others tend to have.
void topic_engine::tell_trees() {
  trees_scheduled_ = false;
  std::map<identity, topic_tree> trees;
  for (const auto& domain : in_)
    for (const auto& topic : machine().topics_of(domain)) {
      const auto info = machine().info(topic);
      if (info && info->here && !info->eager.empty()) trees[topic] = {domain, topic, info->eager};
    }
  for (auto& [topic, told] : told_trees_)
    if (!trees.contains(topic)) compat::send(self_, blocks_, learn_atom_v, topic_tree{told.domain, topic, {}});
  for (const auto& [topic, tree] : trees) {
    const auto told = told_trees_.find(topic);
    if (told == told_trees_.end() || told->second.neighbours != tree.neighbours)
      compat::send(self_, blocks_, learn_atom_v, tree);
  }
  told_trees_ = std::move(trees);
}

void topic_engine::write(std::string_view table, bytes key, bytes value) {
  std::vector<record> records;
  records.push_back({std::string{table}, std::move(key), std::move(value)});
  compat::request(self_, core_->store, caf::infinite, write_atom_v, std::move(records))
      .then([] {}, [](const caf::error&) {}); // the store stops the node
}

/// Sent to it here means published.
void topic_engine::known(const signed_topic_advert& advert) {
  compat::request(self_, core_->router, caf::infinite, claim_atom_v, advert.value.topic, std::string{},
                  caf::actor_cast<caf::strong_actor_ptr>(topic_actor{self_}))
      .then([] {}, [this, topic = advert.value.topic](
                       const caf::error& why) { refuse("topic_not_claimed", topic, to_hanse(why)); });
}

caf::result<void> topic_engine::learn(const std::vector<bytes>& adverts) {
  topics_effects out;
  error first;
  for (const auto& wire : adverts)
    if (auto done = machine().add_advert(wire, now(), out); !done && first.code == errc::none) first = done.error();
  perform(std::move(out));
  finish_burst();
  if (first.code != errc::none) return to_caf(first);
  return caf::unit;
}

std::vector<topic_report> topic_engine::reports() const {
  std::vector<topic_report> all;
  for (const auto& topic : machine_->node.all_topics()) {
    auto info = machine_->node.info(topic);
    if (!info) continue;
    topic_report r;
    r.in_domain = in_.contains(info->advert.value.domain);
    if (auto s = spread_.find(info->advert.value.domain); s != spread_.end()) r.dissemination = s->second;
    if (auto u = unavailable_.find(info->advert.value.domain); u != unavailable_.end()) r.why = u->second;
    r.info = *std::move(info);
    if (auto f = forked_.find(topic); f != forked_.end()) r.forked.assign(f->second.begin(), f->second.end());
    if (auto l = lost_.find(topic); l != lost_.end()) r.lost = l->second;
    r.kept = kept_.contains(topic);
    if (auto a = archives_.find(topic); a != archives_.end()) r.archive = a->second.stats();
    all.push_back(std::move(r));
  }
  return all;
}

/// Errors: why this node takes part in no topic of that domain.
expected<unit> topic_engine::available(const identity& topic) const {
  const auto* advert = machine_->node.find(topic);
  if (!advert) return ok(); // it may become known
  const auto u = unavailable_.find(advert->value.domain);
  if (u != unavailable_.end()) return u->second;
  return ok();
}

void topic_engine::domains_changed() {
  if (std::exchange(look_scheduled_, true)) return;
  compat::delayed_send_to_self(self_, std::chrono::milliseconds{topic_domains_ms}, changed_atom_v);
}

void topic_engine::look_at_domains() {
  look_scheduled_ = false;
  internal::look_at_member_domains(
      self_, domains_, [this] { return in_; },
      [this](const domain_report& r, const std::vector<domain_member>& members) { take_domain(r, members); },
      [this](const std::set<identity>& left) {
        topics_effects out;
        for (const auto& domain : left) {
          machine().domain_left(domain, now(), out);
          in_.erase(domain);
          spread_.erase(domain);
        }
        perform(std::move(out));
      });
}

void topic_engine::take_domain(const domain_report& report, const std::vector<domain_member>& members) {
  topic_domain d;
  auto levels = std::make_shared<std::map<identity, member_level>>();
  levels->emplace(report.domain, level_owner);
  for (const auto& m : members) {
    if (m.is_byzantine) continue;
    d.members.push_back(m.view.member);
    levels->insert_or_assign(m.view.member, m.view.level);
  }
  const auto& p = report.stack.dissemination;
  const auto name = p.id.name + "/" + std::to_string(p.id.major);
  d.dissemination = name;
  d.params = p.parameters;
  d.may_publish = [levels, allowed = report.allowed](const identity& publisher) {
    const auto i = levels->find(publisher);
    return i != levels->end() && allowed.allows(domain_action::publish, i->second);
  };
  topics_effects out;
  auto done = machine().domain_changed(report.domain, std::move(d), now(), out);
  machine_->changes->raise();
  spread_[report.domain] = name;
  if (done) {
    in_.insert(report.domain);
    unavailable_.erase(report.domain);
  } else if (auto& why = unavailable_[report.domain]; why.code != done.code() || why.detail != done.error().detail) {
    why = done.error();
    core_->services->log(log_level::error, "topics_unavailable",
                         {{"domain", to_short_string(report.domain)}, {"reason", to_string(why)}});
  }
  perform(std::move(out));
  finish_burst();
}

caf::result<void> topic_engine::keep(const identity& topic, bool wanted) {
  topics_effects out;
  if (wanted) {
    auto done = machine().subscribe(topic, keep_token, keep_history, now(), out);
    if (!done && done.code() != errc::already_exists) return to_caf(done.error());
    kept_.insert(topic);
    if (blocks_) archives_.try_emplace(topic, topic);
  } else {
    machine().unsubscribe(topic, keep_token, now(), out);
    kept_.erase(topic);
    end_archive(topic);
  }
  write(topic_kept_table, to_bytes(topic.wire()), wanted ? bytes{std::byte{1}} : bytes{});
  perform(std::move(out));
  finish_burst();
  return caf::unit;
}

} // namespace hanse
