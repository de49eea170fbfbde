// See trace.hpp. The hash covers numbers only, so that texts may be improved without changing it.
#include "hanse/sim/trace.hpp"

#include "hanse/sim/plan.hpp"

#include <array>
#include <iomanip>
#include <ostream>

namespace hanse::sim {

namespace {

constexpr std::size_t block_size = 64 * 1024;

constexpr std::array<std::string_view, 29> kind_names{
    "start",     "crash",      "pause",   "resume",  "fault",     "dial",      "link_up", "link_down",
    "send",      "transmit",   "receive", "deliver", "handled",   "confirm",   "fail",    "drop",
    "commit",    "disk_error", "advert",  "heal",    "converged", "violation", "role",    "written",
    "published", "joined",     "event",   "gap",     "proof"};

template <class T>
void put(bytes& out, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
}

void write_seconds(std::ostream& out, time_ms at) {
  out << at / 1000 << '.' << std::setw(3) << std::setfill('0') << at % 1000 << std::setfill(' ');
}

bool about_a_node(trace_kind k) {
  return k == trace_kind::dial || k == trace_kind::link_up || k == trace_kind::link_down;
}

bool about_a_message(trace_kind k) {
  return (k >= trace_kind::send && k <= trace_kind::drop) && k != trace_kind::drop;
}

std::string name_of(std::uint64_t index, const std::vector<std::string>& names) {
  return index < names.size() ? names[index] : std::string{"-"};
}

std::string message_name(std::uint64_t number) {
  if (number == 0) return "control";
  std::string out{"#"};
  return out.append(std::to_string(number));
}

/// "#17 from core1", "12 writes", "core2", whatever the two numbers of the record say.
std::string detail(const trace_record& r, const std::vector<std::string>& names) {
  std::string out;
  if (about_a_node(r.what)) out = name_of(r.x, names);
  if (about_a_message(r.what)) {
    out = message_name(r.x);
    if (r.what == trace_kind::handled || r.what == trace_kind::fail) {
      if (r.y != 0) out += std::string{" "} + std::string{to_string(static_cast<errc>(r.y))};
    } else if (r.what != trace_kind::confirm) {
      out += (r.what <= trace_kind::transmit ? " to " : " from ") + name_of(r.y, names);
    }
  }
  if (r.what == trace_kind::drop) out = message_name(r.x) + " " + std::string{to_string(static_cast<errc>(r.y))};
  if (r.what == trace_kind::commit || r.what == trace_kind::disk_error) out = std::to_string(r.x) + " writes";
  if (r.what == trace_kind::advert) out = name_of(r.y, names) + " version " + std::to_string(r.x);
  if (r.what == trace_kind::published || r.what == trace_kind::event) {
    out += '*';
    out += std::to_string(r.x);
    if (r.what == trace_kind::event) out += " from " + name_of(r.y, names);
  }
  if (r.what == trace_kind::gap) out = std::to_string(r.x) + " events of " + name_of(r.y, names);
  if (r.what == trace_kind::proof) out = name_of(r.x, names);
  if (!r.text.empty()) out += (out.empty() ? "" : ": ") + r.text;
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

} // namespace

std::string_view to_string(trace_kind k) noexcept {
  return kind_names[static_cast<std::size_t>(k)];
}

void trace_log::add(trace_record record) {
  if (records_.size() < trace_records_max)
    records_.push_back(std::move(record));
  else
    ++left_out_;
}

void trace_log::write_text(std::ostream& out, const std::vector<std::string>& names) const {
  for (const auto& r : records_) {
    write_seconds(out, r.at);
    out << ' ' << (r.node == any_node ? "all" : name_of(r.node, names)) << ' ' << to_string(r.what);
    if (const auto more = detail(r, names); !more.empty()) out << ' ' << more;
    out << '\n';
  }
  if (left_out_ > 0) out << left_out_ << " more records were left out\n";
}

// A message is an arrow ("s" to "f", the Trace Event Format's flow events) from its transmission to its delivery.
void trace_log::write_chrome(std::ostream& out, const std::vector<std::string>& names) const {
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
  const char* separator = "\n";
  for (std::size_t i = 0; i < names.size(); ++i) {
    out << separator << R"({"ph":"M","name":"process_name","pid":)" << i << R"(,"tid":0,"args":{"name":)"
        << quoted(names[i]) << "}}";
    separator = ",\n";
  }
  for (const auto& r : records_) {
    const auto node = r.node == any_node ? names.size() : r.node;
    const auto us = r.at * 1000;
    out << separator << R"({"ph":"X","dur":200,"pid":)" << node << R"(,"tid":0,"ts":)" << us
        << ",\"name\":" << quoted(to_string(r.what)) << ",\"args\":{\"what\":" << quoted(detail(r, names)) << "}}";
    separator = ",\n";
    const bool begins = r.what == trace_kind::transmit, ends = r.what == trace_kind::deliver;
    if (r.x == 0 || !(begins || ends)) continue;
    out << separator << "{\"ph\":\"" << (begins ? 's' : 'f') << R"(","bp":"e","cat":"message","name":"message","id":)"
        << r.x << ",\"pid\":" << node << R"(,"tid":0,"ts":)" << us << '}';
  }
  out << "\n],\"otherData\":{\"left_out\":" << left_out_ << "}}\n";
}

void trace_hash::add(const trace_record& r) {
  put(block_, r.at);
  put(block_, static_cast<std::uint8_t>(r.what));
  put(block_, r.node);
  put(block_, r.x);
  put(block_, r.y);
  ++records_;
  if (block_.size() >= block_size) chain();
}

void trace_hash::chain() {
  state_ = blake2b_256({state_.view(), block_});
  block_.clear();
}

digest trace_hash::finish() {
  if (!block_.empty()) chain();
  return state_;
}

} // namespace hanse::sim
