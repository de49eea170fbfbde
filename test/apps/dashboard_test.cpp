// The dashboard's HTTP: who is let in, what is answered, that the page brings everything along. Nodes are scripted.
// How the page looks is for a browser: test/users/dashboard_browser.sh.
#include "captured_run.hpp"
#include "hanse/app/watch/dashboard_server.hpp"
#include "hanse/crypto/random.hpp"
#include "watched_backend.hpp"

#include <httplib.h>

using namespace hanse;
using namespace hanse::app;
using hanse::test::has;
using hanse::test::watched_node;
using nlohmann::json;

namespace {

struct served {
  watched_node a{"a", "b"}, b{"b", "a"};
  std::unique_ptr<dashboard_server> server;
  httplib::Client client;
  std::string root;

  served()
      : server(start({a.socket, b.socket})), client("127.0.0.1", server->port()), root("/" + server->token() + "/") {}

  static std::unique_ptr<dashboard_server> start(std::vector<std::filesystem::path> sockets) {
    system_random random;
    auto started = dashboard_server::start(std::move(sockets), 0, random);
    REQUIRE_MESSAGE(started, to_string(started.error()));
    return *std::move(started);
  }

  httplib::Response get(const std::string& path, const httplib::Headers& headers = {}) {
    auto reply = client.Get(path, headers);
    REQUIRE_MESSAGE(reply, path);
    return *reply;
  }
  json ask(const std::string& what) {
    const auto reply = get(root + what);
    CHECK(reply.status == 200);
    return json::parse(reply.body);
  }
};

} // namespace

TEST_CASE("only the whole address is let in") {
  served s;
  CHECK(s.server->token().size() == 48);
  CHECK(s.get(s.root).status == 200);
  auto wrong = s.root;
  wrong[5] = wrong[5] == '0' ? '1' : '0';
  for (const auto& path : {std::string{"/"}, std::string{"/api/now"}, wrong, wrong + "api/now", "/" + s.server->token(),
                           s.root.substr(0, 20) + "/", "/" + s.server->token() + "x/", std::string{"//api/now"}}) {
    CAPTURE(path);
    const auto reply = s.get(path);
    CHECK(reply.status == 403);
    CHECK(!has(reply.body, s.server->token()));
    CHECK(!has(reply.body, "nodes"));
  }
  CHECK(s.get(s.root + "api/nothing").status == 404);
}

TEST_CASE("another name for this machine is refused: a page elsewhere could have it") {
  served s;
  const auto port = ":" + std::to_string(s.server->port());
  for (const auto& host : {std::string{"evil.example"}, "evil.example" + port, "127.0.0.1.evil.example" + port,
                           std::string{"127.0.0.1"}, std::string{"127.0.0.1:1"}})
    CHECK(s.get(s.root + "api/now", {{"Host", host}}).status == 403);
  CHECK(s.get(s.root + "api/now", {{"Host", "localhost" + port}}).status == 200);
  CHECK(s.get(s.root, {{"Sec-Fetch-Site", "cross-site"}}).status == 403);
  CHECK(s.get(s.root, {{"Sec-Fetch-Site", "none"}}).status == 200);
}

TEST_CASE("it only shows: nothing but GET") {
  served s;
  CHECK(s.client.Post(s.root + "api/now", "{}", "application/json")->status == 405);
  CHECK(s.client.Delete(s.root + "api/now")->status == 405);
  CHECK(s.client.Head(s.root + "api/now")->status == 200);
}

TEST_CASE("it listens on loopback alone") {
  served s;
  httplib::Client other{"127.0.0.2", s.server->port()};
  CHECK(!other.Get(s.root));
}

TEST_CASE("the page brings everything along, and may load nothing") {
  served s;
  const auto reply = s.get(s.root);
  const auto& page = reply.body;
  CHECK(has(page, "<style>"));
  CHECK(has(page, "draw_topology"));
  CHECK(!has(page, "/*style*/"));
  CHECK(!has(page, "/*script*/"));
  auto rest = page;
  for (auto at = rest.find("http://www.w3.org/2000/svg"); at != rest.npos; at = rest.find("http://www.w3.org/2000/svg"))
    rest.erase(at, 26); // the name of a namespace, which nothing is loaded from
  for (const auto* part : {"http:", "https:", "src=", "href", "url(", "@import", "import("}) {
    CAPTURE(part);
    CHECK(!has(rest, part));
  }
  const auto policy = reply.get_header_value("Content-Security-Policy");
  CHECK(has(policy, "default-src 'none'"));
  CHECK(has(policy, "connect-src 'self'"));
  const auto nonce = policy.substr(policy.find("nonce-") + 6, 32);
  CHECK(has(page, "<script nonce=\"" + nonce + "\">"));
  CHECK(!has(s.get(s.root).body, nonce)); // another one each time
  CHECK(reply.get_header_value("Cache-Control") == "no-store");
  CHECK(reply.get_header_value("Referrer-Policy") == "no-referrer");
}

