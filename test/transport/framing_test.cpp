// Tests of the frame reader: any split, limits, sharing of memory, linear work. Not links (link_test.cpp).
#include "hanse/transport/framing.hpp"

#include "hanse/crypto/random.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace hanse;

namespace {

struct got {
  frame_kind kind;
  shared_bytes payload;
};

// Feeds one chunk and takes what comes out.
expected<unit> feed(frame_reader& reader, byte_view chunk, std::vector<got>& out, bool share = true) {
  const auto room = reader.prepare(chunk.size());
  std::copy(chunk.begin(), chunk.end(), room.begin());
  reader.commit(chunk.size());
  for (;;) {
    HANSE_TRY(const auto f, reader.next());
    if (!f) return ok();
    out.push_back({f->kind, share ? reader.share(f->payload) : shared_bytes::copy_of(f->payload)});
  }
}

} // namespace

TEST_CASE("frames come out as they went in, however the stream is cut") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    seeded_random r{seed};
    std::vector<std::pair<frame_kind, bytes>> sent;
    bytes stream;
    for (std::size_t i = 0, n = 1 + r.below(30); i < n; ++i) {
      bytes payload(r.below(10) == 0 ? r.below(30'000) : r.below(200));
      r.fill(payload);
      sent.emplace_back(static_cast<frame_kind>(1 + r.below(6)), payload);
      append_frame(stream, sent.back().first, payload);
    }
    frame_reader reader{frame_size_max};
    std::vector<got> received;
    const auto most = 1 + r.below(5000);
    for (byte_view rest = stream; !rest.empty();) {
      const auto n = std::min<std::size_t>(rest.size(), 1 + r.below(most));
      REQUIRE(feed(reader, rest.first(n), received, r.below(2) == 0));
      rest = rest.subspan(n);
    }
    CHECK(reader.buffered() == 0);
    REQUIRE(received.size() == sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      CHECK(received[i].kind == sent[i].first);
      CHECK(equal(received[i].payload.view(), sent[i].second));
    }
  }
}

TEST_CASE("the length is judged by the header alone") {
  const std::pair<std::size_t, std::size_t> cases[] = {{frame_size_max_unauthenticated, hello_size_max},
                                                       {frame_size_max, frame_payload_max}};
  for (const auto& [limit, payload] : cases) {
    frame_reader fits{limit}, over{limit};
    std::vector<got> out;
    CHECK(feed(fits, frame_header(frame_kind::data, payload), out));
    CHECK(feed(over, frame_header(frame_kind::data, payload + 1), out).code() == errc::too_long);
    CHECK(over.next().code() == errc::too_long); // for good
  }
  frame_reader huge;
  std::vector<got> out;
  const bytes most(4, std::byte{0xff});
  bytes header = most;
  header.push_back(std::byte{2});
  CHECK(feed(huge, header, out).code() == errc::too_long);
}

TEST_CASE("unknown kinds are refused") {
  for (const int kind : {0, 7, 255}) {
    frame_reader reader;
    std::vector<got> out;
    CHECK(feed(reader, frame_header(static_cast<frame_kind>(kind), 0), out).code() == errc::bad_type);
  }
}

TEST_CASE("a new limit holds from the next frame on") {
  frame_reader reader;
  std::vector<got> out;
  bytes stream;
  append_frame(stream, frame_kind::hello, bytes(10));
  append(stream, frame_header(frame_kind::data, 100'000));
  const auto room = reader.prepare(stream.size());
  std::copy(stream.begin(), stream.end(), room.begin());
  reader.commit(stream.size());
  REQUIRE(reader.next()->has_value());
  reader.set_limit(frame_size_max);
  const auto next = reader.next();
  REQUIRE(next);
  CHECK_FALSE(next->has_value());
}

TEST_CASE("payloads of one chunk share one buffer") {
  bytes stream;
  for (int i = 0; i < 10; ++i) append_frame(stream, frame_kind::data, bytes(50, std::byte(i)));
  frame_reader reader{frame_size_max};
  std::vector<got> out;
  REQUIRE(feed(reader, stream, out));
  REQUIRE(out.size() == 10);
  for (std::size_t i = 1; i < out.size(); ++i)
    CHECK(out[i].payload.view().data() - out[i - 1].payload.view().data() == 55);
}

TEST_CASE("a payload outlives its reader") {
  shared_bytes kept;
  {
    frame_reader reader{frame_size_max};
    bytes stream;
    append_frame(stream, frame_kind::data, as_byte_view("kept"));
    append_frame(stream, frame_kind::data, as_byte_view("lost"));
    std::vector<got> out;
    REQUIRE(feed(reader, stream, out));
    kept = out[0].payload;
    REQUIRE(feed(reader, bytes(3), out));
  }
  CHECK(as_text(kept.view()) == "kept");
}

TEST_CASE("a long frame in single octets takes linear time") {
  bytes stream;
  append_frame(stream, frame_kind::data, bytes(frame_payload_max));
  frame_reader reader{frame_size_max};
  std::vector<got> out;
  const auto began = std::chrono::steady_clock::now();
  for (const auto& octet : stream) REQUIRE(feed(reader, {&octet, 1}, out));
  const auto took = std::chrono::steady_clock::now() - began;
  REQUIRE(out.size() == 1);
  CHECK(out[0].payload.size() == frame_payload_max);
  CHECK(took < std::chrono::seconds{10}); // some 50 ms; quadratic would be minutes
}
