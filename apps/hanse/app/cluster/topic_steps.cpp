// Steps of a scenario that are about topics: making one, subscribing, publishing, and checking what was delivered where
// (topic_trial.hpp). The others are step_runner.cpp and domain_steps.cpp.
#include "hanse/app/cluster/step_runner.hpp"

#include "hanse/crypto/bytes.hpp"
#include "hanse/protocols/multicast_control.hpp"
#include "hanse/protocols/topic_advert.hpp"

#include <algorithm>
#include <thread>

namespace hanse::app {

using nlohmann::json;

namespace {

node_summary state_of(const cluster& nodes, const std::string& node) {
  for (auto& n : nodes.nodes())
    if (n.name == node) return n;
  return {};
}

} // namespace

expected<std::shared_ptr<topic_trial>> step_runner::trial(const std::string& topic) {
  std::lock_guard guard{trials_mutex_};
  const auto i = trials_.find(topic);
  if (i == trials_.end()) return error{errc::not_found, "the topic " + topic + " was not created"};
  return i->second;
}

step_runner::result step_runner::run(const topic_create_step& s, work& w) {
  system_random random;
  const auto key = key_pair::generate(random);
  topic_advert a;
  a.topic = key.identity();
  a.version = 1;
  a.name = s.topic;
  HANSE_TRY(const auto domain, cluster_.domain(s.domain));
  HANSE_TRY(a.domain, identity::parse(domain.identity));
  for (const auto& node : s.publishers) {
    HANSE_TRY(const auto text, cluster_.identity_of({node, ""}, w.scope));
    HANSE_TRY(const auto id, identity::parse(text));
    a.publishers.push_back(id);
  }
  std::ranges::sort(a.publishers);
  HANSE_CHECK(check(a));
  HANSE_CHECK(cluster_.ask(s.node, {{"command", "topic_add"}, {"advert", to_hex(sign(a, key).wire)}}, w.scope));
  auto t = std::make_shared<topic_trial>();
  t->identity = to_string(a.topic);
  std::lock_guard guard{trials_mutex_};
  trials_[s.topic] = std::move(t);
  return step_outcome{1, s.topic + " in " + s.domain};
}

/// Takes what the node delivered since the last time; after a restart of the node, in a new life of its log.
expected<unit> step_runner::collect(topic_trial& t, const std::string& node, work& w) {
  auto& s = t.at(node);
  std::lock_guard guard{s.mutex};
  const auto starts = state_of(cluster_, node).starts;
  if (s.subscription == 0 || s.starts != starts) {
    HANSE_TRY(const auto opened,
              cluster_.ask(node, {{"command", "topic_subscribe"}, {"topic", t.identity}, {"history", join_history_max}},
                           w.scope));
    if (s.subscription != 0) s.log.lives.emplace_back();
    s.log.last.clear();
    s.subscription = opened.at("subscription").get<std::uint64_t>();
    s.starts = starts;
  }
  while (true) {
    HANSE_TRY(const auto answer,
              cluster_.ask(node, {{"command", "topic_events"}, {"subscription", s.subscription}}, w.scope));
    if (answer.at("missed") != 0) return error{errc::queue_full, node + " delivered more than was fetched"};
    for (const auto& e : answer.at("events")) {
      HANSE_TRY(auto event, trial_event::from_body(e.at("body")));
      if (const auto fits = append(s.log, std::move(event)); !fits)
        return error{fits.code(), "at " + node + ": " + fits.error().detail};
    }
    if (answer.at("events").empty()) return ok();
  }
}

step_runner::result step_runner::run(const topic_subscribe_step& s, work& w) {
  HANSE_TRY(const auto t, trial(s.topic));
  for (const auto& node : s.nodes) HANSE_CHECK(collect(*t, node, w));
  for (const auto& node : s.nodes)
    while (true) {
      HANSE_TRY(const auto answer, cluster_.ask(node, {{"command", "topic_list"}}, w.scope));
      std::string state = "the topic is not known there";
      for (const auto& topic : answer.at("topics")) {
        if (topic.at("topic") != t->identity) continue;
        if (topic.at("joined") == true && topic.at("nodes").size() + 1 >= s.nodes.size())
          state.clear();
        else
          state = "it knows of " + std::to_string(topic.at("nodes").size()) + " others";
      }
      if (state.empty()) break;
      if (auto waited = w.scope.pause(); !waited) return error{waited.error().code, node + ": " + state};
    }
  return step_outcome{s.nodes.size(), std::to_string(s.nodes.size()) + " subscribers"};
}

step_runner::result step_runner::run(const topic_publish_step& s, work& w) {
  HANSE_TRY(const auto t, trial(s.topic));
  std::vector<std::string> all;
  {
    std::lock_guard guard{t->mutex};
    for (const auto& [node, subscriber] : t->subscribers) all.push_back(node);
  }
  auto next = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < s.count; ++i) {
    HANSE_CHECK(collect(*t, s.node, w));
    trial_event e{s.node, 1, {}};
    {
      auto& mine = t->at(s.node);
      std::lock_guard guard{mine.mutex};
      e.after = mine.log.last;
    }
    {
      std::lock_guard guard{t->mutex};
      e.number = t->published[s.node] + 1;
    }
    e.after.erase(s.node); // its own order goes without saying
    HANSE_CHECK(
        cluster_.ask(s.node, {{"command", "topic_publish"}, {"topic", t->identity}, {"body", e.to_body()}}, w.scope));
    {
      std::lock_guard guard{t->mutex};
      t->published[s.node] = e.number;
    }
    // In turn: what a node delivers before it is killed is seen here, too. One that does not run has nothing to tell.
    const auto& other = all[(e.number + std::hash<std::string>{}(s.node)) % all.size()];
    if (other != s.node && !state_of(cluster_, other).paused)
      if (const auto seen = collect(*t, other, w); !seen && seen.code() == errc::bad_value) return seen.error();
    w.progress(i + 1, s.count);
    next += milliseconds{s.every_ms};
    std::this_thread::sleep_until(std::min(next, w.scope.deadline)); // the pace that the scenario asks for
  }
  return step_outcome{s.count, s.node + " published " + std::to_string(s.count)};
}

step_runner::result step_runner::run(const topic_check_step& s, work& w) {
  HANSE_TRY(const auto t, trial(s.topic));
  event_numbers published;
  {
    std::lock_guard guard{t->mutex};
    published = t->published;
  }
  std::uint64_t count = 0, dependencies = 0;
  for (const auto& [node, n] : published) count += n;
  for (const auto& node : s.nodes)
    while (true) {
      const auto collected = collect(*t, node, w);
      if (!collected && collected.code() == errc::bad_value) return collected.error();
      auto& subscriber = t->at(node);
      std::unique_lock guard{subscriber.mutex};
      const auto missing = missing_of(subscriber.log, published);
      if (collected && missing.empty()) {
        dependencies += summary_of(subscriber.log).dependencies;
        break;
      }
      guard.unlock();
      if (auto waited = w.scope.pause(); !waited)
        return error{waited.error().code, node + " lacks " + (missing.empty() ? "nothing" : missing) +
                                              (collected ? "" : "; " + to_string(collected.error()))};
    }
  return step_outcome{count * s.nodes.size(), std::to_string(count) + " events of " + std::to_string(published.size()) +
                                                  " publishers at " + std::to_string(s.nodes.size()) + " nodes, " +
                                                  std::to_string(dependencies) +
                                                  " dependencies in order, none missing"};
}

} // namespace hanse::app
