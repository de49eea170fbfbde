// The command line: help, exit codes, and the commands that need no node.
#include "captured_run.hpp"
#include "hanse/app/group_file.hpp"
#include "hanse/app/text_table.hpp"
#include "temporary_directory.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
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

} // namespace

TEST_CASE("every command has help that ends with an example") {
  const std::vector<std::vector<std::string>> commands{{},
                                                       {"id"},
                                                       {"id", "new"},
                                                       {"id", "show"},
                                                       {"id", "group"},
                                                       {"node"},
                                                       {"node", "init"},
                                                       {"node", "run"},
                                                       {"node", "status"},
                                                       {"node", "stop"},
                                                       {"peers"},
                                                       {"engines"},
                                                       {"counters"},
                                                       {"add"},
                                                       {"send"},
                                                       {"ping"},
                                                       {"inject"},
                                                       {"why"},
                                                       {"trust"},
                                                       {"trace"},
                                                       {"engine"},
                                                       {"engine", "spawn"},
                                                       {"engine", "stop"},
                                                       {"engine", "export"},
                                                       {"engine", "import"},
                                                       {"domain"},
                                                       {"domain", "create"},
                                                       {"domain", "sign"},
                                                       {"domain", "show"},
                                                       {"domain", "psk"},
                                                       {"domain", "publish"},
                                                       {"domain", "join"},
                                                       {"domain", "leave"},
                                                       {"domain", "expel"},
                                                       {"domain", "promote"},
                                                       {"domain", "put"},
                                                       {"domain", "members"},
                                                       {"domain", "status"},
                                                       {"domain", "find"},
                                                       {"domain", "graph"},
                                                       {"spool"},
                                                       {"spool", "ls"},
                                                       {"cluster"},
                                                       {"cluster", "run"},
                                                       {"new"},
                                                       {"new", "engine"},
                                                       {"man"},
                                                       {"completion"}};
  for (auto command : commands) {
    CAPTURE(command);
    command.push_back("--help");
    captured_run run{command};
    CHECK(run.exit_code == 0);
    CHECK(run.err.empty());
    auto example = run.out.rfind("Example:");
    REQUIRE(example != std::string::npos);
    CHECK(has(run.out.substr(example), "hanse "));
    CHECK(std::count(run.out.begin() + static_cast<long>(example), run.out.end(), '\n') <= 6);
  }
}

TEST_CASE("a wrong command line is exit code 2 and told on standard error") {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {},
           {"nonsense"},
           {"id"},
           {"id", "new"},
           {"id", "new", "--what"},
           {"send", "x"},
           {"send", "x", "--protocol", "p/1", "--body", "{}"},
           {"cluster", "run", "x.json", "--set", "novalue"},
           {"why", "x", "--ordered", "--unordered"},
           {"send", "x", "--protocol", "p/1", "--body", "[]", "--reliable", "--unreliable"},
           {"ping", "x", "--timeout", "0"}}) {
    captured_run run{arguments};
    CHECK(run.exit_code == 2);
    CHECK(run.out.empty());
    CHECK(!run.err.empty());
  }
}

