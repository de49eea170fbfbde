// Engines that carry a file from one node to another in parts, by reliable causal unicast. Not block storage.
#pragma once

#include "hanse/app/engines/interfaces.hpp"

#include <filesystem>
#include <fstream>

namespace hanse::engines {

inline constexpr std::size_t file_part_size = 256 * 1024;  ///< octets; a guess: well below a frame
inline constexpr std::size_t file_parts_under_way = 8;     ///< parts sent and not answered
inline constexpr std::uint64_t file_size_max = 1ull << 36; ///< octets that a receiver takes; a guess

class file_sender_engine {
public:
  file_sender_engine(file_sender_actor::pointer self, engine_context context)
      : self_(self), context_(std::move(context)) {}
  file_sender_actor::behavior_type make_behavior();

private:
  struct transfer;
  void send_more(const std::shared_ptr<transfer>& t);
  void send_part(const std::shared_ptr<transfer>& t);

  file_sender_actor::pointer self_;
  engine_context context_;
};

/// Parameters: {"dir": "where files go"}; default: the current directory.
class file_receiver_engine {
public:
  file_receiver_engine(file_receiver_actor::pointer self, engine_context context, const std::string& parameters);
  static expected<unit> check(const std::string& parameters);
  file_receiver_actor::behavior_type make_behavior();

private:
  caf::result<void> begin(const std::string& name, std::uint64_t size, std::uint64_t parts);
  caf::result<void> part(std::uint64_t index, const caf::byte_buffer& octets);

  std::filesystem::path dir_;
  std::filesystem::path path_;
  std::ofstream out_;
  std::uint64_t size_ = 0, parts_ = 0, next_ = 0, written_ = 0;
};

/// Parameters: {"file": "where numbers go"}.
class journal_engine {
public:
  journal_engine(journal_actor::pointer self, engine_context context, const std::string& parameters);
  static expected<unit> check(const std::string& parameters);
  journal_actor::behavior_type make_behavior();

private:
  std::string file_;
};

} // namespace hanse::engines
