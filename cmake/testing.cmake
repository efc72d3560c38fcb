# Unit tests and fuzz targets. How the suites fit together: tests/README.md.
enable_testing()

# evs_unit_test(<part> LIBS <targets…>)
# Makes test_<part> from test_<part>.c of the calling folder and registers it with ctest under the label `unit`.
function(evs_unit_test part)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  add_executable(test_${part} test_${part}.c)
  target_link_libraries(test_${part} PRIVATE ${arg_LIBS} evs::check evs::threads)
  add_test(NAME ${part} COMMAND test_${part} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  # 77 is the exit code of a test that cannot run here and has said why. Check's own limit of 4 seconds a test is too
  # short under a sanitizer and on a busy machine; ctest's limit is the one that counts.
  set_tests_properties(${part} PROPERTIES LABELS unit TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "CK_DEFAULT_TIMEOUT=30;CK_TIMEOUT_MULTIPLIER=20;CK_VERBOSITY=normal;EVS_SOURCE_DIR=${PROJECT_SOURCE_DIR};EVS_BINARY_DIR=${PROJECT_BINARY_DIR}")
endfunction()

# evs_fuzz_target(<name> LIBS <targets…>)
# Makes fuzz_<name> from fuzz_<name>.c of the calling folder, which defines LLVMFuzzerTestOneInput. With EVS_FUZZ it is a
# libFuzzer program; without, replay.c of the same folder gives it a main() that runs each file or folder of its arguments
# once, so that the corpus is an ordinary test with any compiler.
# The target evs_fuzz builds all of them.
add_custom_target(evs_fuzz)

function(evs_fuzz_target name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  if(EVS_FUZZ)
    add_executable(fuzz_${name} fuzz_${name}.c)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(fuzz_${name} fuzz_${name}.c replay.c)
  endif()
  target_link_libraries(fuzz_${name} PRIVATE ${arg_LIBS} evs::threads)
  add_dependencies(evs_fuzz fuzz_${name})
endfunction()
