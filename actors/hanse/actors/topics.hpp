// The topics of a running node, for programs: create, publish, subscribe with a typed handler. Start here.
// Not the machine (protocols/topics.hpp). docs/topics.md says what is promised.
//
//   auto t = hanse::node_topics::start(*n, *domains, {});
//   t->subscribe<calculator_actor>(topic, handle);              // events are typed messages to an actor
//   anon_send(n->remote<calculator_actor>(topic), …);           // publishing is a plain send to the topic
#pragma once

#include "hanse/actors/blocks.hpp"

namespace hanse {

struct topic_options {
  dissemination_registry dissemination = dissemination_registry::builtin(); ///< what a domain may name
  topics_config machine = {};
  node_blocks* blocks = nullptr; ///< where bodies go that are too large for an event; null: they are refused
};

/// To be in `node_options::speaks` of a node with topics.
std::vector<protocol_id> topic_node_protocols();

/// Names a subscription at this node.
using topic_subscription = std::uint64_t;

/// Turns the events of a topic into messages of a typed actor: bodies are decoded by the signatures of its interface,
/// in their order. What fits none is counted (`schema_mismatch`) and dropped.
template <class Interface>
class topic_gateway {
public:
  using pointer = topic_listener_actor::pointer;
  static inline const char* name = "hanse.topic-gateway";

  topic_gateway(pointer self, services_ptr services, Interface subscriber)
      : self_(self), services_(std::move(services)), subscriber_(std::move(subscriber)) {
    compat::ignore_stray_errors(self_);
  }

  topic_listener_actor::behavior_type make_behavior() {
    return {[this](const std::vector<topic_delivery>& events) {
      for (const auto& e : events) dispatch(compat::signatures_of<Interface>{}, e.body.view());
    }};
  }

private:
  template <template <class...> class List, class... Signatures>
  void dispatch(List<Signatures...>, byte_view body) {
    if (!(attempt(static_cast<Signatures*>(nullptr), body) || ...)) services_->counters.drop(errc::schema_mismatch);
  }

  template <class... Rs, class... As>
  bool attempt(caf::result<Rs...> (*)(As...), byte_view body) {
    auto arguments = decode_body<As...>(body);
    if (!arguments) return false;
    std::apply([this](As&... xs) { compat::tell(self_, subscriber_, std::move(xs)...); }, *arguments);
    return true;
  }

  pointer self_;
  services_ptr services_;
  Interface subscriber_;
};

/// Lives as long as it is wanted, and no longer than the node and its domains. Thread-safe; calls wait for the node's
/// actors and may not come from one of them.
class node_topics {
public:
  /// Ends the topics here. What was published is with the router first: it leaves before the node stops.
  ~node_topics();
  node_topics(const node_topics&) = delete;
  node_topics& operator=(const node_topics&) = delete;

  /// Takes up the adverts that the node knew, and the topics that it kept. Errors: those of node::register_service;
  /// `io_error`.
  static expected<std::unique_ptr<node_topics>> start(node& n, node_domains& domains, topic_options options);

  /// Takes an advert and tells the members of its domain. From then on messages to the topic from engines here are
  /// published. Errors: those of topics::add_advert.
  expected<unit> add(const signed_topic_advert& advert);

  /// Publishes a body of `encode_body`, in the name of `source`: a local engine that the topic lists; else of the
  /// node. Returns when it is on its way, and with the subscribers here. A plain send to the topic does the same.
  /// Errors: `not_found`, `permission_denied`, `too_long`, `queue_full`.
  expected<unit> publish(const identity& topic, shared_bytes body, const identity& source = {},
                         event_mode mode = event_mode::causal);

  /// Events become typed messages to `subscriber`, until it ends. `history`: as many of the events before, at most
  /// topic_history_max: what the nodes have at hand, then what is in the archive of one that keeps the topic.
  /// Errors: `table_full`.
  template <class Interface>
  expected<topic_subscription> subscribe(const identity& topic, Interface subscriber, std::uint32_t history = 0) {
    using impl = topic_listener_actor::stateful_impl<topic_gateway<Interface>>;
    auto gateway = core_->system.template spawn<impl>(core_->services, subscriber);
    auto token = listen(topic, caf::actor_cast<topic_listener_actor>(gateway), history);
    if (token) // without its subscription the gateway has no owner: it goes
      compat::on_termination(subscriber, [topics = actor_, t = *token](const caf::error&) {
        compat::anon_send(topics, remove_atom_v, t);
      });
    return token;
  }

  /// The same without decoding: topic, publisher, place and octets of each event.
  expected<topic_subscription> listen(const identity& topic, const topic_listener_actor& listener,
                                      std::uint32_t history = 0);

  /// All topics of the domain with the tag, later ones included. Errors: `bad_value`, `table_full`.
  expected<topic_subscription> listen_tag(const identity& domain, std::string tag, const topic_listener_actor& listener,
                                          std::uint32_t history = 0);

  /// For who is no actor: events wait here, bounded, for `fetch`; who does not fetch for a minute is let go.
  expected<topic_subscription> open(const identity& topic, std::uint32_t history = 0);
  expected<topic_subscription> open_tag(const identity& domain, std::string tag, std::uint32_t history = 0);

  /// At most `count` events; waits up to `wait_ms` for the first one. Errors: `not_found`.
  expected<topic_fetch> fetch(topic_subscription s, std::uint32_t count, std::uint32_t wait_ms);

  void unsubscribe(topic_subscription s);

  /// Takes part in the topic whether or not somebody here subscribes, also after a restart: who subscribes later finds
  /// the latest events at this node, and all since then in its archive, if the domain has blocks. Errors: `table_full`.
  expected<unit> keep(const identity& topic, bool wanted);

  /// Waits until what is published in the topic from now on comes to the subscribers here: then this node can publish,
  /// too. Alone in a topic that takes a second or two, as it waits for others. Errors: `timed_out`, saying what is
  /// missing.
  expected<unit> await_joined(const identity& topic, std::uint32_t timeout_ms = 20'000);

  /// Waits until `done` is true of a report of the topic; looks after each change of its domain, its advert, its forks,
  /// and when it is joined. Errors: `not_found`, `timed_out`.
  expected<topic_report> await(const identity& topic, const std::function<bool(const topic_report&)>& done,
                               std::uint32_t timeout_ms = 20'000);

  /// For tests: sends `count` events of this node to the topic, whether it may publish or not; nothing comes to the
  /// subscribers here. Errors: `not_found` (this node takes no part).
  expected<unit> inject(const identity& topic, std::uint32_t count);

  expected<std::vector<topic_report>> reports();
  expected<topic_report> report(const identity& topic); ///< Errors: `not_found`

  const topic_actor& handle() const noexcept { return actor_; }

private:
  node_topics(std::shared_ptr<node_core> core, topic_actor actor, std::shared_ptr<internal::change_signal> changes)
      : core_(std::move(core)), actor_(std::move(actor)), changes_(std::move(changes)) {}
  expected<topic_subscription> watch(topic_wish wish);

  std::shared_ptr<node_core> core_;
  topic_actor actor_;
  std::shared_ptr<internal::change_signal> changes_;
};

} // namespace hanse
