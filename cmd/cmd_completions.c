/* evstream completions: what bash, zsh and fish offer behind `evstream`, made of the table of commands.
 *
 * The scripts know commands, options, an option's choices and which files a command takes. Names of parameters, sources and sinks are those that the
 * pipeline files of the line declare: the scripts take them from the text, with sed, so that a file that does not compile helps, too. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "evstream/memory.h"

static const struct evs_arg options[] = {{0}};

/* --- what the shells share ---------------------------------------------------------------------------------------------------- */

/* What the value of an option begins with: NAME of a declaration, a file, one of its choices, or nothing that is known. */
enum value_kind { VALUE_NONE, VALUE_ANY, VALUE_CHOICE, VALUE_FILE, VALUE_PARAM, VALUE_SOURCE, VALUE_SINK };

static enum value_kind value_kind(const struct evs_arg *option)
{
    if (option->value == NULL) {
        return VALUE_NONE;
    }
    if (option->choices != NULL) {
        return VALUE_CHOICE;
    }
    switch (option->id) {
    case EVS_ARG_PARAM:
        return VALUE_PARAM;
    case EVS_ARG_SOURCE:
        return VALUE_SOURCE;
    case EVS_ARG_SINK:
        return VALUE_SINK;
    default:
        return strcmp(option->value, "FILE") == 0 ? VALUE_FILE : VALUE_ANY;
    }
}

/* "text|json" as "text json". */
static void put_choices(FILE *out, const char *choices)
{
    for (; *choices != '\0'; choices++) {
        fputc(*choices == '|' ? ' ' : *choices, out);
    }
}

/* Inside single quotes of a shell. */
static void put_quoted(FILE *out, const char *text, const char *quote)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs(quote, out);
        } else {
            fputc(*text, out);
        }
    }
}

static void put_command_names(FILE *out)
{
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        fprintf(out, "%s ", (*at)->name);
    }
    fputs("help", out);
}

/* --- bash --------------------------------------------------------------------------------------------------------------------- */

static void put_bash_option_values(FILE *out, const struct evs_command *command)
{
    static const char *const words[] = {
        [VALUE_ANY] = "return",
        [VALUE_FILE] = "_evstream_files '*'; return",
        [VALUE_PARAM] = "_evstream_declared param =; return",
        [VALUE_SOURCE] = "_evstream_declared 'create source' =; return",
        [VALUE_SINK] = "_evstream_declared 'create sink' =; return",
    };
    for (const struct evs_arg *option = command->options; option->name != NULL; option++) {
        enum value_kind kind = value_kind(option);
        if (kind == VALUE_CHOICE) {
            fprintf(out, "        %s:%s) _evstream_words '", command->name, option->name);
            put_choices(out, option->choices);
            fputs("'; return ;;\n", out);
        } else if (kind != VALUE_NONE) {
            fprintf(out, "        %s:%s) %s ;;\n", command->name, option->name, words[kind]);
        }
    }
}

static void put_bash_command(FILE *out, const struct evs_command *command)
{
    fprintf(out, "        %s)\n            if [[ $cur == -* ]]; then\n                _evstream_words '",
            command->name);
    for (const struct evs_arg *option = command->options; option->name != NULL; option++) {
        fprintf(out, "%s ", option->name);
    }
    fputs("--help'\n", out);
    if (command->words != NULL) {
        fputs("            elif ((COMP_CWORD == 2)); then\n                _evstream_words '", out);
        put_choices(out, command->words);
        fputs("'\n", out);
    }
    if (command->operands[0] != '\0') {
        fprintf(out, "            else\n                _evstream_files '%s'\n", command->operands);
    }
    fputs("            fi ;;\n", out);
}

