// The topics of the program's node: what `hanse topic …`, `hanse pub` and `hanse sub` ask of it.
#include "hanse/app/json_body.hpp"
#include "hanse/app/runtime_backend.hpp"
#include "hanse/crypto/bytes.hpp"

#include <nlohmann/json.hpp>

namespace hanse::app {

using nlohmann::json;

namespace {

json json_of(const topic_archive_stats& s) {
  return {
      {"events", s.events}, {"octets", s.octets}, {"segments", s.segments}, {"unsealed", s.unsealed}, {"lost", s.lost}};
}

json json_of(const topic_report& r) {
  const auto& a = r.info.advert.value;
  const auto& m = r.info.multicast;
  return {{"topic", to_string(a.topic)},
          {"name", a.name},
          {"version", a.version},
          {"domain", to_string(a.domain)},
          {"in_domain", r.in_domain},
          {"dissemination", r.dissemination},
          {"why", r.why.code == errc::none ? json{} : json(to_string(r.why))},
          {"tags", a.tags},
          {"publishers", identities(a.publishers)},
          {"nodes", identities(r.info.nodes)},
          {"neighbours", identities(r.info.neighbours)},
          {"eager", identities(r.info.eager)},
          {"here", r.info.here},
          {"joined", r.info.joined},
          {"kept", r.kept},
          {"archive", r.archive ? json_of(*r.archive) : json{}},
          {"published", m.published},
          {"delivered", m.delivered},
          {"duplicates", m.duplicates},
          {"repaired", m.repaired},
          {"unauthorised", m.unauthorised},
          {"invalid", m.invalid},
          {"pending", m.pending},
          {"lost", r.lost},
          {"forked", identities(r.forked)}};
}

json json_of(const topic_delivery& e) {
  auto body = decode_json_body(e.body.view());
  return {{"topic", to_string(e.topic)},
          {"publisher", to_string(e.publisher)},
          {"epoch", e.epoch},
          {"seq", e.seq},
          {"published_ms", e.published_ms},
          {"causal", e.is_causal},
          {"body", body ? *std::move(body) : json("0x" + to_hex(e.body.view()))}};
}

} // namespace

/// An identity, or the name of a topic, if there is only one of that name.
expected<identity> runtime_backend::resolve_topic(const std::string& text) {
  if (is_identity_text(text)) return identity::parse(text);
  HANSE_TRY(const auto all, topics_->reports());
  std::vector<std::pair<std::string, identity>> known;
  for (const auto& r : all) known.emplace_back(r.info.advert.value.name, r.info.advert.value.topic);
  return one_called(text, known, "topic", "hanse topic list");
}

control_result runtime_backend::topic(const topic_request& request) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  if (request.action == "list") {
    HANSE_TRY(const auto all, topics_->reports());
    auto list = json::array();
    for (const auto& r : all) list.push_back(json_of(r));
    return json{{"topics", list}};
  }
  if (request.action == "add") {
    HANSE_TRY(const auto wire, from_hex(request.advert));
    HANSE_TRY(const auto advert, decode_topic_advert(wire));
    HANSE_CHECK(topics_->add(advert));
    HANSE_TRY(const auto r, topics_->report(advert.value.topic));
    return json_of(r);
  }
  if (request.action == "events") {
    HANSE_TRY(const auto fetched, topics_->fetch(request.subscription, request.count, request.wait_ms));
    auto list = json::array();
    for (const auto& e : fetched.events) list.push_back(json_of(e));
    return json{{"events", list}, {"missed", fetched.missed}};
  }
  if (request.action == "unsubscribe") {
    topics_->unsubscribe(request.subscription);
    return json{{"done", request.action}};
  }
  if (!request.tag.empty()) {
    HANSE_TRY(const auto domain, resolve_domain(request.domain));
    HANSE_TRY(const auto subscription, topics_->open_tag(domain, request.tag, request.history));
    return json{{"domain", to_string(domain)}, {"tag", request.tag}, {"subscription", subscription}};
  }
  HANSE_TRY(const auto id, resolve_topic(request.topic));
  if (request.action == "show") {
    HANSE_TRY(const auto r, topics_->report(id));
    return json_of(r);
  }
  if (request.action == "subscribe") {
    HANSE_TRY(const auto subscription, topics_->open(id, request.history));
    return json{{"topic", to_string(id)}, {"subscription", subscription}};
  }
  if (request.action == "publish") {
    HANSE_TRY(auto body, encode_json_body(request.body));
    identity source;
    if (!request.from.empty()) {
      HANSE_TRY(const auto entry, local_engine(request.from));
      source = entry.id;
    }
    HANSE_CHECK(topics_->publish(id, shared_bytes{std::move(body)}, source,
                                 request.unreliable ? event_mode::unreliable : event_mode::causal));
  }
  if (request.action == "keep") HANSE_CHECK(topics_->keep(id, request.wanted));
  return json{{"topic", to_string(id)}, {"done", request.action}};
}

} // namespace hanse::app
