// See leaf_encoder.hpp.
#include "hanse/actors/internal/leaf_encoder.hpp"

#include "hanse/actors/errors.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace hanse::internal {

namespace {

constexpr auto encoding_timeout = std::chrono::minutes{2}; // for a MiB; a guess, for a machine that is very busy

leaf_encoder_actor::behavior_type leaf_encoder(leaf_encoder_actor::pointer self, const eris_key& secret) {
  return {
      [secret](put_atom, block_batch& piece) -> caf::result<block_batch, std::vector<bytes>> {
        const auto size = octets_of(piece.size);
        bytes keys;
        keys.reserve(piece.octets.size() / size * sizeof(eris_key));
        piece.names.reserve(piece.octets.size() / size);
        for (std::span rest{piece.octets}; rest.size() >= size; rest = rest.subspan(size)) {
          const auto pair = make_eris_leaf(secret, rest.first(size), rest.first(size));
          piece.names.push_back(pair.reference);
          append(keys, pair.key);
        }
        return {std::move(piece), std::vector<bytes>{std::move(keys)}};
      },
      [self](stop_atom) { self->quit(); },
  };
}

} // namespace

leaf_encoding::~leaf_encoding() {
  for (const auto& encoder : encoders_) compat::anon_send(encoder, stop_atom_v);
}

void leaf_encoding::add(block_batch piece) {
  assert(!full());
  if (encoders_.size() < leaf_encoders) encoders_.push_back(self_->spawn<caf::detached>(leaf_encoder, secret_));
  pieces_.push_back(compat::request(self_.ptr(), encoders_[next_], encoding_timeout, put_atom_v, std::move(piece)));
  next_ = (next_ + 1) % leaf_encoders;
}

expected<encoded_leaves> leaf_encoding::take() {
  assert(!empty());
  auto first = std::move(pieces_.front());
  pieces_.pop_front();
  expected<encoded_leaves> result{encoded_leaves{}};
  std::move(first).receive(
      [&result](block_batch& batch, const std::vector<bytes>& keys) {
        for (std::size_t i = 0; i < batch.names.size(); ++i) {
          auto& pair = result->pairs.emplace_back(eris_pair{batch.names[i], {}});
          std::copy_n(keys.at(0).begin() + static_cast<std::ptrdiff_t>(i * pair.key.size()), pair.key.size(),
                      pair.key.begin());
        }
        result->batch = std::move(batch);
      },
      [&result](const caf::error& why) { result = to_hanse(why); });
  return result;
}

} // namespace hanse::internal
