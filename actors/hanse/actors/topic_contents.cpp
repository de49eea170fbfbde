// Events that are larger than an event may be: the publisher puts the body into the domain's blocks and publishes its
// capability; a node that delivers such an event gets the body first. What comes later in the topic waits for it, so
// that the order stays. See topic_engine.hpp, event_content.hpp.
#include "hanse/actors/errors.hpp"
#include "hanse/actors/event_content.hpp"
#include "hanse/actors/topic_engine.hpp"

#include <algorithm>

namespace hanse {

/// Puts the body; until that is done, what the publisher publishes in this topic waits behind it.
void topic_engine::put_body(const publisher_key& key, const identity& domain, publication p) {
  held_[key];
  std::vector<bytes> content;
  content.push_back(to_bytes(p.body.view()));
  p.body = {};
  compat::request(self_, blocks_, caf::infinite, put_atom_v,
                  content_wish{.domain = domain, .lease_ms = topic_content_lease_ms}, std::move(content))
      .then(
          [this, key, p](const content_kept& kept) mutable {
            p.body = shared_bytes{encode_event_content(kept.content)};
            p.is_content = true;
            auto& waiting = held_[key];
            waiting.insert(waiting.begin(), std::move(p));
            ++held_count_;
            publish_held(key, ok());
          },
          [this, key, p](const caf::error& why) mutable {
            p.done(to_hanse(why));
            publish_held(key, ok());
          });
}

/// Collects what is to be delivered in a topic behind a body that is still on its way. False: nothing is.
bool topic_engine::wait_for_content(topic_deliver& d) {
  const auto topic = d.event.topic;
  const auto is_content = blocks_ && is_event_content(d.event.body.view());
  const auto waiting = arriving_.find(topic);
  if (!is_content && waiting == arriving_.end()) return false;
  auto& queue = arriving_[topic];
  arrival a;
  a.number = ++last_arrival_;
  a.is_content = is_content;
  queue.octets += d.event.body.size();
  a.event = std::move(d);
  queue.arrivals.push_back(std::move(a));
  if (queue.arrivals.size() > topic_arrivals_max || queue.octets > topic_fetch_octets_max)
    lose_content(topic, {errc::queue_full, "too much waits behind it"});
  fetch_contents(topic);
  return true;
}

/// Asks for the bodies of the first few events that lack one.
void topic_engine::fetch_contents(const identity& topic) {
  const auto at = arriving_.find(topic);
  if (at == arriving_.end()) return;
  const auto* advert = machine().find(topic);
  std::size_t ahead = 0;
  for (auto& a : at->second.arrivals) {
    if (!a.is_content) continue;
    if (++ahead > topic_contents_ahead) return;
    if (std::exchange(a.is_asked, true)) continue;
    const auto content = decode_event_content(a.event.event.body.view());
    if (!content || !advert) {
      a.lost = true;
      continue;
    }
    content_get_wish wish{.domain = advert->value.domain, .content = *content, .size_max = event_content_max};
    compat::request(self_, blocks_, caf::infinite, load_atom_v, std::move(wish))
        .then([this, topic, number = a.number](std::vector<bytes>& body) { content_came(topic, number, body, {}); },
              [this, topic, number = a.number](const caf::error& why) {
                std::vector<bytes> none;
                content_came(topic, number, none, to_hanse(why));
              });
  }
  deliver_arrived(topic);
}

void topic_engine::content_came(const identity& topic, std::uint64_t number, std::vector<bytes>& body,
                                const error& why) {
  const auto at = arriving_.find(topic);
  if (at == arriving_.end()) return;
  auto& arrivals = at->second.arrivals;
  const auto a = std::ranges::find(arrivals, number, &arrival::number);
  if (a == arrivals.end()) return; // given up meanwhile
  if (body.size() == 1 && !is_event_content(body.front())) {
    a->event.event.body = shared_bytes{std::move(body.front())};
    a->is_content = false;
  } else {
    a->lost = true;
    refuse("topic_content_lost", topic, why.code == errc::none ? error{errc::bad_value, "content of content"} : why);
  }
  deliver_arrived(topic);
  fetch_contents(topic);
  hand_over();
}

void topic_engine::lose_content(const identity& topic, const error& why) {
  for (auto& a : arriving_.at(topic).arrivals) {
    if (!a.is_content) continue;
    a.lost = true;
    refuse("topic_content_lost", topic, why);
    break;
  }
  deliver_arrived(topic);
}

void topic_engine::deliver_arrived(const identity& topic) {
  const auto at = arriving_.find(topic);
  if (at == arriving_.end()) return;
  auto& queue = at->second;
  while (!queue.arrivals.empty() && (!queue.arrivals.front().is_content || queue.arrivals.front().lost)) {
    auto a = std::move(queue.arrivals.front());
    queue.arrivals.pop_front();
    queue.octets -= std::min(queue.octets, a.event.event.body.size());
    if (a.lost)
      ++lost_[topic];
    else
      deliver_now(a.event);
  }
  if (queue.arrivals.empty()) arriving_.erase(at);
}

} // namespace hanse
