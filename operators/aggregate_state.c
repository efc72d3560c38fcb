/* Windows, lists of what changed, retention (aggregate_state.h). */
#include "aggregate_state.h"

/* --- windows ----------------------------------------------------------------------------------------------------------------- */

static struct agg_window *window_new(struct aggregate *agg)
{
    struct agg_window *window = agg->free_windows;
    if (window != NULL) {
        agg->free_windows = window->next_free;
        return window;
    }
    window = evs_alloc_zero(sizeof *window);
    evs_table_init(&window->table, &agg->layout);
    return window;
}

static bool ends_before(const struct evs_span *a, const struct evs_span *b)
{
    return a->end_us != b->end_us ? a->end_us < b->end_us : a->start_us < b->start_us;
}

/* The place of the first window that does not end before `span`. New windows are nearly always the last. */
static uint32_t window_place(const struct aggregate *agg, struct evs_span span)
{
    uint32_t low = 0, high = agg->window_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (ends_before(&agg->windows[middle]->span, &span)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t evs_agg_window_after(const struct aggregate *agg, int64_t end_us)
{
    return window_place(agg, (struct evs_span){INT64_MIN, end_us});
}

struct agg_window *evs_agg_window(struct aggregate *agg, struct evs_span span)
{
    uint32_t place = window_place(agg, span);
    if (place < agg->window_count && agg->windows[place]->span.start_us == span.start_us &&
        agg->windows[place]->span.end_us == span.end_us) {
        return agg->windows[place];
    }
    struct agg_window *window = window_new(agg);
    window->span = span;
    EVS_GROW(agg->windows, agg->window_count, agg->window_capacity);
    memmove(&agg->windows[place + 1], &agg->windows[place], (agg->window_count - place) * sizeof *agg->windows);
    agg->windows[place] = window;
    agg->window_count++;
    return window;
}

void evs_agg_window_done(struct aggregate *agg)
{
    EVS_ASSERT(agg->window_count > 0);
    struct agg_window *window = agg->windows[0];
    agg->window_count--;
    memmove(&agg->windows[0], &agg->windows[1], agg->window_count * sizeof *agg->windows);
    evs_table_clear(&window->table);
    EVS_ASSERT(!agg->writing.is_on); /* it would lose what it has not written of the window */
    window->dirty.count = window->frozen.count = window->frozen_at = window->changed_count = 0;
    window->next_free = agg->free_windows;
    agg->free_windows = window;
    agg->last_window = NULL;
}

void evs_agg_mark(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry, uint32_t index,
                  bool is_new)
{
    if (!agg->base.durable || entry->epoch == agg->base.epoch) {
        return;
    }
    if (!is_new) {
        evs_agg_write_before(agg, window, entry);
    }
    entry->epoch = agg->base.epoch;
    evs_agg_dirty_add(&window->dirty, index);
}

void evs_agg_change(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry, uint32_t index)
{
    struct group_times *times = evs_group_times(agg, entry);
    if (times->is_changed == 0) {
        times->is_changed = 1;
        EVS_GROW(window->changed, window->changed_count, window->changed_capacity);
        window->changed[window->changed_count++] = index;
    }
}

/* --- retention ------------------------------------------------------------------------------------------------------------------ */

static bool earlier(const struct deadline *a, const struct deadline *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->index < b->index;
}

static void swap(struct deadline *a, struct deadline *b)
{
    struct deadline kept = *a;
    *a = *b;
    *b = kept;
}

void evs_agg_arm(struct aggregate *agg, uint32_t index, int64_t at_us)
{
    EVS_GROW(agg->deadlines, agg->deadline_count, agg->deadline_capacity);
    uint32_t at = agg->deadline_count++;
    agg->deadlines[at] = (struct deadline){at_us, index};
    while (at > 0 && earlier(&agg->deadlines[at], &agg->deadlines[(at - 1) / 2])) {
        swap(&agg->deadlines[at], &agg->deadlines[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

void evs_agg_arm_restored(struct aggregate *agg)
{
    struct evs_table *table = &agg->windows[0]->table;
    EVS_ASSERT(agg->restored && agg->deadline_count == 0);
    agg->restored = false;
    for (uint32_t i = 0; i < table->used; i++) {
        if (evs_table_is_live(table, i)) {
            evs_agg_arm(agg, i, evs_group_times(agg, evs_table_at(table, i))->latest_us + agg->base.config->retain_us);
        }
    }
}

static struct deadline heap_pop(struct aggregate *agg)
{
    struct deadline *heap = agg->deadlines, top = heap[0];
    heap[0] = heap[--agg->deadline_count];
    for (uint32_t at = 0;;) {
        uint32_t least = at, left = at * 2 + 1, right = at * 2 + 2;
        least = left < agg->deadline_count && earlier(&heap[left], &heap[least]) ? left : least;
        least = right < agg->deadline_count && earlier(&heap[right], &heap[least]) ? right : least;
        if (least == at) {
            return top;
        }
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

bool evs_agg_next_expired(struct aggregate *agg, int64_t watermark_us, uint32_t *index)
{
    while (agg->deadline_count > 0 && agg->deadlines[0].at_us <= watermark_us) {
        struct deadline due = heap_pop(agg);
        struct evs_entry *entry = evs_table_at(&agg->windows[0]->table, due.index);
        EVS_ASSERT(evs_table_is_live(&agg->windows[0]->table, due.index));
        int64_t at_us = evs_group_times(agg, entry)->latest_us + agg->base.config->retain_us;
        if (at_us <= watermark_us) {
            *index = due.index;
            return true;
        }
        evs_agg_arm(agg, due.index, at_us);
    }
    return false;
}

static void count_garbage(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry)
{
    uint8_t *values = evs_entry_values(&agg->layout, entry);
    for (uint32_t i = 0; i < agg->base.config->call_count; i++) {
        window->table.garbage_bytes += evs_agg_held(&agg->base.calls[i], values);
    }
}

void evs_agg_forget(struct aggregate *agg, struct agg_window *window, uint32_t index)
{
    struct evs_entry *entry = evs_table_at(&window->table, index);
    count_garbage(agg, window, entry);
    evs_table_remove(&window->table, index);
}

void evs_agg_reset(struct aggregate *agg, struct agg_window *window, struct evs_entry *entry)
{
    count_garbage(agg, window, entry);
    memset(evs_entry_values(&agg->layout, entry), 0, agg->layout.entry_bytes - agg->layout.value_offset);
}

/* --- compaction: long text and bags of groups that are gone leave holes in the arena ----------------------------------------------- */

#define COMPACT_BYTES_MIN ((size_t)1 << 20)

static void move_text(struct evs_arena *to, struct evs_str *text)
{
    *text = evs_str_keep(to, text);
}

static void move_entry(struct aggregate *agg, struct evs_arena *to, struct evs_entry *entry)
{
    for (uint32_t i = 0; i < agg->layout.key_count; i++) {
        if (evs_kind_is_var(agg->layout.key_kind[i]) && !((entry->nulls >> i) & 1)) {
            move_text(to, evs_entry_key(&agg->layout, entry, i));
        }
    }
    uint8_t *values = evs_entry_values(&agg->layout, entry);
    for (uint32_t i = 0; i < agg->base.config->call_count; i++) {
        evs_agg_move(&agg->base.calls[i], to, values);
    }
}

void evs_agg_compact(struct aggregate *agg, struct agg_window *window)
{
    struct evs_table *table = &window->table;
    if (table->garbage_bytes < COMPACT_BYTES_MIN || table->garbage_bytes < table->arena.used_bytes / 2) {
        return;
    }
    struct evs_arena moved = {0};
    for (uint32_t i = 0; i < table->used; i++) {
        if (evs_table_is_live(table, i)) {
            move_entry(agg, &moved, evs_table_at(table, i));
        }
    }
    evs_arena_fini(&table->arena);
    table->arena = moved;
    table->garbage_bytes = 0;
}
