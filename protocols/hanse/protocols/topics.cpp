// The topics of a node: what its user calls. See topics.hpp. Not rosters and adverts (topics_membership.cpp).
#include "hanse/protocols/topics.hpp"

#include "hanse/protocols/internal/topics_state.hpp"
#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

using internal::topics_channel;
using internal::topics_kind;

bool topics::impl::may_publish(const identity& topic, const identity& publisher) const {
  const auto advert = adverts_.find(topic);
  if (advert == adverts_.end()) return false;
  const auto domain = domains_.find(advert->second.value.domain);
  if (domain == domains_.end()) return false;
  const auto& by_domain = domain->second.view.may_publish;
  return hanse::may_publish(advert->second.value, publisher, !by_domain || by_domain(publisher));
}

// The instance of a topic, made when it is not there.
expected<topics::impl::instance*> topics::impl::open(const identity& topic, std::uint32_t history, time_ms now,
                                                     topics_effects& out) {
  if (const auto it = instances_.find(topic); it != instances_.end()) return it->second.get();
  const auto advert = adverts_.find(topic);
  if (advert == adverts_.end()) return error{errc::not_found, "no advert of the topic"};
  const auto& domain = advert->second.value.domain;
  const auto d = domains_.find(domain);
  if (d == domains_.end()) return error{errc::not_found, "not in the topic's domain"};
  if (instances_.size() >= config_.instances_max) return error{errc::table_full, "topics of this node"};
  auto made =
      std::make_unique<instance>(topic, domain, causal_multicast{topic, self_, verifier_, random_, config_.multicast});
  made->multicast.authorise([this, topic](const identity& publisher) { return may_publish(topic, publisher); });
  HANSE_TRY(made->spread, registry_.make(d->second.view.dissemination, {self_, *made, random_}, d->second.view.params));
  made->start_by = now + config_.roster_wait_ms;
  made->history = history; // it may start at once, below
  auto* i = made.get();
  instances_.emplace(topic, std::move(made));
  refresh_members(*i, now, out);
  roster_changed(domain, now, out);
  return i;
}

void topics::impl::close_if_unused(const identity& topic, time_ms now, topics_effects& out) {
  const auto it = instances_.find(topic);
  if (it == instances_.end() || !it->second->subscribers->empty() || !it->second->publishers.empty()) return;
  const auto domain = it->second->domain;
  instances_.erase(it);
  roster_changed(domain, now, out);
}

void topics::impl::refresh_members(instance& i, time_ms now, topics_effects& out) {
  const auto nodes = nodes_of(i.domain, i.topic);
  i.spread->members_changed(nodes, now, i.spread_effects);
  i.multicast.peers_changed(nodes, i.spread->neighbours(), now);
  start_if_ready(i, now);
  perform(i, now, out);
}

// Joining too early would mean to be alone.
void topics::impl::start_if_ready(instance& i, time_ms now) {
  if (i.started) return;
  if (now < i.start_by && !heard_all(domains_.at(i.domain))) return;
  i.started = true;
  i.multicast.start(i.history, now);
}

void topics::impl::wrap(const identity& to, const identity& topic, topics_channel channel, byte_view body,
                        topics_effects& out) {
  bytes buffer;
  buffer.reserve(body.size() + 64);
  msgpack_writer message{std::move(buffer)};
  message.array(5);
  message.unsigned_integer(static_cast<std::uint8_t>(topics_kind::inner));
  message.unsigned_integer(internal::topics_version);
  message.blob(topic.wire());
  message.unsigned_integer(static_cast<std::uint8_t>(channel));
  message.blob(body);
  out.emplace_back(peer_message{to, std::move(message).take()});
}

