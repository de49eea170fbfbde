// Reading the archive of a topic: what is given, what is left to the multicast, in which order; and whole runs, in
// which a node joins at any moment and reads the archive of another one at any later moment.
#include "hanse/domains/archive_reader.hpp"

#include "domains/archive_kit.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace hanse;
using namespace hanse::test;

namespace {

using seqs = std::vector<std::uint64_t>;

archive_answer answer_of(const std::vector<archived_event>& events, std::size_t per_segment,
                         std::map<bytes, bytes>& store) {
  topic_archive archive{archived_topic, {.segment_events = per_segment}};
  archive_effects out;
  std::optional<archive_answer> answer;
  const auto perform = [&](bool asks) {
    if (asks) REQUIRE(archive.ask(fake_identity(9), {topic_history_max}, 1000, out));
    while (!out.empty())
      for (auto& effect : std::exchange(out, {})) {
        if (auto* segment = std::get_if<archive_store>(&effect)) {
          eris_capability content;
          content.root.reference = blake2b_256(segment->segment);
          store[encode(content)] = segment->segment;
          archive.stored(content, 1000, out);
        } else if (const auto* reply = std::get_if<archive_reply>(&effect)) {
          answer = std::get<archive_answer>(*decode_archive_message(reply->body));
        }
      }
  };
  for (const auto& e : events) {
    archive.add(e.event, e.where, 1000, out);
    perform(false);
  }
  perform(true);
  REQUIRE(answer);
  return *answer;
}

std::vector<topic_event> read_all(archive_reader& reader, const std::map<bytes, bytes>& store) {
  std::vector<topic_event> all;
  while (const auto content = reader.next()) {
    const auto found = store.find(encode(*content));
    if (found == store.end()) {
      reader.lose();
      continue;
    }
    if (auto events = reader.take(shared_bytes{found->second})) std::ranges::move(*events, std::back_inserter(all));
  }
  std::ranges::move(reader.finish(), std::back_inserter(all));
  return all;
}

seqs seqs_of(const std::vector<topic_event>& events) {
  seqs all;
  for (const auto& e : events) all.push_back(e.seq);
  return all;
}

/// Ten events of one publisher in segments of three, the last one unsealed.
struct ten_events {
  archive_reader reader(std::uint32_t wanted, std::size_t have, const std::vector<chain_mark>& marks) {
    archive_reader r{archived_topic, verifier, [this](const identity& p) { return !banned.contains(p); },
                     wanted,         have,     marks};
    r.offer(fake_identity(9), answer);
    return r;
  }
  static std::vector<archived_event> make(archived_chain& chain) {
    std::vector<archived_event> events;
    for (int i = 0; i < 10; ++i) events.push_back(chain.next());
    return events;
  }

  cheap_verifier verifier;
  std::set<identity> banned;
  archived_chain chain{1};
  std::vector<archived_event> events = make(chain);
  std::map<bytes, bytes> store;
  archive_answer answer = answer_of(events, 3, store);
};

} // namespace

