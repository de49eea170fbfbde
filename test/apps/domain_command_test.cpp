// hanse domain: files made, signed by several, shown and refused; pre-shared keys; and the walk-through of
// docs/domains.md, run as it stands there.
// Not the adverts' own rules (test/domains).
#include "captured_run.hpp"
#include "hanse/app/domain_file.hpp"
#include "hanse/crypto/key_file.hpp"
#include "hanse/domains/psk.hpp"
#include "temporary_directory.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <sys/stat.h>

using namespace hanse;
using namespace hanse::app;
using hanse::test::captured_run;
using hanse::test::content_of;
using hanse::test::has;
using hanse::test::temporary_directory;
using nlohmann::json;

namespace {

std::string new_identity(const temporary_directory& dir, const std::string& name) {
  captured_run run{{"id", "new", "--no-passphrase", "--json", "--out", dir / name}};
  REQUIRE(run.exit_code == 0);
  return json::parse(run.out).at("identity");
}

/// The ticket of a node of its own key.
std::string new_ticket(std::uint64_t number) {
  seeded_random random{number};
  const auto key = key_pair::generate(random);
  return to_ticket(sign(node_advert{key.identity(), 1, {{"tls://192.0.2.7:7480", 1}}, {}, ""}, key));
}

/// A group of two of three keys, a.key, b.key and c.key, in board.json.
std::string new_board(const temporary_directory& dir) {
  const auto a = new_identity(dir, "a.key");
  const auto b = new_identity(dir, "b.key");
  const auto c = new_identity(dir, "c.key");
  captured_run made{{"id", "group", "--threshold", "2", a, b, c, "--out", dir / "board.json", "--json"}};
  REQUIRE(made.exit_code == 0);
  return json::parse(made.out).at("identity");
}

json parsed(const captured_run& run) {
  REQUIRE_MESSAGE(run.exit_code == 0, run.err);
  return json::parse(run.out);
}

captured_run create(const temporary_directory& dir, const std::string& owner, const std::string& out,
                    std::vector<std::string> more = {}) {
  std::vector<std::string> arguments{"domain", "create", "--owner", dir / owner, "--out", dir / out, "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return captured_run{arguments};
}

} // namespace

TEST_CASE("one key makes a domain at once, and its ticket shows the same") {
  temporary_directory dir;
  const auto owner = new_identity(dir, "a.key");
  const auto ticket = new_ticket(1);
  const auto made = parsed(create(dir, "a.key", "lab.json",
                                  {"--name", "lab", "--auth", "psk", "--introducer", ticket, "--protocol",
                                   "dissemination=plumtree/1", "--parameter", "dissemination.active=5"}));
  CHECK(made.at("domain") == owner);
  CHECK(made.at("complete") == true);
  CHECK(made.at("auth") == "psk");
  CHECK(made.at("protocols").at("dissemination").at("protocol") == "plumtree/1.0");
  CHECK(made.at("protocols").at("dissemination").at("parameters") == json{{"active", "5"}});
  CHECK(made.at("introducers").at(0).at("addresses") == json{"tls://192.0.2.7:7480"});
  const std::string domain_ticket = made.at("ticket");
  const auto advert = parse_domain_ticket(domain_ticket);
  REQUIRE(advert);
  CHECK(to_string(advert->value.domain) == owner);
  auto shown = parsed(captured_run{{"domain", "show", domain_ticket, "--json"}});
  CHECK(shown.at("protocols") == made.at("protocols"));
  CHECK(parsed(captured_run{{"domain", "show", dir / "lab.json", "--json"}}) == made);
  dir.write("ticket.txt", domain_ticket + "\n");
  CHECK(parsed(captured_run{{"domain", "show", dir / "ticket.txt", "--json"}}) == shown);
  captured_run human{{"domain", "show", domain_ticket}};
  for (const char* part : {"lab", "pre-shared key", "plumtree/1.0  active=5", "tls://192.0.2.7:7480", "admit 1"})
    CHECK(has(human.out, part));
  CHECK(has(create(dir, "a.key", "lab.json").err, "already_exists"));
  auto damaged = domain_ticket;
  damaged[40] = damaged[40] == 'q' ? 'p' : 'q';
  CHECK(has(captured_run{{"domain", "show", damaged}}.err, "bad_checksum"));
}

TEST_CASE("a group's members sign one after the other, and who is missing is named") {
  temporary_directory dir;
  const auto board = new_board(dir);
  const auto stranger = new_identity(dir, "d.key");
  auto said = parsed(create(dir, "board.json", "lab.json", {"--introducer", new_ticket(1)}));
  CHECK(said.at("domain") == board);
  CHECK(said.at("complete") == false);
  CHECK(said.at("ticket").is_null());
  CHECK(said.at("not_signed_by").size() == 3);
  captured_run refused{{"domain", "sign", dir / "lab.json", "--key", dir / "d.key"}};
  CHECK(refused.exit_code == 1);
  CHECK(has(refused.err, "wrong_signer"));
  CHECK(has(refused.err, stranger));
  captured_run first{{"domain", "sign", dir / "lab.json", "--key", dir / "a.key"}};
  REQUIRE(first.exit_code == 0);
  CHECK(has(first.out, "signed by"));
  CHECK(has(first.out, "not yet by"));
  CHECK(has(first.out, "threshold      2"));
  CHECK(has(first.out, "hanse domain sign"));
  CHECK(captured_run{{"domain", "sign", dir / "lab.json", "--key", dir / "a.key"}}.exit_code == 0); // twice is once
  said = parsed(captured_run{{"domain", "sign", dir / "lab.json", "--key", dir / "c.key", "--json"}});
  CHECK(said.at("complete") == true);
  CHECK(said.at("signed_by").size() == 2);
  const auto advert = parse_domain_ticket(said.at("ticket").get<std::string>());
  REQUIRE(advert);
  CHECK(to_string(advert->value.domain) == board);
}

TEST_CASE("copies of a domain file signed apart are merged") {
  temporary_directory dir;
  new_board(dir);
  REQUIRE(create(dir, "board.json", "one.json").exit_code == 0);
  dir.write("two.json", content_of(dir / "one.json"));
  REQUIRE(captured_run{{"domain", "sign", dir / "one.json", "--key", dir / "a.key"}}.exit_code == 0);
  REQUIRE(captured_run{{"domain", "sign", dir / "two.json", "--key", dir / "b.key"}}.exit_code == 0);
  const auto said = parsed(captured_run{{"domain", "sign", dir / "one.json", "--merge", dir / "two.json", "--json"}});
  CHECK(said.at("complete") == true);
  REQUIRE(create(dir, "board.json", "other.json", {"--name", "other"}).exit_code == 0);
  captured_run other{{"domain", "sign", dir / "one.json", "--merge", dir / "other.json"}};
  CHECK(has(other.err, "wrong_signer"));
}

TEST_CASE("a domain file that was edited after it was signed is refused") {
  temporary_directory dir;
  new_board(dir);
  REQUIRE(create(dir, "board.json", "lab.json", {"--name", "lab"}).exit_code == 0);
  REQUIRE(captured_run{{"domain", "sign", dir / "lab.json", "--key", dir / "a.key"}}.exit_code == 0);
  auto text = content_of(dir / "lab.json");
  text.replace(text.find("\"lab\""), 5, "\"lob\"");
  dir.write("lab.json", text);
  captured_run edited{{"domain", "sign", dir / "lab.json", "--key", dir / "b.key"}};
  CHECK(edited.exit_code == 1);
  CHECK(has(edited.err, "bad_signature"));
  CHECK(has(edited.err, "changed after it was signed"));
  CHECK(content_of(dir / "lab.json") == text);
}

TEST_CASE("every flipped bit of a signed domain file is refused or leaves its meaning") {
  temporary_directory dir;
  new_identity(dir, "a.key");
  REQUIRE(create(dir, "a.key", "lab.json").exit_code == 0);
  const auto text = content_of(dir / "lab.json");
  const auto good = parse_domain_file(text, "lab.json").value();
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    auto damaged = text;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    if (const auto read = parse_domain_file(damaged, "lab.json"); read && complete(*read)) {
      CAPTURE(i);
      CHECK(read->config == good.config); // a changed space
    }
  }
}

