# Writes OUTPUT, a C file with the pipelines FILES in it, for `evstream init`: cmake -DFILES=a;b -DOUTPUT=x.c -P embed.cmake.
# As numbers, because a literal text has a length that compilers need not take.
set(arrays "")
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char ${name}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", (const char *)${name}, sizeof ${name} - 1},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"shipped.h\"\n\n${arrays}\nconst struct evs_shipped evs_shipped[] = {\n${rows}    {0},\n};\n")
