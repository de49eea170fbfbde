// See file_engines.hpp.
#include "hanse/app/engines/file_engines.hpp"

#include "hanse/actors/errors.hpp"

#include <caf/typed_response_promise.hpp>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace hanse::engines {

namespace {

constexpr auto part_timeout = std::chrono::minutes{2};

/// The whole file's hash; the demo's files fit memory.
expected<std::string> hash_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  if (!in) return error{errc::io_error, "cannot read " + path.string()};
  std::string all{std::istreambuf_iterator<char>{in}, {}};
  return to_hex(blake2b_256(as_byte_view(all)).view());
}

} // namespace

struct file_sender_engine::transfer {
  std::ifstream in;
  std::string hash;
  std::uint64_t size = 0, parts = 0, next = 0, answered = 0;
  bool failed = false;
  file_receiver_actor to;
  caf::typed_response_promise<std::string, std::uint64_t, std::uint64_t> promise;
};

file_sender_actor::behavior_type file_sender_engine::make_behavior() {
  return {[this](send_file_atom, const std::string& path,
                 const identity& receiver) -> caf::result<std::string, std::uint64_t, std::uint64_t> {
    auto t = std::make_shared<transfer>();
    auto hash = hash_file(path);
    if (!hash) return to_caf(hash.error());
    t->hash = *hash;
    t->in.open(path, std::ios::binary);
    std::error_code failed;
    t->size = std::filesystem::file_size(path, failed);
    if (failed || !t->in) return to_caf(error{errc::io_error, "cannot read " + path});
    t->parts = (t->size + file_part_size - 1) / file_part_size;
    remote_options options;
    options.reliable = true;
    options.ttl_ms = static_cast<std::uint32_t>(std::chrono::milliseconds{part_timeout}.count());
    t->to = context_.remote<file_receiver_actor>(receiver, options);
    t->promise = self_->make_response_promise<std::string, std::uint64_t, std::uint64_t>();
    auto name = std::filesystem::path{path}.filename().string();
    compat::request(self_, t->to, part_timeout, begin_atom_v, name, t->size, t->parts)
        .then([this, t] { send_more(t); }, [t](const caf::error& why) { t->promise.deliver(why); });
    return t->promise;
  }};
}

void file_sender_engine::send_more(const std::shared_ptr<transfer>& t) {
  while (!t->failed && t->next < t->parts && t->next - t->answered < file_parts_under_way) send_part(t);
  if (!t->failed && t->answered == t->parts) {
    t->promise.deliver(t->hash, t->size, t->parts);
    t->failed = true; // answered; nothing more
  }
}

void file_sender_engine::send_part(const std::shared_ptr<transfer>& t) {
  caf::byte_buffer octets(file_part_size);
  t->in.read(reinterpret_cast<char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
  octets.resize(static_cast<std::size_t>(t->in.gcount()));
  auto index = t->next++;
  compat::request(self_, t->to, part_timeout, part_atom_v, index, std::move(octets))
      .then(
          [this, t] {
            ++t->answered;
            send_more(t);
          },
          [t](const caf::error& why) {
            if (!std::exchange(t->failed, true)) t->promise.deliver(why);
          });
}

expected<unit> file_receiver_engine::check(const std::string& parameters) {
  auto json = nlohmann::json::parse(parameters, nullptr, false);
  if (!json.is_object()) return error{errc::bad_config, "parameters of a file_receiver are an object"};
  for (auto& [key, value] : json.items())
    if (key != "dir" || !value.is_string())
      return error{errc::bad_config, "a file_receiver takes \"dir\", a text; not " + key};
  return ok();
}

file_receiver_engine::file_receiver_engine(file_receiver_actor::pointer, engine_context,
                                           const std::string& parameters) {
  auto json = nlohmann::json::parse(parameters, nullptr, false);
  dir_ = json.is_object() ? json.value("dir", std::string{"."}) : ".";
}

file_receiver_actor::behavior_type file_receiver_engine::make_behavior() {
  return {
      [this](begin_atom, const std::string& name, std::uint64_t size, std::uint64_t parts) {
        return begin(name, size, parts);
      },
      [this](part_atom, std::uint64_t index, const caf::byte_buffer& octets) { return part(index, octets); },
      [this](stat_atom) -> caf::result<std::string, std::string, std::uint64_t, std::uint64_t, bool> {
        auto hash = path_.empty() ? expected<std::string>{std::string{}} : hash_file(path_);
        if (!hash) return to_caf(hash.error());
        return {path_.string(), *hash, written_, next_, !path_.empty() && next_ == parts_ && written_ == size_};
      },
  };
}

caf::result<void> file_receiver_engine::begin(const std::string& name, std::uint64_t size, std::uint64_t parts) {
  auto plain = std::filesystem::path{name}.filename(); // a sender does not choose our directories
  if (plain.empty() || plain == "." || plain == ".." || size > file_size_max ||
      parts != (size + file_part_size - 1) / file_part_size)
    return to_caf(error{errc::bad_value, "not a file that this receiver takes"});
  std::error_code ignored;
  std::filesystem::create_directories(dir_, ignored);
  path_ = dir_ / ("received-" + plain.string());
  out_ = std::ofstream{path_, std::ios::binary | std::ios::trunc};
  if (!out_) return to_caf(error{errc::io_error, "cannot write " + path_.string()});
  size_ = size;
  parts_ = parts;
  next_ = written_ = 0;
  return {};
}

caf::result<void> file_receiver_engine::part(std::uint64_t index, const caf::byte_buffer& octets) {
  if (path_.empty() || index != next_ || next_ >= parts_ || octets.size() > file_part_size)
    return to_caf(error{errc::bad_value, "part " + std::to_string(index) + " where " + std::to_string(next_) + " of " +
                                             std::to_string(parts_) + " is due"});
  out_.write(reinterpret_cast<const char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
  out_.flush();
  if (!out_) return to_caf(error{errc::io_error, "cannot write " + path_.string()});
  ++next_;
  written_ += octets.size();
  return {};
}

expected<unit> journal_engine::check(const std::string& parameters) {
  auto json = nlohmann::json::parse(parameters, nullptr, false);
  if (!json.is_object() || json.size() != 1 || !json.contains("file") || !json["file"].is_string())
    return error{errc::bad_config, "a journal takes \"file\", a text"};
  return ok();
}

journal_engine::journal_engine(journal_actor::pointer, engine_context, const std::string& parameters)
    : file_(nlohmann::json::parse(parameters).at("file").get<std::string>()) {}

journal_actor::behavior_type journal_engine::make_behavior() {
  return {[this](append_atom, std::uint64_t number) -> caf::result<void> {
    auto line = std::to_string(number) + '\n';
    auto fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return to_caf(error{errc::io_error, "cannot open " + file_});
    bool written = ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(fd) == 0;
    ::close(fd);
    if (!written) return to_caf(error{errc::io_error, "cannot write " + file_});
    return {};
  }};
}

} // namespace hanse::engines
