// The files of apps/templates, built into the program (cmake/embed.cmake).
// Not what is done with them: new_command.cpp.
#pragma once

#include <string_view>
#include <vector>

namespace hanse::app {

/// `name` may contain NAME, `text` the places @NAME@, @OFFSET@ and @VERSION@.
struct template_file {
  std::string_view name;
  std::string_view text;
};

std::vector<template_file> engine_templates();

} // namespace hanse::app