// Performs what the two machines of a topic asked for.
void topics::impl::perform(instance& i, time_ms now, topics_effects& out) {
  auto effects = std::move(i.effects);
  i.effects.clear();
  for (auto& effect : effects) {
    if (auto* delivery = std::get_if<multicast_deliver>(&effect)) {
      if (!i.subscribers->empty())
        out.emplace_back(
            topic_deliver{std::move(delivery->event), delivery->id, i.subscribers, std::move(delivery->where)});
    } else if (auto* pass = std::get_if<multicast_pass>(&effect)) {
      if (!i.subscribers->empty()) out.emplace_back(topic_pass{std::move(pass->event), std::move(pass->where)});
    } else if (const auto* parcel = std::get_if<multicast_broadcast>(&effect)) {
      i.spread->broadcast(parcel->parcel, now, i.spread_effects);
    } else if (const auto* message = std::get_if<peer_message>(&effect)) {
      wrap(message->to, i.topic, topics_channel::multicast, message->body, out);
    } else if (const auto* gap = std::get_if<multicast_gap>(&effect)) {
      out.emplace_back(topic_gap{i.topic, gap->lost});
    } else if (auto* fork = std::get_if<multicast_forked>(&effect)) {
      out.emplace_back(topic_forked{i.topic, fork->publisher, std::move(fork->proof)});
    } else if (std::holds_alternative<multicast_joined>(effect)) {
      out.emplace_back(topic_joined{i.topic});
    } else if (const auto* fault = std::get_if<peer_faulted>(&effect)) {
      out.emplace_back(*fault);
    }
  }
  effects.clear();
  if (i.effects.empty()) i.effects = std::move(effects); // keeps its memory
  for (auto& effect : i.spread_effects) {
    if (const auto* message = std::get_if<peer_message>(&effect)) {
      wrap(message->to, i.topic, topics_channel::dissemination, message->body, out);
    } else {
      out.emplace_back(std::get<peer_faulted>(effect));
    }
  }
  i.spread_effects.clear();
}

expected<unit> topics::impl::subscribe(const identity& topic, subscriber_token token, std::uint32_t history,
                                       time_ms now, topics_effects& out) {
  const auto advert = adverts_.find(topic);
  if (advert == adverts_.end() || !domains_.contains(advert->second.value.domain)) {
    if (wished_.size() >= config_.instances_max || wished_[topic].size() >= config_.subscribers_max)
      return error{errc::table_full, "subscriptions"};
    if (!wished_[topic].emplace(token, history).second) return errc::already_exists;
    return ok();
  }
  const bool is_new = !instances_.contains(topic);
  HANSE_TRY(auto* i, open(topic, history, now, out));
  if (std::ranges::binary_search(*i->subscribers, token)) return errc::already_exists;
  if (i->subscribers->size() >= config_.subscribers_max) return error{errc::table_full, "subscribers"};
  auto list = *i->subscribers;
  list.insert(std::ranges::lower_bound(list, token), token);
  i->subscribers = std::make_shared<const std::vector<subscriber_token>>(std::move(list));
  if (!i->started) i->history = std::max(i->history, history);
  if (!is_new && i->started && history > 0) {
    const auto alone = std::make_shared<const std::vector<subscriber_token>>(1, token);
    for (auto& event : i->multicast.history(history))
      out.emplace_back(topic_deliver{std::move(event.event), event.id, alone, std::move(event.where)});
  }
  start_if_ready(*i, now);
  return ok();
}

topics::topics(const identity& self, event_verifier& verifier, random_source& random, dissemination_registry registry,
               const topics_config& config)
    : impl_(std::make_unique<impl>(self, verifier, random, std::move(registry), config)) {}
topics::~topics() = default;
topics::topics(topics&&) noexcept = default;
topics& topics::operator=(topics&&) noexcept = default;