static void put_bash(FILE *out)
{
    fputs("# Completions of evstream for bash: eval \"$(evstream completions bash)\"\n"
          "_evstream_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }\n"
          "_evstream_files() {\n"
          "    mapfile -t COMPREPLY < <(compgen -f -X \"!$1\" -- \"$cur\"; compgen -d -- \"$cur\")\n"
          "    compopt -o filenames 2>/dev/null\n"
          "}\n"
          "# Names that the pipelines of the line declare: $1 stands before a name, $2 goes behind it.\n"
          "_evstream_declared() {\n"
          "    local word names=''\n"
          "    for word in \"${COMP_WORDS[@]}\"; do\n"
          "        [[ $word == *.evs && -r $word ]] &&\n"
          "            names+=\" $(sed -n \"s/^ *$1  *\\([A-Za-z_][A-Za-z0-9_]*\\).*/\\1$2/Ip\" \"$word\")\"\n"
          "    done\n"
          "    _evstream_words \"$names\"\n"
          "    compopt -o nospace 2>/dev/null\n"
          "}\n"
          "_evstream() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)) || { ((COMP_CWORD == 2)) && [[ $command == help ]]; }; then\n"
          "        _evstream_words '",
          out);
    put_command_names(out);
    fputs(" --help --version'\n        return\n    fi\n"
          "    if [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "    if [[ $cur == = ]]; then cur=''; fi\n"
          "    case $command:$prev in\n",
          out);
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        put_bash_option_values(out, *at);
    }
    fputs("    esac\n    case $command in\n", out);
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        put_bash_command(out, *at);
    }
    fputs("    esac\n}\ncomplete -F _evstream evstream\n", out);
}

/* --- zsh ---------------------------------------------------------------------------------------------------------------------- */

/* Of _arguments: brackets and colons have a meaning there. */
static void put_zsh_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("[]:\\", *text) != NULL) {
            fputc('\\', out);
        }
        fputs(*text == '\'' ? "'\\''" : "", out);
        if (*text != '\'') {
            fputc(*text, out);
        }
    }
}

static void put_zsh_option(FILE *out, const struct evs_arg *option)
{
    static const char *const actions[] = {[VALUE_ANY] = "",
                                          [VALUE_FILE] = "_files",
                                          [VALUE_PARAM] = "_evstream_declared param",
                                          [VALUE_SOURCE] = "_evstream_declared \"create source\"",
                                          [VALUE_SINK] = "_evstream_declared \"create sink\""};
    enum value_kind kind = value_kind(option);
    fprintf(out, "                '*%s%s[", option->name, kind == VALUE_NONE ? "" : "=");
    put_zsh_text(out, option->help);
    fputs("]", out);
    if (kind == VALUE_CHOICE) {
        fputs(":value:(", out);
        put_choices(out, option->choices);
        fputs(")", out);
    } else if (kind != VALUE_NONE) {
        fputs(":", out);
        put_zsh_text(out, option->value);
        fprintf(out, ":%s", actions[kind]);
    }
    fputs("' \\\n", out);
}

static void put_zsh_command(FILE *out, const struct evs_command *command)
{
    fprintf(out, "        %s)\n            _arguments \\\n", command->name);
    for (const struct evs_arg *option = command->options; option->name != NULL; option++) {
        put_zsh_option(out, option);
    }
    fputs("                '--help[prints its page]'", out);
    if (command->words != NULL) {
        fputs(" \\\n                '1:what:(", out);
        put_choices(out, command->words);
        fputs(")'", out);
    }
    if (command->operands[0] != '\0') {
        fprintf(out, " \\\n                '*:file:_files -g \"%s\"'", command->operands);
    }
    fputs(" ;;\n", out);
}

static void put_zsh(FILE *out)
{
    fputs("#compdef evstream\n# Completions of evstream for zsh: source <(evstream completions zsh)\n"
          "_evstream_declared() {\n"
          "    local word\n    local -a names\n"
          "    for word in $words; do\n"
          "        [[ $word == *.evs && -r $word ]] &&\n"
          "            names+=(${(f)\"$(sed -n \"s/^ *$1  *\\([A-Za-z_][A-Za-z0-9_]*\\).*/\\1/Ip\" $word)\"})\n"
          "    done\n"
          "    compadd -S = -a names\n"
          "}\n"
          "_evstream() {\n    local line state\n    local -a commands\n    commands=(\n",
          out);
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        fprintf(out, "        '%s:", (*at)->name);
        put_zsh_text(out, (*at)->summary);
        fputs("'\n", out);
    }
    fputs("        'help:tells about a command'\n    )\n"
          "    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n"
          "    local command=$words[2]\n    shift words\n    ((CURRENT--))\n"
          "    case $command in\n        help) _describe command commands ;;\n",
          out);
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        put_zsh_command(out, *at);
    }
    fputs("    esac\n}\ncompdef _evstream evstream\n", out);
}

/* --- fish --------------------------------------------------------------------------------------------------------------------- */

