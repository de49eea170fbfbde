// Node configurations: what is read, what is refused and how it is told.
#include "captured_run.hpp"
#include "hanse/app/node_config.hpp"
#include "temporary_directory.hpp"

#include "hanse/crypto/keys.hpp"
#include "hanse/protocols/advert.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace hanse;
using namespace hanse::app;
using hanse::test::has;

namespace {

std::string refusal(const std::string& text) {
  auto config = parse_node_config(text, "/etc/hanse/config.json");
  REQUIRE(!config);
  CHECK(config.error() == errc::bad_config);
  return config.error().detail;
}

key_pair some_key(std::uint64_t seed) {
  seeded_random random{seed};
  return key_pair::generate(random);
}

} // namespace

TEST_CASE("the default configuration is right and has the documented defaults") {
  auto config = parse_node_config(default_node_config("alice", "tls://0.0.0.0:7480"), "/etc/hanse/config.json");
  REQUIRE_MESSAGE(config, config.error().detail);
  CHECK(config->name == "alice");
  CHECK(config->key_file == "/etc/hanse/node.key");
  CHECK(config->data_dir == "/etc/hanse/data");
  CHECK(config->control_socket == "/etc/hanse/data/control.sock");
  CHECK(config->listen == std::vector<std::string>{"tls://0.0.0.0:7480"});
  CHECK(config->schemes == std::vector<std::string>{"tls", "unix", "relay", "spool"});
  CHECK(!config->allow_private);
  CHECK(!config->testing);
  REQUIRE(config->engines.size() == 1);
  CHECK(config->engines[0].parameters == "{}");
  CHECK(config->limits.handshakes == 64);
}

