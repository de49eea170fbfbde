// The files of apps/templates and apps/hanse/dashboard, built into the program (cmake/embed.cmake).
// Not what is done with them: new_command.cpp, watch/dashboard_server.cpp.
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

/// The files of apps/hanse/dashboard: the page of `hanse dashboard` in parts. No places in them.
std::vector<template_file> dashboard_files();

} // namespace hanse::app