expected<unit> topics::domain_changed(const identity& domain, topic_domain view, time_ms now, topics_effects& out) {
  std::ranges::sort(view.members);
  view.members.erase(std::unique(view.members.begin(), view.members.end()), view.members.end());
  std::erase(view.members, impl_->self_);
  HANSE_CHECK(impl_->registry_.check(view.dissemination, view.params)); // before anything changes
  auto& d = impl_->domains_[domain];
  const bool other = d.view.dissemination != view.dissemination || d.view.params != view.params;
  std::erase_if(d.members, [&](const auto& m) { return !std::ranges::binary_search(view.members, m.first); });
  for (const auto& m : view.members) d.members[m];
  d.view = std::move(view);
  impl_->roster_changed(domain, now, out);
  for (auto& [topic, i] : impl_->instances_) {
    if (i->domain != domain) continue;
    if (other) {
      auto made = impl_->registry_.make(d.view.dissemination, {impl_->self_, *i, impl_->random_}, d.view.params);
      if (made) i->spread = *std::move(made);
    }
    impl_->refresh_members(*i, now, out);
  }
  // What was wished for, and found by tags, before the domain was known.
  std::vector<signed_topic_advert> adverts;
  for (const auto& [topic, a] : impl_->adverts_)
    if (a.value.domain == domain) adverts.push_back(a);
  for (const auto& a : adverts)
    if (const auto wish = impl_->wished_.extract(a.value.topic))
      for (const auto& [token, history] : wish.mapped())
        static_cast<void>(impl_->subscribe(a.value.topic, token, history, now, out));
  for (const auto& t : std::vector{impl_->tags_})
    for (const auto& a : adverts)
      if (t.domain == domain && std::ranges::binary_search(a.value.tags, t.tag))
        static_cast<void>(impl_->subscribe(a.value.topic, t.token, t.history, now, out));
  return ok();
}

// Subscribers stay, should the node come back; those by tag have to ask again.
void topics::domain_left(const identity& domain, time_ms, topics_effects&) {
  for (const auto& [topic, i] : impl_->instances_)
    if (i->domain == domain)
      for (const auto token : *i->subscribers) impl_->wished_[topic].emplace(token, 0);
  std::erase_if(impl_->instances_, [&](const auto& i) { return i.second->domain == domain; });
  std::erase_if(impl_->tags_, [&](const auto& t) { return t.domain == domain; });
  impl_->domains_.erase(domain);
}

expected<unit> topics::add_advert(byte_view wire, time_ms now, topics_effects& out) {
  HANSE_TRY(auto advert, decode_topic_advert(wire));
  if (const auto* known = find(advert.value.topic); known && known->value.version >= advert.value.version) {
    if (known->wire == advert.wire) return ok();
    return errc::stale;
  }
  if (!impl_->take_advert(std::move(advert), true, now, out)) return error{errc::table_full, "adverts"};
  return ok();
}

const signed_topic_advert* topics::find(const identity& topic) const {
  const auto it = impl_->adverts_.find(topic);
  return it == impl_->adverts_.end() ? nullptr : &it->second;
}

std::vector<identity> topics::all_topics() const {
  std::vector<identity> ids;
  for (const auto& [topic, a] : impl_->adverts_) ids.push_back(topic);
  return ids;
}

std::vector<identity> topics::topics_of(const identity& domain) const {
  std::vector<identity> ids;
  for (const auto& [topic, a] : impl_->adverts_)
    if (a.value.domain == domain) ids.push_back(topic);
  return ids;
}

std::vector<identity> topics::tagged(const identity& domain, std::string_view tag) const {
  std::vector<identity> ids;
  for (const auto& [topic, a] : impl_->adverts_)
    if (a.value.domain == domain && std::ranges::find(a.value.tags, tag) != a.value.tags.end()) ids.push_back(topic);
  return ids;
}

std::optional<topic_info> topics::info(const identity& topic) const {
  const auto* advert = find(topic);
  if (!advert) return {};
  topic_info info{*advert, impl_->nodes_of(advert->value.domain, topic), false, false, {}, {}};
  if (const auto it = impl_->instances_.find(topic); it != impl_->instances_.end()) {
    info.here = true;
    info.joined = it->second->multicast.joined();
    info.multicast = it->second->multicast.stats();
    info.dissemination = it->second->spread->stats();
    info.neighbours = it->second->spread->neighbours();
    info.eager = it->second->spread->eager();
  }
  return info;
}

bool topics::may_publish(const identity& topic, const identity& publisher) const {
  return impl_->may_publish(topic, publisher);
}

