# Writes build_stamp.hpp: the version, and a hash over the public headers, by which a plug-in and the program know whether
# they were built for each other. Run at build time: cmake -DOUTPUT=… -DVERSION=… -DROOT=… -DHEADERS=a,b,… -P build_stamp.cmake
string(REPLACE "," ";" headers "${HEADERS}")
set(hashes "")
foreach(header IN LISTS headers)
  file(SHA256 ${ROOT}/${header} hash)
  string(APPEND hashes "${header} ${hash}\n")
endforeach()
string(SHA256 all "${hashes}")
string(SUBSTRING ${all} 0 16 short)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT "// Made by cmake/build_stamp.cmake: the version of Hanse, and a hash over its public headers. Not a thing to edit.
#pragma once

#define HANSE_BUILD_VERSION \"${VERSION}\"
#define HANSE_BUILD_HEADERS \"${short}\"
")