TEST_CASE("a look has all that the page shows") {
  served s;
  const auto view = s.ask("api/now");
  REQUIRE(view.at("nodes").size() == 2);
  for (const auto& n : view.at("nodes")) {
    CHECK(n.at("ok") == true);
    for (const auto* key : {"name", "identity", "version", "pid", "uptime_ms", "addresses", "socket", "messages",
                            "octets", "drops", "links", "engines", "domains", "topics"})
      CHECK_MESSAGE(n.contains(key), key);
    CHECK(n["drops"]["replayed"]["total"] == 2);
    CHECK(n["links"][0]["queued"] == 3);
    CHECK(n["links"][0]["rtt_us"] == 2500);
    CHECK(n["domains"][0]["list"].size() == 2);
    CHECK(n["topics"][0]["eager"] == json::array({"hk1b"}));
    CHECK(n["engines"][0]["name"] == "echo");
    CHECK(!n.contains("blocks"));
  }
  CHECK(view["nodes"][0]["name"] == "a");
  CHECK(view["nodes"][1]["name"] == "b");
}

TEST_CASE("a message's path is put together from all nodes, in order of time") {
  served s;
  const auto event = [](std::uint64_t t, const char* node, const char* what) {
    return json{{"time_us", t}, {"node", node}, {"event", what}};
  };
  s.a.backend.set("trace", {{"events", {event(10, "hk1a", "post"), event(40, "hk1a", "reply")}}});
  s.b.backend.set("trace", {{"events", {event(20, "hk1b", "receive")}}});
  auto path = s.ask("api/trace?id=" + std::string(32, 'a'));
  REQUIRE(path.at("events").size() == 3);
  CHECK(path["events"][1]["event"] == "receive");
  CHECK(path["nodes"][0]["events"] == 2);
  s.b.server = nullptr;
  path = s.ask("api/trace?id=" + std::string(32, 'a'));
  CHECK(path["events"].size() == 2);
  CHECK(path["nodes"][1]["ok"] == false); // the page says that steps are missing
  CHECK(s.get(s.root + "api/trace?id=zz").status == 400);

  s.a.backend.set("traces", {{"traces", {{{"trace", "t1"}, {"time_us", 10}}, {{"trace", "t2"}, {"time_us", 30}}}}});
  CHECK(s.ask("api/traces")["traces"][0]["trace"] == "t2");
}

TEST_CASE("why and a blocklace are asked of the node that is named") {
  served s;
  s.b.backend.set("why", {{"kind", "engine"}, {"chosen", "hk1b"}});
  CHECK(s.ask("api/why?node=1&destination=echo")["chosen"] == "hk1b");
  CHECK(s.get(s.root + "api/why?node=0&destination=echo").status == 502);
  s.b.backend.set("domain_graph",
                  {{"domain", "hk1lab"},
                   {"name", "lab"},
                   {"creators", {{{"identity", "hk1a"}, {"name", "<b>a"}, {"level", 1}, {"byzantine", true}}}},
                   {"blocks",
                    {{{"id", "0"},
                      {"creator", 0},
                      {"seq", 1},
                      {"height", 1},
                      {"preds", json::array()},
                      {"equivocation", true},
                      {"acknowledged", true},
                      {"kind", "put"},
                      {"text", "x"}}}},
                   {"members", json::array()},
                   {"left_out", 0}});
  const auto lace = s.get(s.root + "api/lace.svg?node=1&domain=hk1lab");
  CHECK(lace.status == 200);
  CHECK(has(lace.get_header_value("Content-Type"), "image/svg+xml"));
  CHECK(has(lace.body, "class=\"block bad\""));
  CHECK(has(lace.body, "&lt;b&gt;a"));
  CHECK(s.b.backend.last_domain()["domain"] == "hk1lab");
  for (const auto* node : {"2", "-1", "x", "", "0x1"})
    CHECK(s.get(s.root + "api/lace.svg?domain=d&node=" + node).status == 400);
}

TEST_CASE("a port in use is told, and not shared") {
  served s;
  system_random random;
  const auto second = dashboard_server::start({s.a.socket}, s.server->port(), random);
  REQUIRE(!second);
  CHECK(second.error() == errc::already_exists);
  CHECK(has(second.error().detail, "is in use"));
}