TEST_CASE("id new writes a key that id show reads") {
  temporary_directory dir;
  auto id = new_identity(dir, "a.key");
  CHECK(id.starts_with("hk1"));
  struct stat info {};
  REQUIRE(::stat((dir / "a.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  captured_run show{{"id", "show", dir / "a.key", "--json"}};
  CHECK(json::parse(show.out) == json{{"kind", "key"}, {"identity", id}, {"encrypted", false}, {"checked", true}});

  captured_run again{{"id", "new", "--no-passphrase", "--out", dir / "a.key"}};
  CHECK(again.exit_code == 1);
  CHECK(has(again.err, "already_exists"));
  CHECK(has(again.err, "Nothing is overwritten"));
}

TEST_CASE("passphrases come from a file or the environment") {
  temporary_directory dir;
  auto right = dir.write("right", "correct horse\n");
  auto wrong = dir.write("wrong", "battery staple\n");
  ::chmod(right.c_str(), 0600);
  ::chmod(wrong.c_str(), 0600);
  captured_run made{{"id", "new", "--out", dir / "e.key", "--passphrase-file", right}};
  REQUIRE(made.exit_code == 0);
  captured_run unopened{{"id", "show", dir / "e.key", "--json"}};
  CHECK(json::parse(unopened.out).at("checked") == false);
  CHECK(captured_run{{"id", "show", dir / "e.key", "--check", "--passphrase-file", right}}.exit_code == 0);
  captured_run refused{{"id", "show", dir / "e.key", "--check", "--passphrase-file", wrong, "--json"}};
  CHECK(refused.exit_code == 1);
  CHECK(has(refused.err, "wrong_passphrase"));
  CHECK(json::parse(refused.out).at("error").at("code") == "wrong_passphrase");
  ::setenv("HANSE_PASSPHRASE", "correct horse", 1);
  CHECK(captured_run{{"id", "show", dir / "e.key", "--check"}}.exit_code == 0);
  ::setenv("HANSE_PASSPHRASE", "", 1);
  CHECK(captured_run{{"id", "new", "--out", dir / "f.key"}}.exit_code == 1);
  ::unsetenv("HANSE_PASSPHRASE");
  ::chmod(right.c_str(), 0644);
  captured_run readable{{"id", "new", "--out", dir / "g.key", "--passphrase-file", right}};
  CHECK(has(readable.err, "bad_permissions"));
}

TEST_CASE("a group file is readable, checked, and refused when edited") {
  temporary_directory dir;
  auto a = new_identity(dir, "a.key");
  auto b = new_identity(dir, "b.key");
  auto c = new_identity(dir, "c.key");
  captured_run made{{"id", "group", "--threshold", "3", a, b + ":2", c, "--out", dir / "g.json", "--json"}};
  REQUIRE(made.exit_code == 0);
  auto group = json::parse(made.out);
  CHECK(group.at("identity").get<std::string>().starts_with("hg1"));
  CHECK(captured_run{{"id", "show", dir / "g.json", "--json"}}.out == made.out);
  CHECK(has(captured_run{{"id", "show", dir / "g.json"}}.out, "quorumcast"));

  auto text = content_of(dir / "g.json");
  auto edited = text;
  edited.replace(edited.find("\"threshold\": 3"), 14, "\"threshold\": 2");
  dir.write("edited.json", edited);
  captured_run refused{{"id", "show", dir / "edited.json"}};
  CHECK(refused.exit_code == 1);
  CHECK(has(refused.err, "wrong_signer"));

  CHECK(captured_run{{"id", "group", "--threshold", "5", a, b, "--out", dir / "h.json"}}.exit_code == 1);
  CHECK(captured_run{{"id", "group", "--threshold", "1", a, a, "--out", dir / "h.json"}}.exit_code == 1);
  CHECK(captured_run{{"id", "group", "--threshold", "1", a + ":0", "--out", dir / "h.json"}}.exit_code == 1);
  CHECK(captured_run{{"id", "group", "--threshold", "1", "hk1nonsense", "--out", dir / "h.json"}}.exit_code == 1);
  CHECK(!std::filesystem::exists(dir / "h.json"));
}

TEST_CASE("every flipped bit of a group file is refused or leaves its meaning") {
  temporary_directory dir;
  auto a = *identity::parse(new_identity(dir, "a.key"));
  auto b = *identity::parse(new_identity(dir, "b.key"));
  auto descriptor = *make_composite(2, {{a, 1}, {b, 1}});
  auto text = encode_group_file(descriptor);
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    auto damaged = text;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    auto read = parse_group_file(damaged, "g.json");
    if (read) CHECK(read->descriptor == descriptor); // a changed space
  }
}

TEST_CASE("node init writes what node run reads") {
  temporary_directory dir;
  captured_run init{{"node", "init", dir / "n", "--name", "alice", "--no-passphrase", "--json"}};
  REQUIRE_MESSAGE(init.exit_code == 0, init.err);
  auto said = json::parse(init.out);
  CHECK(json::parse(captured_run{{"id", "show", dir / "n/node.key", "--json"}}.out).at("identity") ==
        said.at("identity"));
  CHECK(json::parse(content_of(dir / "n/config.json")).at("name") == "alice");
  struct stat info {};
  REQUIRE(::stat((dir / "n").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  CHECK(has(captured_run{{"node", "init", dir / "n", "--no-passphrase"}}.err, "already_exists"));
  CHECK(has(captured_run{{"node", "init", dir / "m", "--no-passphrase", "--listen", "nowhere"}}.err, "listen[0]"));
  CHECK(!std::filesystem::exists(dir / "m"));
}

TEST_CASE("commands say which socket nobody answers at") {
  temporary_directory dir;
  captured_run run{{"peers", "--socket", dir / "none.sock"}};
  CHECK(run.exit_code == 1);
  CHECK(has(run.err, "none.sock"));
  CHECK(has(run.err, "hanse node run"));
}

TEST_CASE("a configuration that is wrong is told as a compiler would") {
  temporary_directory dir;
  auto file = dir.write("c.json", "{\n  \"name\": \"x\",\n  \"kee_file\": \"k\"\n}\n");
  captured_run run{{"node", "run", file}};
  CHECK(run.exit_code == 1);
  CHECK(has(run.err, file.string() + ":3: kee_file: unknown key; did you mean \"key_file\"?"));
}

TEST_CASE("tables line up and hide control characters") {
  text_table table{{"name", "none", ">n"}};
  table.add({"ä…", "", "1"});
  table.add({"b", "", "100"});
  std::ostringstream out;
  table.print(out);
  CHECK(out.str() == "name    n\nä…      1\nb     100\n");
  CHECK(printable("a\033[2Jb\n") == "a?[2Jb?");
  CHECK(printable("äöü", 2) == "äö…");
  CHECK(duration_text(850) == "850 µs");
  CHECK(duration_text(12'340) == "12.3 ms");
  CHECK(duration_text(2'500'000) == "2.50 s");
  CHECK(duration_text(125'000'000) == "2 min 05 s");
  CHECK(size_text(3482) == "3.4 KiB");
}
