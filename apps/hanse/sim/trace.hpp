// What happened in a run: a hash of all of it, and, if wanted, a log for people and for trace viewers.
// Not the decision what is an event (sim_node.cpp). Format of write_chrome: the Trace Event Format of Chrome/Perfetto.
#pragma once

#include "hanse/crypto/hash.hpp"
#include "hanse/protocols/envelope.hpp"

#include <iosfwd>

namespace hanse::sim {

enum class trace_kind : std::uint8_t {
  start,
  crash,
  pause,
  resume,
  fault, // of a node
  dial,
  link_up,
  link_down, // x: the other node
  send,
  transmit,
  receive,
  deliver,
  handled,
  confirm,
  fail, // x: message number (0: control), y: the other node or code
  drop, // x: message number, y: errc
  commit,
  disk_error,
  advert, // x: writes, or the advert's version
  heal,
  converged,
  violation, // of the whole run; node is any_node
  role,      // x: domain_role; the text says why
  written,   // x: number of a write to a register, or 0; y: action_kind
  published, // x: event number, y: topic
  joined,    // y: topic
  event,     // x: event number, y: the publishing node
  gap,       // x: places that are lost, y: the publishing node
  proof,     // x: the node that is held to lie
};

std::string_view to_string(trace_kind k) noexcept;

struct trace_record {
  time_ms at = 0; ///< virtual, since the start
  trace_kind what{};
  std::uint32_t node = 0;
  std::uint64_t x = 0, y = 0;
  std::string text; ///< for people; not hashed
};

inline constexpr std::size_t trace_records_max = 4'000'000; ///< about 400 MiB; later ones are counted only

/// Remembers records, to be written when the run is over.
class trace_log {
public:
  void add(trace_record record);
  std::size_t size() const noexcept { return records_.size(); }
  std::uint64_t left_out() const noexcept { return left_out_; }

  /// "12.345 core3 deliver #17 from core1", a line each.
  void write_text(std::ostream& out, const std::vector<std::string>& node_names) const;

  /// JSON for chrome://tracing and ui.perfetto.dev: a process per node, an instant per record, arrows per message.
  void write_chrome(std::ostream& out, const std::vector<std::string>& node_names) const;

private:
  std::vector<trace_record> records_;
  std::uint64_t left_out_ = 0;
};

/// Hashes records as they come: 29 octets each, little-endian, in blocks chained by BLAKE2b.
class trace_hash {
public:
  void add(const trace_record& record);
  digest finish();
  std::uint64_t records() const noexcept { return records_; }

private:
  void chain();

  digest state_{};
  bytes block_;
  std::uint64_t records_ = 0;
};

} // namespace hanse::sim
