// put and get between the command line and a node that is a shelf: open files over the control socket, directories as
// manifests, what a malicious manifest cannot do, and who gives up when.
#include "captured_run.hpp"
#include "hanse/app/content_tree.hpp"
#include "hanse/app/control_server.hpp"
#include "hanse/domains/directory_manifest.hpp"
#include "hanse/domains/eris.hpp"
#include "temporary_directory.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <thread>

using namespace hanse;
using namespace hanse::app;
using namespace std::chrono_literals;
using hanse::test::captured_run;
using hanse::test::has;
using hanse::test::temporary_directory;
using nlohmann::json;

namespace fs = std::filesystem;

namespace {

/// Keeps whole contents by a capability that is made of their hash.
class shelf final : public control_backend {
public:
  control_result status() override { return json{{"name", "shelf"}}; }
  control_result peers() override { return errc::internal; }
  control_result engines() override { return errc::internal; }
  control_result add_ticket(const std::string&) override { return errc::internal; }
  control_result send(const send_request&) override { return errc::internal; }
  control_result ping(const ping_request&) override { return errc::internal; }
  control_result why(const why_request&) override { return errc::internal; }
  control_result trace(const std::string&) override { return errc::internal; }
  control_result counters() override { return errc::internal; }
  control_result spawn_engine(const spawn_request&) override { return errc::internal; }
  control_result stop_engine(const std::string&) override { return errc::internal; }
  control_result export_engine(const std::string&, const std::string&) override { return errc::internal; }
  control_result import_engine(const std::string&) override { return errc::internal; }
  control_result inject(const inject_request&) override { return errc::internal; }
  void stop() override {}

  std::string keep(bytes content) {
    eris_capability c;
    c.root.reference = blake2b_256(content);
    std::lock_guard guard{mutex};
    contents[to_urn(c)] = std::move(content);
    return to_urn(c);
  }

  control_result block(const block_request& r, const control_channel& channel) override {
    if (r.action == "put" && slow) {
      while (channel.progress(json{{"octets", 1}})) std::this_thread::sleep_for(5ms);
      gone = true;
      return errc::cancelled;
    }
    if (r.action == "put") {
      bytes content;
      bytes piece(4096);
      for (ssize_t n; (n = ::read(channel.file, piece.data(), piece.size())) > 0;)
        content.insert(content.end(), piece.begin(), piece.begin() + n);
      CHECK(channel.progress(json{{"octets", content.size()}}));
      const auto size = content.size();
      auto replicas = json::array();
      for (std::uint32_t i = 0; i < std::min(r.replicas, 1u); ++i) replicas.push_back({{"node", "x"}});
      return json{{"content", keep(std::move(content))}, {"octets", size}, {"replicas", replicas}, {"refusal", json{}}};
    }
    std::lock_guard guard{mutex};
    const auto found = contents.find(r.content);
    if (found == contents.end()) return errc::not_found;
    if (found->second.size() > r.size_max) return errc::too_long;
    const auto& c = found->second;
    if (::write(channel.file, c.data(), c.size()) != static_cast<ssize_t>(c.size())) return errc::io_error;
    return json{{"octets", c.size()}, {"blocks_fetched", 0}, {"sources", json::array()}};
  }

  std::mutex mutex;
  std::map<std::string, bytes> contents;
  bool slow = false;
  std::atomic<bool> gone = false;
};

struct shelf_fixture {
  temporary_directory dir;
  fs::path socket = dir / "data/control.sock";
  shelf backend;
  std::unique_ptr<control_server> server;
  content_client client;

  shelf_fixture() {
    auto s = control_server::start(socket, backend, {});
    REQUIRE_MESSAGE(s, to_string(s.error()));
    server = *std::move(s);
    client.socket = socket;
  }
  captured_run run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--socket", socket.string()});
    return captured_run{std::move(arguments)};
  }
  static std::string content_of(const fs::path& file) {
    std::ifstream in{file};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
};

} // namespace

TEST_CASE_FIXTURE(shelf_fixture, "a file goes in and comes out by an open descriptor, from where it stands") {
  const auto file = dir.write("film", "a film");
  const auto put = run({"put", file.string()});
  REQUIRE(put.exit_code == exit_ok);
  REQUIRE(has(put.out, "urn:eris:"));
  const auto urn = put.out.substr(0, put.out.size() - 1);
  const auto out = dir / "film.out";
  REQUIRE(run({"get", urn, "-o", out.string()}).exit_code == exit_ok);
  CHECK(content_of(out) == "a film");
  CHECK_FALSE(fs::exists(out.string() + ".part"));
  // Nothing is overwritten, and what fails leaves nothing.
  CHECK(run({"get", urn, "-o", out.string()}).exit_code == exit_failed);
  const auto missing = dir / "missing";
  CHECK(run({"get", "urn:eris:x", "-o", missing.string()}).exit_code == exit_failed);
  CHECK_FALSE(fs::exists(missing));
  CHECK_FALSE(fs::exists(missing.string() + ".part"));
}