std::vector<chain_mark> topics::marks(const identity& topic) const {
  const auto it = impl_->instances_.find(topic);
  return it == impl_->instances_.end() ? std::vector<chain_mark>{} : it->second->multicast.marks();
}

void topics::tell_archive(const identity& to, const identity& topic, byte_view body, topics_effects& out) const {
  impl::wrap(to, topic, topics_channel::archive, body, out);
}

expected<unit> topics::subscribe(const identity& topic, subscriber_token token, std::uint32_t history, time_ms now,
                                 topics_effects& out) {
  return impl_->subscribe(topic, token, history, now, out);
}

expected<unit> topics::subscribe_tag(const identity& domain, const std::string& tag, subscriber_token token,
                                     std::uint32_t history, time_ms now, topics_effects& out) {
  if (!is_topic_tag(tag)) return error{errc::bad_value, "tag"};
  if (impl_->tags_.size() >= impl_->config_.subscribers_max) return error{errc::table_full, "subscriptions by tag"};
  impl_->tags_.push_back({domain, tag, token, history});
  if (impl_->domains_.contains(domain))
    for (const auto& topic : tagged(domain, tag)) static_cast<void>(subscribe(topic, token, history, now, out));
  return ok();
}

void topics::unsubscribe(const identity& topic, subscriber_token token, time_ms now, topics_effects& out) {
  if (const auto wish = impl_->wished_.find(topic); wish != impl_->wished_.end()) {
    wish->second.erase(token);
    if (wish->second.empty()) impl_->wished_.erase(wish);
  }
  const auto it = impl_->instances_.find(topic);
  if (it == impl_->instances_.end()) return;
  auto list = *it->second->subscribers;
  std::erase(list, token);
  it->second->subscribers = std::make_shared<const std::vector<subscriber_token>>(std::move(list));
  impl_->close_if_unused(topic, now, out);
}

void topics::unsubscribe(subscriber_token token, time_ms now, topics_effects& out) {
  std::erase_if(impl_->tags_, [&](const auto& t) { return t.token == token; });
  std::vector<identity> all;
  for (const auto& [topic, i] : impl_->instances_) all.push_back(topic);
  for (const auto& [topic, w] : impl_->wished_) all.push_back(topic);
  for (const auto& topic : all) unsubscribe(topic, token, now, out);
}

expected<unit> topics::add_publisher(const identity& topic, std::shared_ptr<event_signer> signer, std::uint64_t epoch,
                                     time_ms now, topics_effects& out) {
  if (!find(topic)) return error{errc::not_found, "no advert of the topic"};
  if (!impl_->may_publish(topic, signer->publisher())) return errc::permission_denied;
  HANSE_TRY(auto* i, impl_->open(topic, 0, now, out));
  const auto publisher = signer->publisher();
  HANSE_CHECK(i->multicast.add_publisher(std::move(signer), epoch));
  i->publishers.insert(publisher);
  return ok();
}

void topics::remove_publisher(const identity& topic, const identity& publisher, time_ms now, topics_effects& out) {
  const auto it = impl_->instances_.find(topic);
  if (it == impl_->instances_.end()) return;
  it->second->multicast.remove_publisher(publisher);
  it->second->publishers.erase(publisher);
  impl_->close_if_unused(topic, now, out);
}

expected<unit> topics::publish(const identity& topic, const identity& publisher, shared_bytes body, event_mode mode,
                               time_ms now) {
  const auto it = impl_->instances_.find(topic);
  if (it == impl_->instances_.end()) return error{errc::not_found, "no publisher of the topic here"};
  return it->second->multicast.publish(publisher, std::move(body), mode, now);
}

expected<unit> topics::forge(const identity& topic, event_signer& signer, std::uint64_t epoch, shared_bytes body,
                             time_ms now) {
  const auto it = impl_->instances_.find(topic);
  if (it == impl_->instances_.end()) return error{errc::not_found, "this node takes no part in the topic"};
  topic_event e;
  e.topic = topic;
  e.chain = {signer.publisher(), epoch};
  e.seq = 1;
  e.published_ms = now;
  e.body = std::move(body);
  const auto wire = encode(e);
  const byte_view view{wire};
  const auto id = event_id(wire);
  it->second->effects.emplace_back(multicast_broadcast{seal_parcel(signer, {&view, 1}, {&id, 1}).wire});
  return ok();
}