TEST_CASE("archive_reader: the latest that are wanted, in order; fewer by those that the subscriber has") {
  ten_events t;
  REQUIRE(t.answer.entries.size() == 3);
  auto all = t.reader(topic_history_max, 0, {});
  CHECK(seqs_of(read_all(all, t.store)) == seqs{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  auto few = t.reader(4, 0, {});
  CHECK(seqs_of(read_all(few, t.store)) == seqs{7, 8, 9, 10});
  auto rest = t.reader(4, 3, {{t.events[0].event.chain, 7}}); // 8, 9 and 10 came by multicast
  CHECK(seqs_of(read_all(rest, t.store)) == seqs{7});
  CHECK(rest.given().empty());
}

TEST_CASE("archive_reader: what is above a mark comes by multicast, and what depends on it") {
  ten_events t;
  archived_chain later{2}, free{3};
  t.events.push_back(later.next(10, {t.chain.tip()}));
  t.events.push_back(later.next());
  t.events.push_back(free.next());
  const auto answer = answer_of(t.events, 3, t.store);
  archive_reader reader{archived_topic, t.verifier, [](const identity&) { return true; },
                        5000,           0,          {{t.events[0].event.chain, 9}}};
  reader.offer(fake_identity(9), answer);
  const auto events = read_all(reader, t.store);
  REQUIRE(events.size() == 10);
  CHECK(events[8].seq == 9);
  CHECK(events[9].chain == t.events.back().event.chain);
  // Whether `free` is new or over, nobody knows here: should its event come by multicast, it is left out.
  REQUIRE(reader.given().size() == 1);
  CHECK(reader.given().at(events[9].chain) == 1);
}

TEST_CASE("archive_reader: a mark of a chain whose first event came by multicast leaves all of it out") {
  ten_events t;
  auto reader = t.reader(5000, 0, {{t.events[0].event.chain, 0}});
  CHECK(read_all(reader, t.store).empty());
}

TEST_CASE("archive_reader: events that nobody has any more are lost and counted, the others come") {
  ten_events t;
  t.store.erase(encode(t.answer.entries[1].content));
  auto reader = t.reader(5000, 0, {});
  CHECK(seqs_of(read_all(reader, t.store)) == seqs{1, 2, 3, 7, 8, 9, 10});
  CHECK(reader.stats().lost == 3);
  auto& damaged = t.store.at(encode(t.answer.entries[2].content));
  damaged.resize(damaged.size() - 1);
  auto again = t.reader(5000, 0, {});
  CHECK(seqs_of(read_all(again, t.store)) == seqs{1, 2, 3, 10});
  CHECK(again.stats().lost == 6);
}

TEST_CASE("archive_reader: whoever keeps an archive can add nothing to it: what is not signed is refused") {
  ten_events t;
  auto& segment = t.store.at(encode(t.answer.entries[0].content));
  auto forged = *decode_archive_segment(archived_topic, shared_bytes{segment});
  auto parcel = to_bytes(forged.parcels[1].view());
  parcel.back() ^= std::byte{1}; // of the signature
  forged.parcels[1] = shared_bytes{parcel};
  segment = encode_archive_segment(archived_topic, forged);
  auto reader = t.reader(4000, 0, {});
  CHECK(seqs_of(read_all(reader, t.store)) == seqs{1, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(reader.stats().refused == 1);
  t.banned.insert(t.chain.publisher);
  auto none = t.reader(4000, 0, {});
  CHECK(read_all(none, t.store).empty());
  CHECK(none.stats().refused == 10);
}

TEST_CASE("archive_reader: the archive with the most events is read; what two lives of it hold comes once") {
  ten_events t;
  auto twice = t.answer;
  twice.entries.insert(twice.entries.begin(), t.answer.entries.begin(), t.answer.entries.end());
  auto reader = t.reader(5000, 0, {});
  reader.offer(fake_identity(10), {});
  CHECK(reader.source() == fake_identity(9));
  reader.offer(fake_identity(11), twice);
  CHECK(reader.source() == fake_identity(11));
  CHECK(seqs_of(read_all(reader, t.store)) == seqs{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("archive_reader: an archive whose first segment is nowhere is left for the one with the next most events") {
  ten_events t;
  auto reader = t.reader(5000, 0, {});
  archive_answer boast;
  for (std::size_t i = 0; i < 100; ++i) boast.entries.push_back({1000, {}});
  reader.offer(fake_identity(10), boast);
  archive_answer less;
  less.entries = {t.answer.entries[0]};
  reader.offer(fake_identity(11), less);
  CHECK(reader.source() == fake_identity(10));
  CHECK(reader.offered() == 100'000);
  CHECK(seqs_of(read_all(reader, t.store)) == seqs{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  CHECK(reader.stats().lost == 0);
  // Later on it goes on with what there is: two archives need not agree on the order.
  t.store.erase(encode(t.answer.entries[1].content));
  auto holes = t.reader(5000, 0, {});
  holes.offer(fake_identity(11), less);
  CHECK(seqs_of(read_all(holes, t.store)) == seqs{1, 2, 3, 7, 8, 9, 10});
  CHECK(holes.stats().lost == 3);
}

// --- beside a running multicast ---

namespace {

/// Four nodes, each with a publisher, that get all parcels in orders of their own. Node 1 keeps an archive. The fifth
/// joins from node 2 at some moment.
class archive_run_world {
public:
  using clock = std::map<chain_key, std::uint64_t>;

  explicit archive_run_world(std::uint64_t seed) : random_(seed) {
    for (int n = 0; n < 4; ++n) {
      add_node();
      multicast(n).resume({}, now_, out_);
      out_.clear();
      begin_life(n);
    }
  }
  void step() {
    ++now_;
    const auto n = static_cast<int>(random_.below(nodes_.size()));
    if (n < 4 && random_.below(4) == 0) publish(n);
    if (n < 4 && random_.below(60) == 0) begin_life(n);
    if (!inbox_[n].empty()) offer_one(n);
  }
  void join(std::uint32_t history) {
    add_node();
    inbox_[joiner] = parcels_; // in place of repair: its introducer may hold some that wait for others
    multicast(joiner).start(history, now_);
    now_ += 10;
    multicast_effects out, back;
    multicast(joiner).tick(now_, out);
    for (auto& e : out)
      if (const auto* m = std::get_if<peer_message>(&e))
        static_cast<void>(multicast(2).receive(id(joiner), m->body, now_, back));
    out.clear();
    for (auto& e : back)
      if (const auto* m = std::get_if<peer_message>(&e))
        if (m->to == id(joiner)) REQUIRE(multicast(joiner).receive(id(2), m->body, now_, out));
    REQUIRE(multicast(joiner).joined());
    note(joiner, std::move(out));
    auto marks = multicast(joiner).marks();
    for (auto& m : marks)
      for (const auto& e : live_) // as the host does: the first of each chain that came by multicast
        if (e.chain == m.chain) {
          m.seq = e.seq - 1;
          break;
        }
    for (const auto& m : marks) marks_[m.chain] = m.seq;
    reader_.emplace(
        archived_topic, verifier_, [](const identity&) { return true; }, topic_history_max, live_.size(), marks);
  }
  /// Reads the archive as it is now.
  void read() {
    std::map<bytes, bytes> store;
    for (const auto& e : archived_) archived_then_.emplace(e.event.chain, e.event.seq);
    reader_->offer(id(1), answer_of(archived_, 5, store));
    history_ = read_all(*reader_, store);
  }
  void finish() {
    for (int n = 0; n < static_cast<int>(nodes_.size()); ++n)
      while (!inbox_[n].empty()) offer_one(n);
  }
  /// What the subscriber at the fifth node got, in its order.
  std::vector<topic_event> got() const {
    auto all = history_;
    for (const auto& e : live_) {
      const auto g = reader_->given().find(e.chain);
      if (g == reader_->given().end() || e.seq > g->second) all.push_back(e);
    }
    return all;
  }
  std::size_t from_archive() const { return history_.size(); }
  std::size_t left_out() const { return history_.size() + live_.size() - got().size(); }
  const std::set<std::pair<chain_key, std::uint64_t>>& published() const { return published_; }
  /// In the archive when it was read, or above the marks of the join.
  bool is_due(const chain_key& chain, std::uint64_t seq) const {
    const auto m = marks_.find(chain);
    return archived_then_.contains({chain, seq}) || m == marks_.end() || seq > m->second;
  }
  const clock& past_of(const topic_event& e) const { return pasts_.at(e.chain).at(e.seq); }

private:
  static constexpr int joiner = 4;
  static identity id(int n) { return fake_identity(100 + static_cast<std::uint64_t>(n)); }
  causal_multicast& multicast(int n) { return *nodes_[static_cast<std::size_t>(n)]; }

  void add_node() {
    const auto n = static_cast<int>(nodes_.size());
    nodes_.push_back(std::make_unique<causal_multicast>(archived_topic, id(n), verifier_, random_));
    inbox_[n];
    for (int i = 0; i <= n; ++i) {
      std::vector<identity> others;
      for (int j = 0; j <= joiner; ++j)
        if (j != i) others.push_back(id(j));
      multicast(i).peers_changed(others, {id(2)}, now_);
    }
  }
  void begin_life(int n) {
    const auto publisher = fake_identity(200 + static_cast<std::uint64_t>(n));
    multicast(n).remove_publisher(publisher);
    ++epoch_;
    REQUIRE(multicast(n).add_publisher(std::make_shared<cheap_signer>(publisher, epoch_), epoch_));
  }
  void publish(int n) {
    for (auto count = 1 + random_.below(3); count > 0; --count)
      REQUIRE(multicast(n).publish(fake_identity(200 + static_cast<std::uint64_t>(n)), shared_bytes{to_bytes("x")},
                                   event_mode::causal, now_));
    multicast_effects out;
    multicast(n).flush(now_, out);
    note(n, std::move(out));
  }
  void offer_one(int n) {
    auto& box = inbox_[n];
    const auto i = static_cast<std::ptrdiff_t>(random_.below(std::min<std::size_t>(box.size(), 6)));
    const auto parcel = box[static_cast<std::size_t>(i)];
    box.erase(box.begin() + i);
    multicast_effects out;
    multicast(n).offer(id(2), parcel, now_, out);
    note(n, std::move(out));
  }
  void note(int n, multicast_effects out) {
    for (auto& effect : out) {
      if (const auto* b = std::get_if<multicast_broadcast>(&effect)) {
        parcels_.push_back(b->parcel);
        for (auto& [other, box] : inbox_)
          if (other != n) box.push_back(b->parcel);
      } else if (auto* d = std::get_if<multicast_deliver>(&effect)) {
        note_past(d->event);
        published_.emplace(d->event.chain, d->event.seq);
        if (n == 1) archived_.push_back({d->event, d->where});
        if (n == joiner) live_.push_back(std::move(d->event));
      } else if (auto* p = std::get_if<multicast_pass>(&effect)) {
        note_past(p->event);
        if (n == 1) archived_.push_back({std::move(p->event), p->where});
      }
    }
  }

  /// Its publisher delivers it first, after all before it.
  void note_past(const topic_event& e) {
    auto& of_chain = pasts_[e.chain];
    if (of_chain.contains(e.seq)) return;
    clock past;
    const auto add = [&](const chain_key& chain, std::uint64_t seq) {
      past[chain] = std::max(past[chain], seq);
      for (const auto& [c, s] : pasts_.at(chain).at(seq)) past[c] = std::max(past[c], s);
    };
    if (e.seq > 1) add(e.chain, e.seq - 1);
    for (const auto& dep : e.deps) add(dep.chain, dep.seq);
    of_chain[e.seq] = std::move(past);
  }

  seeded_random random_;
  cheap_verifier verifier_;
  time_ms now_ = 1'000'000;
  std::uint64_t epoch_ = 0;
  std::map<chain_key, std::map<std::uint64_t, clock>> pasts_; ///< of all events and joins
  std::set<std::pair<chain_key, std::uint64_t>> archived_then_, published_;
  std::vector<std::unique_ptr<causal_multicast>> nodes_;
  std::map<int, std::vector<shared_bytes>> inbox_;
  std::vector<shared_bytes> parcels_;
  multicast_effects out_;
  std::vector<archived_event> archived_;
  std::optional<archive_reader> reader_;
  clock marks_;
  std::vector<topic_event> history_, live_;
};

} // namespace

TEST_CASE("archive_reader: with what comes by multicast, all events come once and after what they depend on") {
  std::size_t from_archives = 0, would_come_twice = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    archive_run_world w{seed};
    seeded_random when{seed + 1000};
    for (auto steps = 20 + when.below(300); steps > 0; --steps) w.step();
    w.join(static_cast<std::uint32_t>(when.below(30)));
    for (auto steps = when.below(40); steps > 0; --steps) w.step();
    w.read();
    for (auto steps = when.below(100); steps > 0; --steps) w.step();
    w.finish();
    from_archives += w.from_archive();
    would_come_twice += w.left_out();

    const auto got = w.got();
    std::map<chain_key, std::map<std::uint64_t, std::size_t>> places;
    for (std::size_t i = 0; i < got.size(); ++i) {
      auto& chain = places[got[i].chain];
      REQUIRE((chain.empty() || chain.rbegin()->first < got[i].seq)); // rising, so none comes twice
      chain[got[i].seq] = i;
    }
    for (const auto& [chain, seq] : w.published())
      if (w.is_due(chain, seq)) REQUIRE(places[chain].contains(seq));
    for (std::size_t i = 0; i < got.size(); ++i)
      for (const auto& [chain, seq] : w.past_of(got[i])) {
        const auto& in = places[chain];
        const auto after = in.upper_bound(seq);
        if (after != in.begin()) REQUIRE(std::prev(after)->second < i);
      }
  }
  CHECK(from_archives > 10'000); // or the runs say nothing
  CHECK(would_come_twice > 10);
}
