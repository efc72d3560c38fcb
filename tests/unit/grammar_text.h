/* lang/grammar.ebnf as a tree, and sentences of it made at random: what unit tests of the language's front half share. */
#ifndef GRAMMAR_TEXT_H
#define GRAMMAR_TEXT_H

#include <check.h>

#include "lexer.h"

enum node_kind { NODE_WORD, NODE_RULE, NODE_TOKEN, NODE_SAID, NODE_ALL, NODE_ONE, NODE_MAYBE, NODE_MANY };

struct node {
    enum node_kind kind;
    struct evs_slice text; /* terminal, name, or what is said in words */
    struct node **parts;   /* all of them, one of them, the inside */
    uint32_t count, capacity;
    uint32_t rule;   /* index, NODE_RULE */
    uint32_t height; /* of the lowest tree that it can generate */
};
struct rule {
    struct evs_slice name;
    struct node *body;
    bool is_reached;
};
struct grammar {
    struct evs_arena arena;
    struct evs_slice text;
    size_t at;
    struct rule rules[200];
    uint32_t count;
};

extern struct grammar grammar;

void grammar_read(void); /* fixtures */
void grammar_free(void);
/* NULL: the grammar has no such rule. */
struct rule *grammar_find(struct evs_slice name);
void grammar_each_node(struct node *node, void (*visit)(struct node *));
void grammar_each_rule(void (*visit)(struct node *));
/* A sentence of the rule, its tokens with blanks between them, and a NUL. `room` bounds the height of its tree; the same seed makes the same. */
void grammar_sentence(const char *rule, uint64_t seed, uint32_t room, struct evs_buffer *out);

#endif