expected<unit> topics::receive(const identity& from, byte_view body, time_ms now, topics_effects& out) {
  return impl_->receive(from, body, now, out);
}

expected<unit> topics::impl::receive_inner(const identity& from, msgpack_reader& in, time_ms now, topics_effects& out) {
  const auto topic = internal::read_identity(in);
  const auto channel = internal::read_enum(in, topics_channel::archive);
  const auto body = in.blob(codec_size_max);
  HANSE_CHECK(in.finish());
  const auto it = instances_.find(topic);
  if (it == instances_.end()) return error{errc::not_found, "not in this topic"};
  auto& i = *it->second;
  if (channel == topics_channel::archive) {
    if (body.size() > topic_archive_body_max) return errc::too_long;
    if (!domain_with(i.domain, from)) return error{errc::permission_denied, "not a member of the domain"};
    out.emplace_back(topic_archive_body{topic, from, to_bytes(body)});
    return ok();
  }
  const auto result = channel == topics_channel::dissemination ? i.spread->receive(from, body, now, i.spread_effects)
                                                               : i.multicast.receive(from, body, now, i.effects);
  perform(i, now, out);
  return result;
}

void topics::peer_up(const identity& peer, time_ms now, topics_effects& out) {
  for (auto& [domain, d] : impl_->domains_)
    if (const auto m = d.members.find(peer); m != d.members.end() && m->second.acked != d.version)
      m->second.send_at = now;
  for (auto& [topic, i] : impl_->instances_)
    i->spread->peer_up(peer, now, i->spread_effects), impl_->perform(*i, now, out);
}

void topics::peer_down(const identity& peer, time_ms now, topics_effects& out) {
  for (auto& [topic, i] : impl_->instances_) {
    i->spread->peer_down(peer, now, i->spread_effects);
    impl_->perform(*i, now, out);
  }
}

void topics::peer_writable(const identity& peer, bool writable, time_ms now, topics_effects& out) {
  for (auto& [topic, i] : impl_->instances_) {
    i->spread->peer_writable(peer, writable, now, i->spread_effects);
    impl_->perform(*i, now, out);
  }
}

void topics::flush(time_ms now, topics_effects& out) {
  for (auto& [topic, i] : impl_->instances_) {
    i->multicast.flush(now, i->effects);
    impl_->perform(*i, now, out);
    i->spread->flush(now, i->spread_effects);
    impl_->perform(*i, now, out);
  }
}

void topics::tick(time_ms now, topics_effects& out) {
  impl_->send_rosters(now, out);
  for (auto& [topic, i] : impl_->instances_) {
    impl_->start_if_ready(*i, now);
    const auto before = i->spread->neighbours();
    i->spread->tick(now, i->spread_effects);
    if (const auto after = i->spread->neighbours(); after != before)
      i->multicast.peers_changed(impl_->nodes_of(i->domain, topic), after, now);
    i->multicast.tick(now, i->effects);
    impl_->perform(*i, now, out);
  }
  flush(now, out);
}

std::optional<time_ms> topics::next_timer() const {
  std::optional<time_ms> next;
  const auto sooner = [&](std::optional<time_ms> when) {
    if (when) next = next ? std::min(*next, *when) : *when;
  };
  for (const auto& [domain, d] : impl_->domains_) {
    if (d.catalogue_from) sooner(d.catalogue_at);
    for (const auto& [id, m] : d.members) sooner(m.send_at);
  }
  for (const auto& [topic, i] : impl_->instances_) {
    if (!i->started) sooner(i->start_by);
    sooner(i->spread->next_timer());
    sooner(i->multicast.next_timer());
  }
  return next;
}

} // namespace hanse
