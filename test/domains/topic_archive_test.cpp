// The archive of a topic at the node that keeps it, and its octets: what is sealed when, told to whom, and restored.
// Reading it beside a running multicast is in archive_reader_test.cpp.
#include "domains/archive_kit.hpp"

#include <doctest/doctest.h>

using namespace hanse;
using namespace hanse::test;

namespace {

struct archive_world {
  explicit archive_world(topic_archive_config config = {}) : config(config) {}

  /// The next `count` events of publisher 1, each in a parcel of its own.
  void add(int count, std::size_t body_octets = 10) {
    for (int i = 0; i < count; ++i) {
      const auto e = chain.next(body_octets);
      archive.add(e.event, e.where, now, out);
    }
  }
  template <class T>
  std::vector<T> take() {
    std::vector<T> found;
    std::erase_if(out, [&](auto& effect) {
      auto* wanted = std::get_if<T>(&effect);
      if (wanted) found.push_back(std::move(*wanted));
      return wanted != nullptr;
    });
    return found;
  }
  /// The store has kept what it was given, under a name of the test's.
  void store_all() {
    for (auto count = take<archive_store>().size(); count > 0; count = take<archive_store>().size())
      for (; count > 0; --count) {
        eris_capability content;
        content.root.reference.octets[0] = static_cast<std::byte>(++stored);
        content.root.reference.octets[1] = static_cast<std::byte>(stored >> 8);
        archive.stored(content, now, out);
        for (auto& w : take<archive_write>()) {
          if (w.value.empty())
            records.erase(w.key);
          else
            records[w.key] = w.value;
        }
      }
  }
  std::optional<archive_answer> ask(std::uint32_t count, int from = 7) {
    REQUIRE(archive.ask(fake_identity(static_cast<std::uint64_t>(from)), {count}, now, out));
    return answered();
  }
  std::optional<archive_answer> answered() {
    const auto replies = take<archive_reply>();
    if (replies.empty()) return std::nullopt;
    REQUIRE(replies.size() == 1);
    return std::get<archive_answer>(*decode_archive_message(replies.front().body));
  }

  topic_archive_config config;
  topic_archive archive{archived_topic, config};
  archived_chain chain{1};
  archive_effects out;
  std::map<bytes, bytes> records;
  unsigned stored = 0;
  time_ms now = 1'700'000'000'000;
};

std::uint64_t events_in(byte_view segment) {
  const auto s = decode_archive_segment(archived_topic, shared_bytes::copy_of(segment));
  REQUIRE(s);
  std::uint64_t n = 0;
  for (const auto& r : s->runs) n += r.count;
  return n;
}

} // namespace

TEST_CASE("topic_archive: what is not sealed yet is told as it is; a full segment goes to the store") {
  archive_world w{{.segment_events = 4}};
  w.add(3);
  CHECK(w.take<archive_store>().empty());
  auto answer = w.ask(100);
  REQUIRE(answer);
  CHECK(answer->entries.empty());
  CHECK(answer->tail_events == 3);
  CHECK(events_in(answer->tail.view()) == 3);
  w.add(1);
  REQUIRE(w.out.size() == 1);
  w.store_all();
  w.add(1);
  w.now += 250;
  answer = w.ask(100);
  REQUIRE(answer);
  REQUIRE(answer->entries.size() == 1);
  CHECK(answer->entries[0].events == 4);
  CHECK(answer->tail_events == 1);
  CHECK(answer->events() == 5);
}