TEST_CASE_FIXTURE(shelf_fixture, "fewer replicas than wished: the capability is printed, and it is a failure") {
  const auto file = dir.write("film", "a film");
  CHECK(run({"put", file.string(), "--replicas", "1"}).exit_code == exit_ok);
  const auto put = run({"put", file.string(), "--replicas", "2"});
  CHECK(put.exit_code == exit_failed);
  CHECK(has(put.out, "urn:eris:"));
  CHECK(has(put.err, "at 1 of 2 other nodes"));
}

TEST_CASE_FIXTURE(shelf_fixture, "a command that needs a file says so") {
  const auto answer = ask_node(socket, {{"command", "content_put"}}, 5s);
  CHECK(answer.code() == errc::bad_value);
  CHECK(has(answer.error().detail, "SCM_RIGHTS"));
}

TEST_CASE_FIXTURE(shelf_fixture, "a client that goes away ends what it began") {
  backend.slow = true;
  stop_event cancel;
  client.cancel = &cancel;
  int lines = 0;
  client.on_progress = [&](const json& line) {
    CHECK(line.at("done") == false);
    if (++lines == 3) cancel.set();
  };
  const auto file = memory_file(to_bytes("x"));
  REQUIRE(file);
  CHECK(client.put(file->get()).code() == errc::cancelled);
  for (int i = 0; i < 2000 && !backend.gone; ++i) std::this_thread::sleep_for(5ms);
  CHECK(backend.gone);
}

TEST_CASE_FIXTURE(shelf_fixture, "a directory comes out as it went in, without what is no file") {
  fs::create_directories(dir / "tree/below/empty");
  dir.write("tree/film", "a film");
  dir.write("tree/below/a name", "text");
  fs::permissions(dir / "tree/film", fs::perms{0640});
  fs::create_symlink("film", dir / "tree/link");
  tree_summary put;
  const auto urn = put_tree(client, dir / "tree", put);
  REQUIRE_MESSAGE(urn, to_string(urn.error()));
  CHECK(put.files == 2);
  CHECK(put.directories == 3);
  REQUIRE(put.left_out.size() == 1);
  CHECK(has(put.left_out[0], "link"));
  tree_summary got;
  const auto done = get_tree(client, *urn, dir / "copy", got);
  REQUIRE_MESSAGE(done, to_string(done.error()));
  CHECK(got.files == 2);
  CHECK(content_of(dir / "copy/film") == "a film");
  CHECK(content_of(dir / "copy/below/a name") == "text");
  CHECK(fs::is_directory(dir / "copy/below/empty"));
  struct stat is {};
  REQUIRE(::stat((dir / "copy/film").c_str(), &is) == 0);
  CHECK((is.st_mode & 0137) == 0); // nothing that it had not, whatever the umask
  CHECK(get_tree(client, *urn, dir / "copy", got).code() == errc::already_exists);
  const auto file = run({"put", (dir / "tree/film").string()});
  CHECK(get_tree(client, file.out.substr(0, file.out.size() - 1), dir / "other", got).code() == errc::bad_type);
}

TEST_CASE_FIXTURE(shelf_fixture, "a directory within itself, deeper than any honest one, ends") {
  // Equal names and a tower of manifests: 70 levels, each within the next.
  auto urn = backend.keep(*encode(directory_manifest{}));
  for (int i = 0; i < 70; ++i) {
    directory_manifest m;
    m.entries.push_back({"d", manifest_kind::directory, 0755, 0, *parse_eris_urn(urn)});
    urn = backend.keep(*encode(std::move(m)));
  }
  tree_summary got;
  CHECK(get_tree(client, urn, dir / "deep", got).code() == errc::too_deep);
}

TEST_CASE_FIXTURE(shelf_fixture, "a file that is not as long as its directory says is refused") {
  directory_manifest m;
  m.entries.push_back(
      {"film", manifest_kind::file, 0644, 3, *parse_eris_urn(backend.keep(to_bytes("longer than three")))});
  tree_summary got;
  CHECK(get_tree(client, backend.keep(*encode(std::move(m))), dir / "lies", got).code() == errc::too_long);
}
