// A reference-counted slice of immutable octets, so that large bodies are shared between actors and never copied.
// Not a rope and not writable; the whole buffer lives as long as any slice of it.
#pragma once

#include "hanse/crypto/bytes.hpp"

#include <memory>

namespace hanse {

/// Immutable octets with shared ownership. Copying is cheap; thread-safe to read and to copy.
class shared_bytes {
public:
  shared_bytes() = default;

  /// Takes ownership of `buffer`; no copy.
  explicit shared_bytes(bytes buffer) : buffer_(std::make_shared<const bytes>(std::move(buffer))), view_(*buffer_) {}

  static shared_bytes copy_of(byte_view view) { return shared_bytes{to_bytes(view)}; }

  /// The part `view` of this buffer, sharing its ownership. Precondition: `view` lies within `this->view()`.
  shared_bytes slice(byte_view view) const {
    shared_bytes part = *this;
    part.view_ = view;
    return part;
  }

  byte_view view() const noexcept { return view_; }
  std::size_t size() const noexcept { return view_.size(); }
  bool empty() const noexcept { return view_.empty(); }

  friend bool operator==(const shared_bytes& a, const shared_bytes& b) { return equal(a.view_, b.view_); }

private:
  std::shared_ptr<const bytes> buffer_;
  byte_view view_;
};

} // namespace hanse