TEST_CASE("the next version takes over the settings, and is never lower") {
  temporary_directory dir;
  new_identity(dir, "a.key");
  new_identity(dir, "b.key");
  const auto one = parsed(create(dir, "a.key", "one.json", {"--introducer", new_ticket(1), "--name", "lab"}));
  const auto two =
      parsed(create(dir, "a.key", "two.json", {"--replaces", dir / "one.json", "--introducer", new_ticket(2)}));
  CHECK(two.at("version").get<std::uint64_t>() > one.at("version").get<std::uint64_t>());
  CHECK(two.at("name") == "lab");
  CHECK(two.at("introducers").size() == 1);
  CHECK(two.at("introducers") != one.at("introducers"));
  const auto back = create(dir, "a.key", "three.json", {"--replaces", dir / "two.json", "--version-number", "5"});
  CHECK(back.exit_code == 1);
  CHECK(has(back.err, "stale"));
  CHECK(has(create(dir, "b.key", "three.json", {"--replaces", dir / "two.json"}).err, "wrong_signer"));
  CHECK(!std::filesystem::exists(dir / "three.json"));
}

TEST_CASE("settings from a file are strict, and point at what is wrong") {
  temporary_directory dir;
  new_identity(dir, "a.key");
  const auto ticket = new_ticket(1);
  dir.write("good.json", R"({"name": "lab", "auth": "psk", "join_level": 20, "own_stacks": true,
    "permissions": {"admit": 2},
    "protocols": {"storage": {"protocol": "my-store/2.1", "parameters": {"copies": 3, "fast": true}}},
    "instances": [{"name": "edge", "introducers": [")" +
                             ticket + R"("], "protocols": {"dissemination": "flood/1"}}]})");
  const auto made = parsed(create(dir, "a.key", "lab.json", {"--config", dir / "good.json", "--name", "other"}));
  CHECK(made.at("name") == "other"); // options come after the file
  CHECK(made.at("permissions").at("admit") == 2);
  CHECK(made.at("permissions").at("expel") == 1);
  CHECK(made.at("protocols").at("storage").at("parameters") == json{{"copies", "3"}, {"fast", "true"}});
  CHECK(made.at("instances").at(0).at("protocols").at("dissemination").at("protocol") == "flood/1.0");
  CHECK(made.at("instances").at(0).at("protocols").at("storage").at("protocol") == "my-store/2.1");

  const auto bad = dir.write("bad.json", "{\n  \"nam\": \"x\",\n  \"auth\": \"pks\",\n  \"join_level\": 1,\n"
                                         "  \"introducers\": [\"nonsense\"]\n}\n");
  const auto refused = create(dir, "a.key", "bad-out.json", {"--config", bad});
  CHECK(refused.exit_code == 1);
  CHECK(has(refused.err, bad.string() + ":2: nam: unknown key; did you mean \"name\"?"));
  CHECK(has(refused.err, ":3: auth: expected none or psk, found \"pks\"; did you mean \"psk\"?"));
  CHECK(has(refused.err, ":4: join_level: expected a whole number from 2 to 254"));
  CHECK(has(refused.err, ":5: introducers[0]: expected a ticket"));
  CHECK(has(create(dir, "a.key", "x.json", {"--protocol", "fun=x/1"}).err, "membership, dissemination and storage"));
  CHECK(has(create(dir, "a.key", "x.json", {"--parameter", "storage.copies"}).err, "KEY=VALUE"));
  CHECK(has(create(dir, "a.key", "x.json", {"--introducer", "hticket1x"}).err, "hanse node status"));
  CHECK(has(create(dir, "none.key", "x.json").err, "not_found"));
  CHECK(!std::filesystem::exists(dir / "x.json"));
}

