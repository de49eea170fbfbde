// The topics of a node: which nodes take part in which, and the adverts of a domain. See topics.hpp. Messages, all
// [kind, version, …]:
//   roster 0          [domain, roster version, catalogue, known, [topic, …]]   the sender takes part in these topics
//                     known: the version of the receiver's roster that the sender has, 0 for none, as after a restart
//   roster ack 1      [domain, roster version, catalogue]
//   adverts 2         [[advert, …]]
//   catalogue want 3  [domain]
//   inner 4           [topic, channel, body]                            of dissemination (0) or causal multicast (1)
// A catalogue is the hash of all adverts of a domain that the sender knows, so that differences are found.
#include "hanse/protocols/internal/topics_state.hpp"
#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>

namespace hanse {

using internal::topics_kind;

namespace {

constexpr std::size_t roster_topics_max = 4096;
constexpr std::size_t adverts_in_message_max = 128;
constexpr std::uint32_t roster_again_ms = 100;    ///< a member that says it knows none is told no more often; a guess
constexpr std::uint32_t catalogue_tries_max = 14; ///< a guess: four at once, then each after twice the time

msgpack_writer begin(topics_kind kind, std::size_t fields) {
  msgpack_writer out;
  out.array(fields);
  out.unsigned_integer(static_cast<std::uint8_t>(kind));
  out.unsigned_integer(internal::topics_version);
  return out;
}

digest read_digest(msgpack_reader& in) {
  digest d;
  std::ranges::copy(in.blob_exactly(digest::size_bytes), d.octets.begin());
  return d;
}

} // namespace

topics::impl::domain_state* topics::impl::domain_with(const identity& domain, const identity& member) {
  const auto it = domains_.find(domain);
  return it == domains_.end() || !it->second.members.contains(member) ? nullptr : &it->second;
}

digest topics::impl::catalogue_of(const identity& domain) const {
  bytes all;
  for (const auto& [topic, a] : adverts_) {
    if (a.value.domain != domain) continue;
    append(all, topic.wire());
    for (int shift = 56; shift >= 0; shift -= 8) all.push_back(static_cast<std::byte>(a.value.version >> shift));
  }
  return blake2b_256(all);
}

std::vector<identity> topics::impl::nodes_of(const identity& domain, const identity& topic) const {
  std::vector<identity> nodes;
  const auto d = domains_.find(domain);
  if (d == domains_.end()) return nodes;
  for (const auto& [id, m] : d->second.members)
    if (m.topics.contains(topic)) nodes.push_back(id);
  return nodes;
}

bool topics::impl::heard_all(const domain_state& d) const {
  return std::ranges::all_of(d.members, [](const auto& m) { return m.second.version.has_value(); });
}

// Everyone is to know, soon.
void topics::impl::roster_changed(const identity& domain, time_ms now, topics_effects&) {
  const auto it = domains_.find(domain);
  if (it == domains_.end()) return;
  it->second.version = std::min(std::max(it->second.version + 1, now), wire_number_max);
  for (auto& [id, m] : it->second.members) {
    m.send_at = now;
    m.retry_ms = config_.roster_retry_ms;
  }
}

void topics::impl::send_roster(const identity& domain, const domain_state& d, const identity& to, topics_effects& out) {
  auto message = begin(topics_kind::roster, 7);
  message.blob(domain.wire());
  message.unsigned_integer(d.version);
  message.blob(catalogue_of(domain).view());
  message.unsigned_integer(d.members.at(to).version.value_or(0));
  std::vector<identity> mine;
  for (const auto& [topic, i] : instances_)
    if (i->domain == domain) mine.push_back(topic);
  message.array(mine.size());
  for (const auto& topic : mine) message.blob(topic.wire());
  out.emplace_back(peer_message{to, std::move(message).take()});
}

void topics::impl::send_rosters(time_ms now, topics_effects& out) {
  for (auto& [domain, d] : domains_) {
    want_catalogue(domain, d, now, out);
    std::vector<identity> silent;
    for (auto& [id, m] : d.members) {
      if (m.version && m.heard_ms + config_.roster_life_ms <= now && !m.topics.empty()) silent.push_back(id);
      if (m.send_at > now) continue;
      send_roster(domain, d, id, out);
      m.sent_ms = now;
      m.send_at = now + m.retry_ms;
      m.retry_ms = std::min(std::max(2 * m.retry_ms, config_.roster_retry_ms), config_.roster_retry_max_ms);
    }
    for (const auto& id : silent) d.members[id].topics.clear();
    if (silent.empty()) continue;
    for (auto& [topic, i] : instances_)
      if (i->domain == domain) refresh_members(*i, now, out);
  }
}

expected<unit> topics::impl::receive_roster(const identity& from, msgpack_reader& in, time_ms now,
                                            topics_effects& out) {
  const auto domain = internal::read_identity(in);
  const auto version = in.unsigned_integer(wire_number_max);
  const auto catalogue = read_digest(in);
  const auto known = in.unsigned_integer(wire_number_max);
  std::set<identity> listed;
  for (auto left = in.array(roster_topics_max); left > 0 && in.good(); --left) {
    const auto topic = internal::read_identity(in);
    if (!listed.empty() && !(*listed.rbegin() < topic)) in.fail(errc::not_canonical);
    listed.insert(listed.end(), topic);
  }
  HANSE_CHECK(in.finish());
  auto* d = domain_with(domain, from);
  if (!d) return error{errc::permission_denied, "not a member of the domain"};
  auto& m = d->members[from];
  const bool is_first = !m.version;
  m.heard_ms = now;
  auto ack = begin(topics_kind::roster_ack, 5);
  ack.blob(domain.wire());
  ack.unsigned_integer(version);
  ack.blob(catalogue_of(domain).view());
  out.emplace_back(peer_message{from, std::move(ack).take()});
  compare_catalogue(domain, *d, from, catalogue, now, out);
  if (known != d->version) { // it is new, or has restarted: it wants to know who is where
    m.acked = 0;
    m.retry_ms = config_.roster_retry_ms;
    m.send_at = is_first ? now : std::max(now, m.sent_ms + roster_again_ms);
  }
  if (m.version && version < *m.version) return ok();
  m.version = version;
  if (m.topics == listed && !is_first) return ok();
  auto changed = std::exchange(m.topics, listed);
  changed.merge(listed);
  for (auto& [topic, i] : instances_)
    if (i->domain == domain && (changed.contains(topic) || !i->started)) refresh_members(*i, now, out);
  return ok();
}

expected<unit> topics::impl::receive_ack(const identity& from, msgpack_reader& in, time_ms now, topics_effects& out) {
  const auto domain = internal::read_identity(in);
  const auto version = in.unsigned_integer(wire_number_max);
  const auto catalogue = read_digest(in);
  HANSE_CHECK(in.finish());
  auto* d = domain_with(domain, from);
  if (!d) return error{errc::permission_denied, "not a member of the domain"};
  compare_catalogue(domain, *d, from, catalogue, now, out);
  auto& m = d->members[from];
  if (version != d->version || m.acked == version) return ok();
  m.acked = version;
  m.send_at = now + config_.roster_refresh_ms;
  m.retry_ms = config_.roster_retry_ms;
  return ok();
}

// Others know other adverts than this node: one of them is asked for theirs, some times.
void topics::impl::compare_catalogue(const identity& domain, domain_state& d, const identity& from,
                                     const digest& theirs, time_ms now, topics_effects& out) {
  if (theirs == catalogue_of(domain)) {
    if (d.catalogue_from == from) d.catalogue_from.reset();
    return;
  }
  if (d.catalogue_from) return;
  d.catalogue_from = from;
  d.catalogue_theirs = theirs;
  d.catalogue_tries = 0;
  want_catalogue(domain, d, now, out);
}

void topics::impl::want_catalogue(const identity& domain, domain_state& d, time_ms now, topics_effects& out) {
  if (!d.catalogue_from || d.catalogue_at > now) return;
  if (d.catalogue_tries == catalogue_tries_max || d.catalogue_theirs == catalogue_of(domain))
    return d.catalogue_from.reset();
  d.catalogue_at = now + (std::uint64_t{config_.catalogue_ms} << std::max(d.catalogue_tries++, 3u)) / 8;
  auto want = begin(topics_kind::catalogue_want, 3);
  want.blob(domain.wire());
  out.emplace_back(peer_message{*d.catalogue_from, std::move(want).take()});
}

expected<unit> topics::impl::receive_catalogue_want(const identity& from, msgpack_reader& in, time_ms now,
                                                    topics_effects& out) {
  const auto domain = internal::read_identity(in);
  HANSE_CHECK(in.finish());
  auto* d = domain_with(domain, from);
  if (!d) return error{errc::permission_denied, "not a member of the domain"};
  auto& sent = d->catalogue_sent[from]; // of members only
  if (sent != 0 && now < sent + config_.catalogue_ms / 2) return ok();
  sent = std::max<time_ms>(now, 1);
  std::vector<byte_view> wires;
  for (const auto& [topic, a] : adverts_)
    if (a.value.domain == domain) wires.push_back(a.wire);
  send_adverts(from, wires, out);
  return ok();
}

void topics::impl::send_adverts(const identity& to, const std::vector<byte_view>& wires, topics_effects& out) {
  for (std::size_t at = 0; at < wires.size(); at += adverts_in_message_max) {
    const auto count = std::min(adverts_in_message_max, wires.size() - at);
    auto message = begin(topics_kind::adverts, 3);
    message.array(count);
    for (std::size_t i = 0; i < count; ++i) message.blob(wires[at + i]);
    out.emplace_back(peer_message{to, std::move(message).take()});
  }
}

// A verified advert of a higher version than what is known. Only who has it from its own user tells it to all.
// False: there is no room.
bool topics::impl::take_advert(signed_topic_advert advert, bool tell, time_ms now, topics_effects& out) {
  const auto topic = advert.value.topic;
  const auto domain = advert.value.domain;
  const auto known = adverts_.find(topic);
  if (known == adverts_.end() && adverts_.size() >= config_.adverts_max) return false;
  if (known != adverts_.end() && known->second.value.domain != domain) instances_.erase(topic); // it moved
  adverts_[topic] = advert;
  out.emplace_back(topic_known{advert});
  const auto d = domains_.find(domain);
  if (d == domains_.end()) return true;
  if (tell)
    for (const auto& [id, m] : d->second.members) send_adverts(id, {advert.wire}, out);
  if (const auto wish = wished_.extract(topic))
    for (const auto& [token, history] : wish.mapped()) static_cast<void>(subscribe(topic, token, history, now, out));
  for (const auto& t : std::vector{tags_})
    if (t.domain == domain && std::ranges::binary_search(advert.value.tags, t.tag))
      static_cast<void>(subscribe(topic, t.token, t.history, now, out)); // already_exists: a later version
  return true;
}

expected<unit> topics::impl::receive_adverts(const identity& from, msgpack_reader& in, time_ms now,
                                             topics_effects& out) {
  std::vector<byte_view> wires(in.array(adverts_in_message_max));
  for (auto& w : wires) w = in.blob(advert_size_max);
  HANSE_CHECK(in.finish());
  for (const auto w : wires) {
    const auto same = [&](const auto& known) { return equal(known.second.wire, w); };
    if (std::ranges::any_of(adverts_, same)) continue; // before the signature
    auto advert = decode_topic_advert(w);
    if (!advert) {
      out.emplace_back(peer_faulted{from, advert.error()});
      return advert.error();
    }
    if (!domain_with(advert->value.domain, from)) continue; // of a domain that we do not share
    const auto known = adverts_.find(advert->value.topic);
    if (known == adverts_.end() || known->second.value.version < advert->value.version)
      take_advert(*std::move(advert), false, now, out);
  }
  return ok();
}

std::optional<identity> topics::domain_of(byte_view body) const {
  msgpack_reader in{body};
  in.array(7);
  const auto kind = in.unsigned_integer();
  in.unsigned_integer();
  if (!in.good()) return {};
  if (kind == static_cast<std::uint8_t>(topics_kind::inner)) {
    const auto* advert = find(internal::read_identity(in));
    return in.good() && advert ? std::optional{advert->value.domain} : std::nullopt;
  }
  if (kind != static_cast<std::uint8_t>(topics_kind::adverts)) {
    const auto domain = internal::read_identity(in);
    return in.good() ? std::optional{domain} : std::nullopt;
  }
  if (in.array(adverts_in_message_max) == 0) return {};
  msgpack_reader advert{in.blob(advert_size_max)};
  advert.array_exactly(2);
  msgpack_reader payload{advert.blob(advert_size_max)};
  payload.array_exactly(8);
  payload.text(advert_size_max);
  payload.unsigned_integer();
  internal::read_identity(payload);
  payload.unsigned_integer();
  const auto domain = internal::read_identity(payload);
  return in.good() && advert.good() && payload.good() ? std::optional{domain} : std::nullopt;
}

expected<unit> topics::impl::receive(const identity& from, byte_view body, time_ms now, topics_effects& out) {
  msgpack_reader in{body};
  const auto fields = in.array(7);
  const auto kind = in.unsigned_integer();
  if (in.unsigned_integer() != internal::topics_version) in.fail(errc::bad_version);
  constexpr std::array<std::size_t, 5> field_counts{7, 5, 3, 3, 5};
  if (kind >= field_counts.size()) {
    in.fail(errc::bad_type);
  } else if (fields != field_counts[kind]) {
    in.fail(errc::bad_value);
  }
  if (!in.good()) return in.finish().error();
  switch (static_cast<topics_kind>(kind)) {
  case topics_kind::roster:
    return receive_roster(from, in, now, out);
  case topics_kind::roster_ack:
    return receive_ack(from, in, now, out);
  case topics_kind::adverts:
    return receive_adverts(from, in, now, out);
  case topics_kind::catalogue_want:
    return receive_catalogue_want(from, in, now, out);
  case topics_kind::inner:
    return receive_inner(from, in, now, out);
  }
  return errc::bad_type;
}

} // namespace hanse
