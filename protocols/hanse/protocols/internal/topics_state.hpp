// The state of topics, shared by its sources: topics.cpp (what its user calls), topics_membership.cpp (rosters and
// adverts). Not installed.
#pragma once

#include "hanse/protocols/topics.hpp"

#include <set>

namespace hanse::internal {

enum class topics_kind : std::uint8_t { roster = 0, roster_ack = 1, adverts = 2, catalogue_want = 3, inner = 4 };
enum class topics_channel : std::uint8_t { dissemination = 0, multicast = 1, archive = 2 };
inline constexpr std::uint8_t topics_version = 1;

/// A topic that this node takes part in.
struct topic_instance final : payload_sink {
  topic_instance(const identity& topic, const identity& domain, causal_multicast multicast)
      : topic(topic), domain(domain), multicast(std::move(multicast)) {}

  payload_verdict offer(const identity& from, const shared_bytes& payload, time_ms now) override {
    return multicast.offer(from, payload, now, effects);
  }

  identity topic, domain;
  causal_multicast multicast;
  std::unique_ptr<dissemination> spread;
  std::shared_ptr<const std::vector<subscriber_token>> subscribers =
      std::make_shared<const std::vector<subscriber_token>>(); ///< ascending
  std::set<identity> publishers;
  bool started = false;
  std::uint32_t history = 0;
  time_ms start_by = 0;
  multicast_effects effects; ///< collected during a call
  dissemination_effects spread_effects;
};

/// Another member of a domain.
struct roster_entry {
  std::optional<std::uint64_t> version; ///< of its roster; none: not heard yet
  std::set<identity> topics;
  time_ms heard_ms = 0;
  // of our roster to it
  std::uint64_t acked = 0;
  time_ms send_at = 0;
  time_ms sent_ms = 0;
  std::uint32_t retry_ms = 0;
};

struct domain_state {
  topic_domain view;
  std::map<identity, roster_entry> members; ///< without this node
  std::uint64_t version = 0;                ///< of our roster
  time_ms catalogue_at = 0;                 ///< not before this another request
  std::optional<identity> catalogue_from;   ///< who knows other adverts than we do
  digest catalogue_theirs;
  std::uint32_t catalogue_tries = 0;
  std::map<identity, time_ms> catalogue_sent; ///< to members
};

struct tag_subscription {
  identity domain;
  std::string tag;
  subscriber_token token = 0;
  std::uint32_t history = 0;
};

} // namespace hanse::internal

namespace hanse {

class topics::impl {
public:
  impl(const identity& self, event_verifier& verifier, random_source& random, dissemination_registry registry,
       const topics_config& config)
      : self_(self), verifier_(verifier), random_(random), registry_(std::move(registry)), config_(config) {}

  using instance = internal::topic_instance;
  using domain_state = internal::domain_state;

  // topics.cpp
  expected<instance*> open(const identity& topic, std::uint32_t history, time_ms now, topics_effects& out);
  void close_if_unused(const identity& topic, time_ms now, topics_effects& out);
  expected<unit> subscribe(const identity& topic, subscriber_token token, std::uint32_t history, time_ms now,
                           topics_effects& out);
  void perform(instance& i, time_ms now, topics_effects& out);
  static void wrap(const identity& to, const identity& topic, internal::topics_channel channel, byte_view body,
                   topics_effects& out);
  bool may_publish(const identity& topic, const identity& publisher) const;
  void refresh_members(instance& i, time_ms now, topics_effects& out);
  void start_if_ready(instance& i, time_ms now);
  expected<unit> receive_inner(const identity& from, msgpack_reader& in, time_ms now, topics_effects& out);

  // topics_membership.cpp
  expected<unit> receive(const identity& from, byte_view body, time_ms now, topics_effects& out);
  expected<unit> receive_roster(const identity& from, msgpack_reader& in, time_ms now, topics_effects& out);
  expected<unit> receive_ack(const identity& from, msgpack_reader& in, time_ms now, topics_effects& out);
  expected<unit> receive_adverts(const identity& from, msgpack_reader& in, time_ms now, topics_effects& out);
  expected<unit> receive_catalogue_want(const identity& from, msgpack_reader& in, time_ms now, topics_effects& out);
  void roster_changed(const identity& domain, time_ms now, topics_effects& out);
  void send_rosters(time_ms now, topics_effects& out);
  void send_roster(const identity& domain, const domain_state& d, const identity& to, topics_effects& out);
  bool take_advert(signed_topic_advert advert, bool tell, time_ms now, topics_effects& out);
  void send_adverts(const identity& to, const std::vector<byte_view>& wires, topics_effects& out);
  void compare_catalogue(const identity& domain, domain_state& d, const identity& from, const digest& theirs,
                         time_ms now, topics_effects& out);
  void want_catalogue(const identity& domain, domain_state& d, time_ms now, topics_effects& out);
  digest catalogue_of(const identity& domain) const;
  std::vector<identity> nodes_of(const identity& domain, const identity& topic) const;
  bool heard_all(const domain_state& d) const;
  domain_state* domain_with(const identity& domain, const identity& member);

  identity self_;
  event_verifier& verifier_;
  random_source& random_;
  dissemination_registry registry_;
  topics_config config_;
  std::map<identity, domain_state> domains_;
  std::map<identity, signed_topic_advert> adverts_;
  std::map<identity, std::unique_ptr<instance>> instances_;
  std::map<identity, std::map<subscriber_token, std::uint32_t>> wished_; ///< topics without an advert; history
  std::vector<internal::tag_subscription> tags_;
};

} // namespace hanse