TEST_CASE("nested groups need their files") {
  temporary_directory dir;
  const auto board = new_board(dir);
  const auto d = new_identity(dir, "d.key");
  captured_run outer{{"id", "group", "--threshold", "2", board, d, "--out", dir / "outer.json"}};
  REQUIRE(outer.exit_code == 0);
  CHECK(has(create(dir, "outer.json", "lab.json").err, "--group"));
  const auto said = parsed(create(dir, "outer.json", "lab.json", {"--group", dir / "board.json"}));
  CHECK(said.at("not_signed_by").size() == 4);
  for (const char* key : {"a.key", "b.key", "d.key"}) {
    const auto signed_by = parsed(captured_run{{"domain", "sign", dir / "lab.json", "--key", dir / key, "--json"}});
    CHECK(signed_by.at("complete") == (std::string{key} == "d.key"));
  }
}

TEST_CASE("domain psk makes a private file and rotates it") {
  temporary_directory dir;
  captured_run made{{"domain", "psk", "--out", dir / "lab.psk"}};
  REQUIRE(made.exit_code == 0);
  struct stat info {};
  REQUIRE(::stat((dir / "lab.psk").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  const auto before = load_psk_file(dir / "lab.psk").value();
  CHECK_FALSE(has(made.out, std::string{as_text(before[0].text)}));
  CHECK(has(captured_run{{"domain", "psk", "--out", dir / "lab.psk"}}.err, "already_exists"));
  const auto said =
      parsed(captured_run{{"domain", "psk", "--rotate", dir / "lab.psk", "--overlap-hours", "48", "--json"}});
  CHECK(said.at("keys") == 2);
  const auto after = load_psk_file(dir / "lab.psk").value();
  REQUIRE(after.size() == 2);
  CHECK(equal(after[1].text, before[0].text));
  CHECK(after[1].valid_until);
  CHECK_FALSE(after[0].valid_until);
  ::chmod((dir / "lab.psk").c_str(), 0644);
  CHECK(has(captured_run{{"domain", "psk", "--rotate", dir / "lab.psk"}}.err, "bad_permissions"));
}

TEST_CASE("hanse domain: help ends with an example, and wrong command lines are exit code 2") {
  for (std::vector<std::string> command : std::vector<std::vector<std::string>>{
           {"domain"}, {"domain", "create"}, {"domain", "sign"}, {"domain", "show"}, {"domain", "psk"}}) {
    command.push_back("--help");
    captured_run run{command};
    CHECK(run.exit_code == 0);
    CHECK(has(run.out.substr(run.out.rfind("Example:")), "  hanse domain "));
  }
  for (const auto& command :
       std::vector<std::vector<std::string>>{{"domain"},
                                             {"domain", "create"},
                                             {"domain", "sign", "x"},
                                             {"domain", "psk"},
                                             {"domain", "show"},
                                             {"domain", "create", "--owner", "a", "--out", "b", "--auth", "magic"},
                                             {"domain", "create", "--owner", "a", "--out", "b", "--replaces", "b"},
                                             {"domain", "psk", "--out", "a", "--rotate", "b"}})
    CHECK(captured_run{command}.exit_code == 2);
}

TEST_CASE("the walk-through in docs/domains.md runs as it stands there") {
  temporary_directory dir;
  std::istringstream lines{content_of(HANSE_SOURCE_DIR "/docs/domains.md")};
  std::string line;
  std::size_t commands = 0;
  bool inside = false;
  std::map<std::string, std::string> variables{{"TICKET", new_ticket(1)}, {"TICKET2", new_ticket(2)}};
  while (std::getline(lines, line)) {
    if (line == "```sh walk-through") inside = true;
    if (line == "```") inside = false;
    if (!inside || !line.starts_with("hanse ")) continue;
    CAPTURE(line);
    std::istringstream words{line.substr(6, line.find(" #") - 6)};
    std::vector<std::string> arguments;
    for (std::string word; words >> word;) {
      if (word[0] == '$') word = variables.at(word.substr(1));
      const bool is_file = word.ends_with(".key") || word.ends_with(".json") || word.ends_with(".psk");
      arguments.push_back(is_file ? (dir / word).string() : word);
    }
    arguments.push_back("--json");
    captured_run run{arguments};
    REQUIRE_MESSAGE(run.exit_code == 0, run.err);
    ++commands;
    const auto said = json::parse(run.out);
    if (arguments[0] == "id" && arguments[1] == "new") // alice.key gives $ALICE
      variables[std::filesystem::path{said.at("file").get<std::string>()}.stem()] = said.at("identity");
  }
  CHECK(commands >= 9);
}