static void put_fish_option(FILE *out, const struct evs_command *command, const struct evs_arg *option)
{
    static const char *const actions[] = {[VALUE_ANY] = "-x",
                                          [VALUE_FILE] = "-r -F",
                                          [VALUE_PARAM] = "-x -a '(__evstream_declared param)'",
                                          [VALUE_SOURCE] = "-x -a '(__evstream_declared \"create source\")'",
                                          [VALUE_SINK] = "-x -a '(__evstream_declared \"create sink\")'"};
    enum value_kind kind = value_kind(option);
    fprintf(out, "complete -c evstream -n '__fish_seen_subcommand_from %s' -l %s -d '", command->name,
            option->name + 2);
    put_quoted(out, option->help, "\\'");
    fputs("'", out);
    if (kind == VALUE_CHOICE) {
        fputs(" -x -a '", out);
        put_choices(out, option->choices);
        fputs("'", out);
    } else if (kind != VALUE_NONE) {
        fprintf(out, " %s", actions[kind]);
    }
    fputs("\n", out);
}

static void put_fish_command(FILE *out, const struct evs_command *command)
{
    fprintf(out, "complete -c evstream -n __fish_use_subcommand -a %s -d '", command->name);
    put_quoted(out, command->summary, "\\'");
    fputs("'\n", out);
    for (const struct evs_arg *option = command->options; option->name != NULL; option++) {
        put_fish_option(out, command, option);
    }
    fprintf(out, "complete -c evstream -n '__fish_seen_subcommand_from %s' -l help -d 'prints its page'\n",
            command->name);
    if (command->words != NULL) {
        fprintf(out, "complete -c evstream -n '__fish_seen_subcommand_from %s' -a '", command->name);
        put_choices(out, command->words);
        fputs("'\n", out);
    }
    if (command->operands[0] != '\0') {
        fprintf(out, "complete -c evstream -n '__fish_seen_subcommand_from %s' -k -a '(__fish_complete_suffix %s)'\n",
                command->name, strcmp(command->operands, "*") == 0 ? ".ndjson" : command->operands + 1);
    }
}

static void put_fish(FILE *out)
{
    fputs("# Completions of evstream for fish: evstream completions fish | source\n"
          "function __evstream_declared\n"
          "    for word in (commandline -opc)\n"
          "        if string match -q '*.evs' -- $word; and test -r $word\n"
          "            sed -n \"s/^ *$argv[1]  *\\([A-Za-z_][A-Za-z0-9_]*\\).*/\\1=/Ip\" $word\n"
          "        end\n    end\nend\n"
          "complete -c evstream -f\n"
          "complete -c evstream -n __fish_use_subcommand -a help -d 'tells about a command'\n",
          out);
    for (const struct evs_command *const *at = evs_commands; *at != NULL; at++) {
        put_fish_command(out, *at);
    }
}

/* --- the command -------------------------------------------------------------------------------------------------------------- */

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_completions, argc, argv);
    const char *shell = NULL;
    int id;
    while ((id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id != EVS_ARG_OPERAND) {
            return id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
        if (shell != NULL) {
            return evs_args_refuse(&args, "name one shell.");
        }
        shell = args.value;
    }
    if (shell == NULL) {
        return evs_args_refuse(&args, "name a shell: bash, zsh or fish.");
    }
    if (strcmp(shell, "bash") == 0) {
        put_bash(stdout);
    } else if (strcmp(shell, "zsh") == 0) {
        put_zsh(stdout);
    } else if (strcmp(shell, "fish") == 0) {
        put_fish(stdout);
    } else {
        return evs_args_refuse(&args, "there are no completions for `%s`; there are some for bash, zsh and fish.",
                               shell);
    }
    return fflush(stdout) == 0 ? EVS_EXIT_DONE : EVS_EXIT_UNREACHABLE;
}

const struct evs_command evs_command_completions = {
    .name = "completions",
    .summary = "prints what bash, zsh or fish need to complete commands and names",
    .group = EVS_GROUP_OTHER,
    .operands = "",
    .words = "bash|zsh|fish",
    .options = options,
    .usage = "evstream completions bash|zsh|fish",
    .description =
        "Prints a script that lets the shell complete commands, options, pipeline files, and the parameters, "
        "sources and\n"
        "sinks that a file declares. Add it to the shell's start:\n"
        "  bash  eval \"$(evstream completions bash)\"        in ~/.bashrc\n"
        "  zsh   source <(evstream completions zsh)         in ~/.zshrc, behind compinit\n"
        "  fish  evstream completions fish | source         in ~/.config/fish/config.fish",
    .run = run_command,
};
