// History that a subscriber asks for and the topic's nodes no longer have at hand: it is read from an archive, this
// node's own or that of another one. Not the archiving (topic_archiving.cpp). See topic_engine.hpp; the machine:
// domains/archive_reader.hpp.
#include "hanse/actors/errors.hpp"
#include "hanse/actors/event_content.hpp"
#include "hanse/actors/topic_engine.hpp"

#include <algorithm>

namespace hanse {

namespace {

topic_delivery delivery_of(topic_event&& e) {
  return {e.topic, e.chain.publisher, e.chain.epoch, e.seq, e.published_ms, true, std::move(e.body)};
}

} // namespace

/// Remembers where the multicast begins for those who will read what was before.
void topic_engine::note_first(const topic_deliver& d) {
  const auto& e = d.event;
  if (e.mode == event_mode::unreliable) return;
  for (const auto token : *d.to)
    if (const auto r = replays_.find(token); r != replays_.end() && !r->second.reader)
      r->second.first.try_emplace(e.chain, e.seq);
}

/// If it is: those who wait for history have got what the nodes had at hand.
void topic_engine::topic_is_joined(const identity& topic) {
  std::vector<std::uint64_t> waiting;
  for (const auto& [token, r] : replays_)
    if (r.topic == topic && !r.reader) waiting.push_back(token);
  if (waiting.empty()) return;
  const auto info = machine().info(topic);
  if (!info || !info->joined) return;
  for (const auto token : waiting)
    if (const auto r = replays_.find(token); r != replays_.end()) begin_replay(token, r->second);
}

void topic_engine::begin_replay(std::uint64_t token, replay& r) {
  if (r.held.size() >= r.wanted) return end_replay(token);
  auto marks = machine().marks(r.topic);
  for (auto& m : marks)
    if (const auto first = r.first.find(m.chain); first != r.first.end()) m.seq = first->second - 1;
  const auto may_publish = [this, topic = r.topic](const identity& publisher) {
    const auto forked = forked_.find(topic);
    return machine().may_publish(topic, publisher) && (forked == forked_.end() || !forked->second.contains(publisher));
  };
  r.reader = std::make_unique<archive_reader>(r.topic, machine_->verifier, may_publish, r.wanted, r.held.size(), marks);
  const auto info = machine().info(r.topic);
  r.domain = info->advert.value.domain;
  r.to_ask = info->nodes;
  for (std::size_t i = r.to_ask.size(); i > 1; --i) std::swap(r.to_ask[i - 1], r.to_ask[machine_->random.below(i)]);
  if (archives_.contains(r.topic)) r.to_ask.push_back(core_->services->self); // it is asked first
  ask_archives(token, r);
}

/// Asks this node's own archive, if there is one, then a few others at a time. Reads when there is enough.
void topic_engine::ask_archives(std::uint64_t token, replay& r) {
  r.asked.clear();
  r.answers_by = 0;
  const auto enough = r.asked_others ? 1 : r.wanted;
  if (r.reader->offered() >= enough || r.to_ask.empty()) return read_on(token);
  const auto topic = r.topic;
  const archive_ask ask{r.wanted};
  const auto& self = core_->services->self;
  r.answers_by = now() + topic_archive_wait_ms;
  if (r.to_ask.back() == self) {
    r.to_ask.pop_back();
    r.asked.insert(self);
    archive_effects effects;
    (void)archives_.at(topic).ask(self, ask, now(), effects);
    return perform(topic, std::move(effects));
  }
  r.asked_others = true;
  topics_effects out;
  for (; !r.to_ask.empty() && r.asked.size() < topic_archive_asks; r.to_ask.pop_back()) {
    r.asked.insert(r.to_ask.back());
    machine().tell_archive(r.to_ask.back(), topic, encode(archive_message{ask}), out);
  }
  perform(std::move(out));
}

void topic_engine::archive_told(const identity& topic, const identity& from, const archive_answer& answer) {
  std::vector<std::uint64_t> complete;
  bool was_asked = false;
  for (auto& [token, r] : replays_) {
    if (r.topic != topic || r.asked.erase(from) == 0) continue;
    was_asked = true;
    r.reader->offer(from, answer);
    if (r.asked.empty()) complete.push_back(token);
  }
  if (!was_asked) refuse("archive_answer_refused", from, {errc::permission_denied, "nobody here waits for it"});
  for (const auto token : complete)
    if (const auto r = replays_.find(token); r != replays_.end()) ask_archives(token, r->second);
}

/// The next segment, or what is left.
void topic_engine::read_on(std::uint64_t token) {
  auto& r = replays_.at(token);
  const auto content = r.reader->next();
  if (!content) {
    std::ranges::move(r.reader->finish(), std::back_inserter(r.events));
    r.is_last = true;
    return hand_on(token);
  }
  get_octets(token, r, *content, archive_segment_max, [this](replay& at, std::vector<bytes>& octets) {
    if (octets.size() != 1) { // found out late: not for each of a thousand
      at.reader->lose();
      if (++at.losses == topic_archive_losses_max)
        while (at.reader->next()) at.reader->lose();
      return;
    }
    auto events = at.reader->take(shared_bytes{std::move(octets.front())});
    if (events)
      std::ranges::move(*events, std::back_inserter(at.events));
    else
      refuse("archive_segment_refused", at.topic, events.error());
  });
}

/// Calls `then` with the octets, or with none.
void topic_engine::get_octets(std::uint64_t token, replay& r, const eris_capability& content, std::size_t size_max,
                              octets_function then) {
  content_get_wish wish{.domain = r.domain, .content = content, .size_max = size_max};
  if (const auto& from = r.reader->source(); from != core_->services->self) wish.providers.push_back(from);
  r.waits = true;
  const auto go_on = [this, token, round = r.round, then = std::move(then)](std::vector<bytes>& octets) {
    resume(token, round, [&](replay& at) { then(at, octets); });
  };
  compat::request(self_, blocks_, std::chrono::milliseconds{topic_archive_get_ms}, load_atom_v, std::move(wish))
      .then([go_on](std::vector<bytes>& octets) { go_on(octets); },
            [this, go_on, topic = r.topic](const caf::error& why) {
              refuse("archive_content_lost", topic, to_hanse(why));
              std::vector<bytes> none;
              go_on(none);
            });
}

/// What a replay has waited for is here; it may have ended meanwhile.
void topic_engine::resume(std::uint64_t token, std::uint64_t round, const std::function<void(replay& r)>& then) {
  const auto i = replays_.find(token);
  if (i == replays_.end() || i->second.round != round) return;
  i->second.waits = false;
  then(i->second);
  hand_on(token);
  hand_over();
}

/// Hands over what was read as far as the subscriber takes it, then reads on.
void topic_engine::hand_on(std::uint64_t token) {
  const auto i = replays_.find(token);
  if (i == replays_.end()) return;
  auto& r = i->second;
  if (r.waits || !hand_some(token, r)) return;
  if (r.is_last) return end_replay(token);
  if (r.reader && r.answers_by == 0) read_on(token);
}

/// False: there is more, for later.
bool topic_engine::hand_some(std::uint64_t token, replay& r) {
  auto& s = subscriptions_.at(token);
  std::vector<topic_delivery> to_listener;
  while (!r.events.empty()) {
    if (!s.listener &&
        (s.events.size() >= topic_fetch_events_max / 2 || s.octets >= topic_fetch_octets_max / 2)) // `fetch` goes on
      return false;
    if (is_event_content(r.events.front().body.view())) {
      if (!to_listener.empty()) break; // these first
      get_body(token, r);
      return false;
    }
    auto event = delivery_of(std::move(r.events.front()));
    r.events.pop_front();
    if (s.listener)
      to_listener.push_back(std::move(event));
    else
      hand(token, s, std::move(event));
  }
  if (to_listener.empty()) return true;
  r.waits = true; // an actor that is slow is not flooded: it answers when it has taken them
  const auto go_on = [this, token, round = r.round] { resume(token, round, [](replay&) {}); };
  compat::request(self_, s.listener, caf::infinite, std::move(to_listener))
      .then([go_on] { go_on(); }, [go_on](const caf::error&) { go_on(); });
  return false;
}

/// The first event's body is content of its own.
void topic_engine::get_body(std::uint64_t token, replay& r) {
  const auto content = decode_event_content(r.events.front().body.view());
  get_octets(token, r, content ? *content : eris_capability{}, event_content_max,
             [this](replay& at, std::vector<bytes>& octets) {
               if (octets.size() == 1 && !is_event_content(octets.front())) {
                 at.events.front().body = shared_bytes{std::move(octets.front())};
               } else {
                 at.events.pop_front();
                 ++lost_[at.topic];
               }
             });
}

/// What was held goes on, and what comes from now on.
void topic_engine::end_replay(std::uint64_t token) {
  auto node = replays_.extract(token);
  auto& r = node.mapped();
  auto& s = subscriptions_.at(token);
  if (r.reader) {
    const auto& read = r.reader->stats();
    lost_[r.topic] += read.lost;
    core_->services->counters.drop(errc::permission_denied, read.refused);
    s.given = r.reader->given();
  }
  for (auto& event : r.held) hand(token, s, std::move(event));
}

} // namespace hanse
