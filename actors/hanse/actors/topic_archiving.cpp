// Archives of the topics that are kept at this node: their segments go into the blocks of the domain, the list of them
// into the store. Not the reading (topic_history.cpp). See topic_engine.hpp; the machine: domains/topic_archive.hpp.
#include "hanse/actors/errors.hpp"
#include "hanse/actors/topic_engine.hpp"

namespace hanse {

void topic_engine::restore_archives(std::vector<record> records) {
  if (!blocks_) return;
  for (const auto& r : records) {
    const byte_view key{r.key};
    const auto topic = identity::decode_unchecked(key.first(std::min(key.size(), identity::size_bytes)));
    if (!topic) continue;
    auto& a = archives_.try_emplace(*topic, *topic).first->second;
    if (auto done = a.restore(key, r.value); !done) refuse("archive_not_restored", *topic, done.error());
  }
}

void topic_engine::archive(const topic_event& event, const parcel_place& where) {
  const auto a = archives_.find(event.topic);
  if (a == archives_.end()) return;
  archive_effects out;
  a->second.add(event, where, now(), out);
  perform(event.topic, std::move(out));
}

void topic_engine::perform(const identity& topic, archive_effects effects) {
  for (auto& effect : effects) {
    if (auto* segment = std::get_if<archive_store>(&effect)) {
      put_segment(topic, std::move(*segment));
    } else if (auto* w = std::get_if<archive_write>(&effect)) {
      write(topic_archive_table, std::move(w->key), std::move(w->value));
    } else if (const auto& reply = std::get<archive_reply>(effect); reply.to != core_->services->self) {
      topics_effects out;
      machine().tell_archive(reply.to, topic, reply.body, out);
      perform(std::move(out));
    } else if (const auto own = decode_archive_message(reply.body)) {
      archive_told(topic, reply.to, std::get<archive_answer>(*own));
    }
  }
}

void topic_engine::put_segment(const identity& topic, archive_store segment) {
  const auto settle = [this, topic](const eris_capability* content) {
    const auto a = archives_.find(topic);
    if (a == archives_.end()) return; // no longer kept
    archive_effects out;
    if (content)
      a->second.stored(*content, now(), out);
    else
      a->second.refused(now(), out);
    perform(topic, std::move(out));
    hand_over();
    schedule();
    quit_if_settled();
  };
  const auto* advert = machine().find(topic);
  std::vector<bytes> octets;
  octets.push_back(std::move(segment.segment));
  compat::request(self_, blocks_, std::chrono::milliseconds{topic_put_wait_ms}, put_atom_v,
                  content_wish{.domain = advert ? advert->value.domain : identity{}, .lease_ms = segment.until - now()},
                  std::move(octets))
      .then([settle](const content_kept& kept) { settle(&kept.content); },
            [this, topic, settle](const caf::error& why) {
              const auto reason = to_hanse(why);
              core_->services->counters.drop(reason.code);
              core_->services->log(log_level::warning, "topic_not_archived",
                                   {{"topic", to_short_string(topic)}, {"reason", to_string(reason)}});
              settle(nullptr);
            });
}

/// What is in the blocks stays there until its lease ends.
void topic_engine::end_archive(const identity& topic) {
  auto archive = archives_.extract(topic);
  if (!archive) return;
  archive_effects out;
  archive.mapped().forget(out);
  perform(topic, std::move(out));
}

void topic_engine::take_archive_body(const topic_archive_body& body, topics_effects& out) {
  auto message = decode_archive_message(body.body);
  if (!message) return refuse("archive_body_refused", body.from, message.error());
  if (const auto* answer = std::get_if<archive_answer>(&*message)) return archive_told(body.topic, body.from, *answer);
  const auto a = archives_.find(body.topic);
  if (a == archives_.end())
    return machine().tell_archive(body.from, body.topic, encode(archive_message{archive_answer{}}), out);
  archive_effects effects;
  if (auto done = a->second.ask(body.from, std::get<archive_ask>(*message), now(), effects); !done)
    refuse("archive_body_refused", body.from, done.error());
  perform(body.topic, std::move(effects));
}

void topic_engine::tick_archives() {
  std::vector<std::pair<identity, archive_effects>> all;
  for (auto& [topic, a] : archives_)
    if (const auto due = a.next_timer(); due && *due <= now())
      a.tick(now(), all.emplace_back(topic, archive_effects{}).second);
  for (auto& [topic, effects] : all) perform(topic, std::move(effects));
  std::vector<std::uint64_t> late;
  for (const auto& [token, r] : replays_)
    if (r.answers_by != 0 && r.answers_by <= now()) late.push_back(token);
  for (const auto token : late)
    if (const auto r = replays_.find(token); r != replays_.end()) ask_archives(token, r->second);
  hand_over();
}

std::optional<time_ms> topic_engine::next_archive_timer() const {
  std::optional<time_ms> next;
  const auto sooner = [&](time_ms at) { next = std::min(next.value_or(at), at); };
  for (const auto& [topic, a] : archives_)
    if (const auto at = a.next_timer()) sooner(*at);
  for (const auto& [token, r] : replays_)
    if (r.answers_by != 0) sooner(r.answers_by);
  return next;
}

/// What is archived is durable before this ends.
void topic_engine::stop() {
  flush();
  subscriptions_.clear();
  replays_.clear();
  stopping_ = true;
  for (auto& [topic, a] : archives_) {
    archive_effects out;
    a.seal(now(), out);
    perform(topic, std::move(out));
  }
  quit_if_settled();
}

void topic_engine::quit_if_settled() {
  if (!stopping_) return;
  for (const auto& [topic, a] : archives_)
    if (!a.settled()) return;
  self_->quit();
}

} // namespace hanse
