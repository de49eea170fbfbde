// Publishing: what engines here, and the node, send to a topic. An engine that the topic lists publishes in its own
// name, with the key that the router keeps for it; others in the name of their node. See topic_engine.hpp.
#include "hanse/actors/body.hpp"
#include "hanse/actors/errors.hpp"
#include "hanse/actors/event_content.hpp"
#include "hanse/actors/service.hpp"
#include "hanse/actors/topic_engine.hpp"

#include <algorithm>

namespace hanse {

/// A plain send to a topic. Who asks gets an empty reply when the event is on its way, or the reason why it is not.
void topic_engine::take_message(inbound& in) {
  auto& m = in.message;
  auto body = std::move(m.body);
  m.body = {};
  const auto topic = m.destination, source = m.source;
  auto done = [this, request = std::move(m)](const expected<unit>& published) {
    if (!published) refuse("event_refused", request.source, published.error());
    if (request.kind != message_kind::ask) return;
    const auto& self = core_->services->self;
    std::vector<post> answer;
    answer.push_back(published ? reply_to(self, request, shared_bytes{*encode_body()})
                               : refusal_of(self, request, published.error()));
    compat::send(self_, core_->router, std::move(answer));
  };
  if (in.peer != core_->services->self)
    return done(error{errc::permission_denied, "a topic is published to at the publisher's own node"});
  publish(topic, source, {std::move(body), event_mode::causal, std::move(done)});
}

void topic_engine::publish(const identity& topic, const identity& source, publication p) {
  const auto* advert = machine().find(topic);
  if (!advert) return p.done(error{errc::not_found, "no topic of that identity is known here"});
  if (auto can = available(topic); !can) return p.done(can);
  const auto& self = core_->services->self;
  const publisher_key key{topic, std::ranges::binary_search(advert->value.publishers, source) ? source : self};
  if (!p.is_content && is_event_content(p.body.view()))
    return p.done(error{errc::bad_value, "a body that begins like the capability of one"});
  if (auto waiting = held_.find(key); waiting != held_.end()) {
    const auto is_large = p.body.size() > event_body_max && waiting->second.size() >= topic_held_large_max;
    if (held_count_ >= topic_held_max || is_large)
      return p.done(error{errc::queue_full, "events that wait for their engine"});
    ++held_count_;
    waiting->second.push_back(std::move(p));
    return;
  }
  if (blocks_ && p.body.size() > event_body_max && p.body.size() <= event_content_max)
    return put_body(key, advert->value.domain, std::move(p));
  const auto known = publishers_.find(key);
  if (known == publishers_.end() && key.second != self) return find_key(key, std::move(p));
  if (known == publishers_.end())
    if (auto ready = add_publisher(key, *core_->key); !ready) return p.done(ready);
  auto done = machine().publish(topic, key.second, p.body, p.mode, now());
  if (!done && done.code() == errc::queue_full) {
    flush();
    done = machine().publish(topic, key.second, p.body, p.mode, now());
  } else if (!done && done.code() == errc::not_found && known != publishers_.end()) {
    // This node has left the topic meanwhile, and perhaps come back.
    done = add_publisher(key, key_pair{known->second});
    if (done) done = machine().publish(topic, key.second, p.body, p.mode, now());
  }
  p.done(done);
}

void topic_engine::find_key(const publisher_key& key, publication first) {
  if (held_count_ >= topic_held_max) return first.done(error{errc::queue_full, "events that wait for their engine"});
  ++held_count_;
  held_[key].push_back(std::move(first));
  compat::request(self_, core_->router, caf::infinite, find_atom_v, key.second)
      .then(
          [this, key](const engine_entry& e) {
            publish_held(key, e.key ? add_publisher(key, *e.key) : expected<unit>{errc::not_found});
          },
          [this, key](const caf::error& why) { publish_held(key, to_hanse(why)); });
}

void topic_engine::publish_held(const publisher_key& key, const expected<unit>& ready) {
  auto node = held_.extract(key);
  if (!node) return;
  held_count_ -= node.mapped().size();
  for (auto& p : node.mapped()) {
    if (ready)
      publish(key.first, key.second, std::move(p));
    else
      p.done(ready);
  }
  finish_burst();
}

expected<unit> topic_engine::add_publisher(const publisher_key& key, const key_pair& pair) {
  if (publishers_.size() >= topic_publishers_here_max || epochs_ >= topic_epochs_max)
    return error{errc::table_full, "publishers at this node"};
  topics_effects out;
  auto signer = std::make_shared<key_event_signer>(pair, machine_->random);
  auto done = machine().add_publisher(key.first, std::move(signer), memory_.life + epochs_, now(), out);
  perform(std::move(out));
  if (!done && done.code() != errc::already_exists) {
    publishers_.erase(key);
    return done;
  }
  ++epochs_;
  publishers_.insert_or_assign(key, pair);
  return ok();
}

} // namespace hanse
