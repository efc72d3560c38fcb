# Languages, warnings, optimisation and sanitizers: everything that holds for all targets.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # gnu17: gcc 12 and clang 14 both take it
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

option(EVS_WERROR "Treat warnings as errors (continuous integration does; a user's newer compiler must not fail)" OFF)
option(EVS_FUZZ "Build the fuzz targets with libFuzzer (needs clang); without it they replay their corpus" OFF)
set(EVS_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: empty, address,undefined or thread")
set(EVS_ARCH "" CACHE STRING "-march of the whole build; empty: x86-64-v2 on x86-64, the compiler's own elsewhere")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  message(FATAL_ERROR "evstream runs on 64-bit Linux (x86-64 and arm64); this is "
                      "${CMAKE_SYSTEM_NAME} on ${CMAKE_SYSTEM_PROCESSOR}.")
endif()

# Invariants (EVS_ASSERT) do not hang on NDEBUG: a wrong count is worse than a stopped engine.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-Og -g3")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g3")

if(NOT EVS_ARCH AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
  # Kernels for newer instruction sets are chosen at run time; the baseline is what every server since 2010 has.
  set(EVS_ARCH_FLAG -march=x86-64-v2)
elseif(EVS_ARCH)
  set(EVS_ARCH_FLAG -march=${EVS_ARCH})
endif()

# For C alone: g++ defines it by itself. Empty, as in a file that says `#define _GNU_SOURCE` for itself.
add_compile_definitions($<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
add_compile_options(
  ${EVS_ARCH_FLAG}
  -Wall -Wextra -Wshadow
  "$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>"
  # What newer compilers refuse, and what is never right: calling without a prototype, mixing pointers and integers.
  "$<$<COMPILE_LANGUAGE:C>:-Werror=implicit-function-declaration;-Werror=int-conversion;-Werror=incompatible-pointer-types>"
  -ffunction-sections -fdata-sections
  # Assertions and logs name files from the project's root; debug information keeps whole paths, which the debugger needs.
  -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=)
add_link_options(-Wl,--gc-sections)

if(EVS_WERROR)
  add_compile_options(-Werror)
endif()

if(EVS_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "EVS_FUZZ needs clang (libFuzzer is part of it); configure with the preset `fuzz`.")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(EVS_SANITIZE)
  add_compile_options(-fsanitize=${EVS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${EVS_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
