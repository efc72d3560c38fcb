#include "type_name.h"

/* Sorted by the first name. Segment's e-commerce events (version 2) and those of Google Analytics 4. */
static const struct {
    const char *from, *to;
} names[] = {
    {"add_payment_info", "payment_info"},
    {"begin_checkout", "checkout"},
    {"cart_shared", "cart_share"},
    {"cart_viewed", "cart_view"},
    {"checkout_started", "checkout"},
    {"checkout_step_completed", "checkout_step_complete"},
    {"checkout_step_viewed", "checkout_step_view"},
    {"coupon_applied", "coupon_apply"},
    {"coupon_denied", "coupon_deny"},
    {"coupon_entered", "coupon_enter"},
    {"coupon_removed", "coupon_remove"},
    {"order_cancelled", "order_cancel"},
    {"order_completed", "purchase"},
    {"order_refunded", "refund"},
    {"order_updated", "order_update"},
    {"payment_info_entered", "payment_info"},
    {"product_added", "add_to_cart"},
    {"product_added_to_wishlist", "add_to_wishlist"},
    {"product_clicked", "product_click"},
    {"product_list_filtered", "product_list_filter"},
    {"product_list_viewed", "product_list_view"},
    {"product_removed", "remove_from_cart"},
    {"product_removed_from_wishlist", "remove_from_wishlist"},
    {"product_reviewed", "review"},
    {"product_shared", "share"},
    {"product_viewed", "product_view"},
    {"products_searched", "search"},
    {"promotion_clicked", "promotion_click"},
    {"promotion_viewed", "promotion_view"},
    {"select_item", "product_click"},
    {"select_promotion", "promotion_click"},
    {"view_cart", "cart_view"},
    {"view_item", "product_view"},
    {"view_item_list", "product_list_view"},
    {"view_promotion", "promotion_view"},
    {"wishlist_product_added_to_cart", "add_to_cart"},
};

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A capital begins a word behind a small letter or a digit (addTo), and before a small letter when capitals stand in front
 * of it (HTTPRequest). */
static bool begins_word(struct evs_slice name, size_t i)
{
    if (i == 0 || !is_upper(name.data[i])) {
        return false;
    }
    char before = name.data[i - 1], behind = i + 1 < name.count ? name.data[i + 1] : 0;
    return is_lower_or_digit(before) || (is_upper(before) && behind >= 'a' && behind <= 'z');
}

struct evs_slice evs_snake_name(struct evs_arena *arena, struct evs_slice name)
{
    char *out = evs_arena_alloc(arena, 2 * name.count + 1, 1);
    size_t count = 0;
    bool apart = false;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.data[i];
        if (!is_upper(c) && !is_lower_or_digit(c) && (unsigned char)c < 0x80) {
            apart = true;
            continue;
        }
        if ((apart || begins_word(name, i)) && count > 0) {
            out[count++] = '_';
        }
        apart = false;
        out[count++] = is_upper(c) ? (char)(c + ('a' - 'A')) : c;
    }
    return (struct evs_slice){out, count};
}

struct evs_slice evs_shop_name(struct evs_slice name)
{
    size_t low = 0, high = EVS_COUNT(names);
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct evs_slice from = evs_slice_of(names[middle].from);
        size_t shorter = from.count < name.count ? from.count : name.count;
        int order = memcmp(name.data, from.data, shorter);
        order = order != 0 ? order : (name.count > from.count) - (name.count < from.count);
        if (order == 0) {
            return evs_slice_of(names[middle].to);
        }
        *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
    }
    return name;
}

bool evs_shop_name_at(uint32_t index, const char **from, const char **to)
{
    if (index >= EVS_COUNT(names)) {
        return false;
    }
    *from = names[index].from;
    *to = names[index].to;
    return true;
}