TEST_CASE("topic_archive: a segment takes no more octets than a message does, one parcel of any size excepted") {
  archive_world w{{.segment_octets = 5000}};
  w.add(10, 1000);
  const auto first = w.take<archive_store>();
  REQUIRE(first.size() == 1);
  CHECK(events_in(first[0].segment) == 4);
  CHECK(first[0].segment.size() < 5000 + 200);
  archive_world large{{.segment_octets = 5000}};
  large.add(1, 200'000);
  CHECK_FALSE(large.ask(10)); // too much for an answer: it goes to the store first
  large.store_all();
  const auto answer = large.answered();
  REQUIRE(answer);
  CHECK(answer->entries.size() == 1);
  CHECK(answer->tail.empty());
}

TEST_CASE("topic_archive: who asks while a segment is on its way is answered when the store has it") {
  archive_world w{{.segment_events = 4}};
  w.add(5);
  CHECK_FALSE(w.ask(100));
  CHECK_FALSE(w.archive.settled());
  w.store_all();
  const auto answer = w.answered();
  REQUIRE(answer);
  CHECK(answer->events() == 5);
}

TEST_CASE("topic_archive: the latest segments that hold what is wanted are told, and no others") {
  archive_world w{{.segment_events = 4}};
  w.add(22);
  w.store_all();
  const auto answer = w.ask(7);
  REQUIRE(answer);
  CHECK(answer->tail_events == 2);
  CHECK(answer->entries.size() == 2);
  CHECK(answer->events() == 10);
}

TEST_CASE("topic_archive: one node gets four answers a second, and what it asks meanwhile is answered at once then") {
  archive_world w;
  w.add(3);
  CHECK(w.ask(1));
  CHECK_FALSE(w.ask(1));
  CHECK_FALSE(w.ask(2));
  CHECK(w.ask(1, 8)); // another node
  REQUIRE(w.archive.next_timer());
  CHECK(*w.archive.next_timer() == w.now + 250);
  w.now += 250;
  w.archive.tick(w.now, w.out);
  CHECK(w.answered());
  archive_world crowd{{.asking_max = 2}};
  CHECK(crowd.ask(1, 1));
  CHECK(crowd.ask(1, 2));
  CHECK(crowd.archive.ask(fake_identity(3), {1}, crowd.now, crowd.out).code() == errc::queue_full);
  crowd.now += 250;
  CHECK(crowd.ask(1, 3));
}

TEST_CASE("topic_archive: a later life goes on where an earlier one ended, and archives nothing twice") {
  archive_world w{{.segment_events = 4}};
  w.add(4);
  auto seen = w.chain; // the next life hears the same from others, and what came meanwhile
  w.add(4);
  w.store_all();
  REQUIRE(w.records.size() == 2);
  topic_archive next{archived_topic, w.config};
  for (const auto& [key, value] : w.records) REQUIRE(next.restore(key, value));
  CHECK(next.stats().events == 8);
  CHECK(next.stats().segments == 2);
  for (int i = 0; i < 5; ++i) {
    const auto e = seen.next();
    next.add(e.event, e.where, w.now, w.out);
  }
  CHECK(next.stats().unsealed == 1);
  next.seal(w.now, w.out);
  w.take<archive_store>();
  next.stored({}, w.now, w.out);
  const auto writes = w.take<archive_write>();
  REQUIRE(writes.size() == 1);
  CHECK_FALSE(w.records.contains(writes[0].key)); // a number of its own
  const auto& [key, value] = *w.records.begin();
  CHECK(next.restore(byte_view{key}.first(40), value).code() == errc::bad_value);
  CHECK_FALSE(next.restore(key, byte_view{value}.first(value.size() - 1)));
}

TEST_CASE("topic_archive: a segment that does not get full is sealed after a while, and when the node stops") {
  archive_world w;
  w.add(1);
  CHECK(*w.archive.next_timer() == w.now + w.config.seal_ms);
  w.now += w.config.seal_ms;
  w.archive.tick(w.now, w.out);
  CHECK(w.take<archive_store>().size() == 1);
  w.archive.stored({}, w.now, w.out);
  w.add(1);
  w.archive.seal(w.now, w.out);
  CHECK(w.take<archive_store>().size() == 1);
  w.archive.stored({}, w.now, w.out);
  CHECK(w.archive.settled());
}

TEST_CASE("topic_archive: what the store refuses, or is too slow for, is lost and counted") {
  archive_world w{{.segment_events = 4, .unsealed_max = 2}};
  w.add(4);
  w.archive.refused(w.now, w.out);
  CHECK(w.archive.stats().lost == 4);
  w.add(8); // two wait
  CHECK(w.archive.stats().lost == 4);
  w.add(4);
  CHECK(w.archive.stats().lost == 8);
  w.store_all();
  CHECK(w.archive.stats().events == 8);
}

TEST_CASE("topic_archive: the oldest segments go when there are too many, or their lease has ended") {
  archive_world w{{.segment_events = 1}};
  for (std::size_t i = 0; i < archive_segments_max + 3; ++i) {
    w.add(1);
    w.store_all();
  }
  CHECK(w.archive.stats().segments == archive_segments_max);
  CHECK(w.records.size() == archive_segments_max);
  w.now += w.config.keep_ms;
  w.add(1);
  w.store_all();
  CHECK(w.archive.stats().segments == 1);
  CHECK(w.records.size() == 1);
  w.archive.forget(w.out);
  CHECK(w.take<archive_write>().size() == 1);
  CHECK(w.archive.stats().events == 0);
}

TEST_CASE("topic_archive: segments and messages are read strictly") {
  archived_chain chain{1};
  const auto e = chain.next();
  const archive_segment good{{e.where.parcel->wire}, {{0, 0, 1}}};
  const auto reads = [](const archive_segment& s, const identity& of = archived_topic) {
    return decode_archive_segment(of, shared_bytes{encode_archive_segment(archived_topic, s)});
  };
  REQUIRE(reads(good));
  CHECK(reads(good)->runs == good.runs);
  CHECK(reads(good, fake_identity(3)).code() == errc::bad_value);
  CHECK(reads({good.parcels, {}}).code() == errc::bad_value);                         // no events
  CHECK(reads({good.parcels, {{1, 0, 1}}}).code() == errc::bad_value);                // of no parcel
  CHECK(reads({good.parcels, {{0, 0, 0}}}).code() == errc::bad_value);                // none
  CHECK(reads({good.parcels, {{0, 1, 1024}}}).code() == errc::bad_value);             // beyond any parcel
  CHECK(reads({good.parcels, {{0, 0, 1000}, {0, 0, 25}}}).code() == errc::bad_value); // more than a segment has
  auto wire = encode_archive_segment(archived_topic, good);
  wire[1] = std::byte{2};
  CHECK(decode_archive_segment(archived_topic, shared_bytes{wire}).code() == errc::bad_version);

  archive_answer answer;
  answer.entries.push_back({3, {}});
  answer.tail = shared_bytes{encode_archive_segment(archived_topic, good)};
  answer.tail_events = 1;
  const auto octets = encode(archive_message{answer});
  const auto read = decode_archive_message(octets);
  REQUIRE(read);
  CHECK(std::get<archive_answer>(*read).entries == answer.entries);
  CHECK(std::get<archive_answer>(*read).tail == answer.tail);
  for (std::size_t i = 0; i < octets.size(); i += 7) CHECK_FALSE(decode_archive_message(byte_view{octets}.first(i)));
  answer.tail_events = 0; // a tail without events
  CHECK(decode_archive_message(encode(archive_message{answer})).code() == errc::bad_value);
  answer = {};
  answer.entries.push_back({0, {}}); // a segment without events
  CHECK(decode_archive_message(encode(archive_message{answer})).code() == errc::bad_value);
  auto ask = encode(archive_message{archive_ask{5}});
  CHECK(std::get<archive_ask>(*decode_archive_message(ask)).count == 5);
  ask[1] = std::byte{9};
  CHECK(decode_archive_message(ask).code() == errc::bad_type);
}