TEST_CASE("everything is read") {
  auto friend_id = to_string(some_key(1).identity());
  auto ticket =
      to_ticket(sign(node_advert{some_key(2).identity(), 7, {{"tls://10.0.0.1:7480", 1}}, {}, "bob"}, some_key(2)));
  nlohmann::json j{{"name", "n"},
                   {"key_file", "/k"},
                   {"passphrase_file", "p"},
                   {"data_dir", "/d"},
                   {"control_socket", "/s/c.sock"},
                   {"listen", {"tls://127.0.0.1:0", "unix:///run/x"}},
                   {"advertise", {"tls://example.org:7480"}},
                   {"peers", {ticket}},
                   {"plugins", {"mine.so", "/opt/theirs.so"}},
                   {"permanent_links", {friend_id}},
                   {"schemes", {"tls", "unix"}},
                   {"allow_private", true},
                   {"testing", true},
                   {"trust", {{friend_id, 200}}},
                   {"log", {{"level", "debug"}, {"file", "n.log"}}},
                   {"metrics", {{"port", 9100}, {"address", "::1"}}},
                   {"limits", {{"links", 10}}},
                   {"blocks", {{"quota_bytes", 5'000'000'000}, {"quotas", {{friend_id, 0}}}}},
                   {"engines", {{{"name", "e"}, {"type", "echo"}, {"key_file", "e.key"}, {"parameters", {{"a", 1}}}}}}};
  auto config = parse_node_config(j.dump(), "/etc/hanse/config.json");
  REQUIRE_MESSAGE(config, config.error().detail);
  CHECK(config->passphrase_file == "/etc/hanse/p");
  CHECK(config->control_socket == "/s/c.sock");
  CHECK(config->peers.size() == 1);
  CHECK(config->plugins == std::vector<std::filesystem::path>{"/etc/hanse/mine.so", "/opt/theirs.so"});
  CHECK(config->permanent_links[0] == some_key(1).identity());
  CHECK(config->trust.at(some_key(1).identity()) == 200);
  CHECK(config->log.level == "debug");
  CHECK(config->log.file == "/etc/hanse/n.log");
  CHECK(config->metrics.port == 9100);
  CHECK(config->limits.links == 10);
  CHECK(config->blocks.quota_bytes == 5'000'000'000);
  CHECK(config->blocks.quotas == std::map<identity, std::uint64_t>{{some_key(1).identity(), 0}});
  CHECK(config->engines[0].key_file == "/etc/hanse/e.key");
  CHECK(config->engines[0].parameters == "{\"a\":1}");
}

TEST_CASE("messages name file, line and key, and all problems at once") {
  auto text = refusal("{\n  \"name\": \"x\",\n  \"key_file\": \"k\",\n  \"lisen\": [\"tls://0.0.0.0:1\"],\n"
                      "  \"log\": {\n    \"level\": \"loud\"\n  },\n  \"metrics\": {\"port\": \"9100\"}\n}");
  CHECK(text ==
        "/etc/hanse/config.json:4: lisen: unknown key; did you mean \"listen\"?\n"
        "/etc/hanse/config.json:6: log.level: expected quiet, error, warning, info, debug or trace, found \"loud\"\n"
        "/etc/hanse/config.json:8: metrics.port: expected a whole number from 0 to 65535, found the text \"9100\"");
}

TEST_CASE("values that cannot work are refused") {
  auto with = [](const std::string& more) { return "{\"name\": \"x\", \"key_file\": \"k\", " + more + "}"; };
  CHECK(has(refusal("{}"), "the key \"name\" is missing"));
  CHECK(has(refusal("[]"), "expected an object, found a list"));
  CHECK(has(refusal(with("\"listen\": [\"127.0.0.1:80\"]")), "listen[0]: expected an address like"));
  CHECK(has(refusal(with("\"listen\": [\"tls://\"]")), "listen[0]"));
  CHECK(has(refusal(with("\"advertise\": [\"tls://example.org:0\"]")), "advertise[0]: port 0 cannot be dialled"));
  CHECK(has(refusal(with("\"listen\": [\"quic://a:1\"]")), "\"quic\" is not among the allowed schemes"));
  CHECK(has(refusal(with("\"schemes\": [\"tls\"], \"listen\": [\"unix:///x\"]")), "not among the allowed schemes"));
  CHECK(has(refusal(with("\"schemes\": [\"smtp\"]")), "schemes[0]: expected tls, unix, relay, spool, dtls or mem"));
  CHECK(has(refusal(with("\"peers\": [\"hticket1xyz\"]")), "peers[0]: expected a ticket"));
  CHECK(has(refusal(with("\"trust\": {\"bob\": 3}")), "trust.bob: expected an identity"));
  CHECK(has(refusal(with("\"trust\": {\"" + to_string(some_key(1).identity()) + "\": 256}")), "from 0 to 255"));
  CHECK(has(refusal(with("\"blocks\": {\"quotas\": {\"bob\": 3}}")), "blocks.quotas.bob: expected the identity of a"));
  CHECK(has(refusal(with("\"blocks\": {\"quota_bytes\": -1}")), "blocks.quota_bytes: expected a whole number"));
  CHECK(has(refusal(with("\"permanent_links\": [\"x\"]")), "permanent_links[0]"));
  CHECK(has(refusal(with("\"engines\": [{\"name\": \"A B\", \"type\": \"echo\"}]")),
            "engines[0].name: expected 1 to 64 of"));
  CHECK(has(refusal(with("\"engines\": [{\"name\": \"a\", \"type\": \"t\"}, {\"name\": \"a\", \"type\": \"t\"}]")),
            "engines[1].name: another engine is called \"a\" already"));
  CHECK(has(refusal(with("\"engines\": [{\"name\": \"a\"}]")), "engines[0]: the key \"type\" is missing"));
  CHECK(has(refusal(with("\"limits\": {\"links\": -1}")), "limits.links: expected a whole number"));
  CHECK(has(refusal(with("\"allow_private\": \"yes\"")), "allow_private: expected true or false"));
}

TEST_CASE("a missing file is told as such") {
  test::temporary_directory dir;
  CHECK(load_node_config(dir / "none.json").error() == errc::not_found);
}
