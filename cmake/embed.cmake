# Writes a C++ file with the function FUNCTION, which returns files as texts, so that the program finds them wherever it
# is. Run at build time: cmake -DOUTPUT=… -DFUNCTION=engine_templates -DROOT=… -DFILES=a,b,… -P embed.cmake
string(REPLACE "," ";" files "${FILES}")
set(text "// Made by cmake/embed.cmake from ${FILES}. Not a thing to edit.\n#include \"hanse/app/templates.hpp\"\n\n")
string(APPEND text "namespace hanse::app {\n\nstd::vector<template_file> ${FUNCTION}() {\n  return {\n")
foreach(file IN LISTS files)
  file(READ ${ROOT}/${file} content)
  string(REGEX REPLACE "\\.in$" "" name ${file})
  string(APPEND text "      {\"${name}\", R\"~~(${content})~~\"},\n")
endforeach()
string(APPEND text "  };\n}\n\n} // namespace hanse::app\n")
file(WRITE ${OUTPUT} "${text}")
