/* The net family, URLs, robots, referrers, masks. */
#include <stdio.h>

#include "expr_case.h"

/* --- hosts and domains: three functions of one URL ---------------------------------------------------------------- */

struct url_case {
    const char *url, *host, *domain, *suffix;
};
static const struct url_case urls[] = {
    {"", "NULL", "NULL", "NULL"},
    {" ", "NULL", "NULL", "NULL"},
    {".", "NULL", "NULL", "NULL"},
    {"com", "com", "NULL", "com"},
    {".com", "com", "NULL", "com"},
    {"com.", "com.", "NULL", "com."},
    {"under_score", "under_score", "NULL", "NULL"},
    {"Shop.COM", "Shop.COM", "Shop.COM", "COM"},
    {"Shop..COM", "Shop..COM", "NULL", "NULL"},
    {"shop.com:8080", "shop.com", "shop.com", "com"},
    {"shop.com:", "shop.com", "shop.com", "com"},
    {"ann:secret@shop.com:8080", "shop.com", "shop.com", "com"},
    {"[2001:db8::1]:80", "[2001:db8::1]", "NULL", "NULL"},
    {"[2001:db8/1]", "[2001:db8", "NULL", "NULL"},
    {"/cart.com", "NULL", "NULL", "NULL"},
    {":/cart.com", "NULL", "NULL", "NULL"},
    {":shop.com", "NULL", "NULL", "NULL"},
    {"//", "NULL", "NULL", "NULL"},
    {"//shop.com//x", "shop.com", "shop.com", "com"},
    {"///shop.com", "NULL", "NULL", "NULL"},
    {"//:shop.com", "NULL", "NULL", "NULL"},
    {"://www.shop.com", "www.shop.com", "shop.com", "com"},
    {"http://", "NULL", "NULL", "NULL"},
    {"http://shop.com..", "shop.com.", "shop.com.", "com."},
    {"http://..shop.com", "shop.com", "shop.com", "com"},
    {"  http://www.shop.com  ", "www.shop.com", "shop.com", "com"},
    {"http://www.Shop.Co.uk/x", "www.Shop.Co.uk", "Shop.Co.uk", "Co.uk"},
    {"http:\\\\\\\\shop.com\\\\x", "shop.com", "shop.com", "com"},
    {"http://shop.com?x=a@b.de", "shop.com", "shop.com", "com"},
    {"http://shop.com#x@b.de", "shop.com", "shop.com", "com"},
    {"http://u:p:q@www.sh@op.com", "op.com", "op.com", "com"},
    {"@://u:p@www.sh@op.com", "op.com", "op.com", "com"},
    {"http://x@[[2001:db8::1]]", "[[2001", "NULL", "NULL"},
    {"http://1.2.3.4", "1.2.3.4", "NULL", "NULL"},
    {"http://a.b", "a.b", "NULL", "NULL"},
    {"http://s3.amazonaws.com", "s3.amazonaws.com", "amazonaws.com", "com"}, /* a private suffix is none */
    {"http://foo.bar.kh", "foo.bar.kh", "foo.bar.kh", "bar.kh"},             /* the rule *.kh */
    {"http://www.ck", "www.ck", "www.ck", "ck"},                             /* an exception of *.ck */
    {"http://caf\xc3\xa9.fr", "caf\xc3\xa9.fr", "caf\xc3\xa9.fr", "fr"},
    {"http://x.\xe5\x8d\xb7.\xe4\xb8\xad\xe5\x9b\xbd", "x.\xe5\x8d\xb7.\xe4\xb8\xad\xe5\x9b\xbd",
     "\xe5\x8d\xb7.\xe4\xb8\xad\xe5\x9b\xbd", "\xe4\xb8\xad\xe5\x9b\xbd"},
    {"http://x.\xe5\x8d\xb7.xn--fiqs8s", "x.\xe5\x8d\xb7.xn--fiqs8s", "\xe5\x8d\xb7.xn--fiqs8s", "xn--fiqs8s"},
    {"http://x\\x00y.com", "x\x01y.com", "x\x01y.com", "com"}, /* NUL, shown as 1 below */
    {"mailto:a@foo.com,b@bar.com", "bar.com", "bar.com", "com"},
    {"mailto:?to=&subject=", "mailto", "NULL", "NULL"},
    {"android-app://com.google.android.gm/", "com.google.android.gm", "android.gm", "gm"},
};

static void check_url(const char *function, const char *url, const char *wanted)
{
    char text[256];
    snprintf(text, sizeof text, "translate(net.%s('%s'), chr(0), chr(1))", function, url);
    const char *found = result_of(&example_arena, text);
    ck_assert_msg(strcmp(found, wanted) == 0, "%s gave %s and not %s", text, found, wanted);
}

START_TEST(test_urls)
{
    const struct url_case *url = &urls[_i];
    check_url("host", url->url, url->host);
    check_url("reg_domain", url->url, url->domain);
    check_url("public_suffix", url->url, url->suffix);
}
END_TEST

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static const struct example addresses[] = {
    {"to_hex(net.ip_from_string('64.0.66.67'))", "40004243"},
    {"to_hex(net.ip_from_string('::ffff:64.65.66.67'))", "00000000000000000000ffff40414243"},
    {"net.ip_from_string('64.65.66.67 ')", "error: R0104"},
    {"net.ip_from_string('256.0.0.1')", "error: R0104"},
    {"net.ip_from_string('180332553')", "error: R0104"},
    {"net.ip_from_string('::1\\x00')", "error: R0104"},
    {"net.ip_from_string(null)", "NULL"},
    {"net.safe_ip_from_string('::1\\x00')", "NULL"},
    {"net.safe_ip_from_string('')", "NULL"},
    {"net.ip_to_string(net.ip_from_string('2001:DB8:0:0:0:0:0:1'))", "2001:db8::1"},
    {"net.ip_to_string(b'@ABC')", "64.65.66.67"},
    {"net.ip_to_string(b'foo')", "error: R0104"},
    {"to_hex(net.ip_net_mask(4, 17))", "ffff8000"},
    {"to_hex(net.ip_net_mask(4, 0))", "00000000"},
    {"to_hex(net.ip_net_mask(16, 100))", "fffffffffffffffffffffffff0000000"},
    {"net.ip_net_mask(5, 0)", "error: R0104"},
    {"net.ip_net_mask(4, 33)", "error: R0104"},
    {"net.ip_net_mask(16, -1)", "error: R0104"},
    {"to_hex(net.ip_trunc(from_hex('12345678'), 11))", "12200000"},
    {"to_hex(net.ip_trunc(from_hex('12345678'), 32))", "12345678"},
    {"net.ip_trunc(b'abc', 0)", "error: R0104"},
    {"net.ip_trunc(b'abcd', 33)", "error: R0104"},
    {"net.ip_trunc(b'abcd', null)", "NULL"},
    {"net.ip_in_net('10.1.2.3/28', '10.1.2.0/24')", "true"},
    {"net.ip_in_net('10.1.2.3/24', '10.1.2.0/28')", "false"},
    {"net.ip_in_net('10.1.3.3', '10.1.2.0/24')", "false"},
    {"net.ip_in_net('::1', '0.0.0.0/0')", "false"},
    {"net.ip_in_net('2:1::1/32', '2:1::/24')", "true"},
    {"net.ip_in_net('10.1.2.3/33', '10.0.0.0/8')", "error: R0104"},
    {"net.ip_in_net('10.1.2.3', '10.0.0.0/')", "error: R0104"},
    {"net.ip_in_net('10.1.2.3', '10.0.0.0/+8')", "error: R0104"},
    {"net.make_net('10.1.2.3/24', 8)", "10.0.0.0/8"},
    {"net.make_net('10.1.2.3/8', 24)", "error: R0104"},
    {"net.make_net('::ffff:192.168.1.1', 112)", "::ffff:192.168.0.0/112"},
    {"net.make_net('2::1', 128)", "2::1/128"},
    {"net.make_net('foo', 12)", "error: R0104"},
    {"to_hex(net.ipv4_from_int64(-1))", "ffffffff"},
    {"to_hex(net.ipv4_from_int64(-2147483648))", "80000000"},
    {"net.ipv4_from_int64(-2147483649)", "error: R0104"},
    {"net.ipv4_from_int64(4294967296)", "error: R0104"},
    {"net.ipv4_to_int64(from_hex('ffffffff'))", "4294967295"},
    {"net.ipv4_to_int64(b'abc')", "error: R0104"},
    {"net.parse_ip('1.2.3.4')", "plan: there is no function net.parse_ip: it is deprecated: write "
                                "net.ipv4_to_int64(net.ip_from_string(…))"},
};
EXAMPLES(addresses)

/* --- parameters and paths ----------------------------------------------------------------------------------------- */

static const struct example parts[] = {
    {"url_param('https://s.com/?a=1&b=2', 'b')", "2"},
    {"url_param('https://s.com/?a=1&a=2', 'a')", "1"},
    {"url_param('https://s.com/?a=1', 'A')", "NULL"},
    {"url_param('https://s.com/?a', 'a')", ""},
    {"url_param('https://s.com/?a=', 'a')", ""},
    {"url_param('https://s.com/?=x', '')", "x"},
    {"url_param('https://s.com/?a=b=c', 'a')", "b=c"},
    {"url_param('https://s.com/?x=?a=1', 'x')", "?a=1"},
    {"url_param('https://s.com/#?a=1', 'a')", "NULL"},
    {"url_param('https://s.com/?b=1#a=2&b=3', 'b')", "1"},
    {"url_param('?a=1', 'a')", "1"},
    {"url_param('/cart?a=1', 'a')", "1"},
    {"url_param('s.com', 'a')", "NULL"},
    {"url_param('s.com/?q=red+shoes%21', 'q')", "red shoes!"},
    {"url_param('s.com/?q=100%', 'q')", "100%"},
    {"url_param('s.com/?q=%zz%4', 'q')", "%zz%4"},
    {"url_param('s.com/?q=gr%C3%BCn', 'q')", "gr\xc3\xbcn"},
    {"url_param('s.com/?q=%ff', 'q')", "\xef\xbf\xbd"},
    {"url_param('s.com/?utm%5Fsource=x', 'utm_source')", "x"},
    {"url_param('s.com/?a=a%20text%20longer%20than%20a%20view', 'a')", "a text longer than a view"},
    {"url_param(null, 'a')", "NULL"},
    {"url_path('https://s.com/a/b?c=/d#/e')", "/a/b"},
    {"url_path('https://s.com')", "/"},
    {"url_path('https://s.com?x=1')", "/"},
    {"url_path('s.com/a')", "/a"},
    {"url_path('/a/b')", "/a/b"},
    {"url_path('')", "NULL"},
    {"url_path('https://s.com/gr%C3%BCn')", "/gr%C3%BCn"},
};
EXAMPLES(parts)

/* --- robots ------------------------------------------------------------------------------------------------------- */

#define ROBOT(agent)                                                                                                   \
    {                                                                                                                  \
        "user_agent_is_bot('" agent "')", "true"                                                                       \
    }
#define PERSON(agent)                                                                                                  \
    {                                                                                                                  \
        "user_agent_is_bot('" agent "')", "false"                                                                      \
    }
static const struct example agents[] = {
    ROBOT(""),
    ROBOT("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    ROBOT("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)"),
    ROBOT("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"),
    ROBOT("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 "
          "Safari/537.36"),
    ROBOT("curl/7.88.1"),
    ROBOT("python-requests/2.31.0"),
    ROBOT("Go-http-client/1.1"),
    ROBOT("Bot"),
    ROBOT("UBOT"),
    ROBOT("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)"),
    ROBOT("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)"),
    PERSON("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
           "Safari/537.36"),
    PERSON(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
        "Mobile/15E148 Safari/604.1"),
    PERSON("Mozilla/5.0 (Linux; Android 12; CUBOT X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile "
           "Safari/537.36"),
    PERSON("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"),
    PERSON("okhttp/4.12.0"),
    {"user_agent_is_bot(null)", "NULL"},
};
EXAMPLES(agents)

/* --- referrers ---------------------------------------------------------------------------------------------------- */

#define MEDIUM(referrer, page, medium)                                                                                 \
    {                                                                                                                  \
        "referrer_medium('" referrer "', '" page "')", medium                                                          \
    }
static const struct example referrers[] = {
    {"referrer_medium(null)", "direct"},
    {"referrer_medium(null, null)", "direct"},
    {"referrer_medium('https://www.google.com/', null)", "search"},
    {"referrer_medium('https://www.google.com/')", "search"},
    MEDIUM("", "https://shop.com/", "direct"),
    MEDIUM("nonsense/with?no=host", "https://shop.com/", "referral"),
    MEDIUM("https://blog.shop.com/x", "https://www.shop.com/", "internal"),
    MEDIUM("https://SHOP.co.uk/x", "https://www.shop.CO.UK/", "internal"),
    MEDIUM("https://shop.co.uk/", "https://other.co.uk/", "referral"),
    MEDIUM("http://localhost:8080/a", "http://localhost:8080/b", "internal"),
    MEDIUM("https://google.co.jp", "https://shop.com/", "search"),
    MEDIUM("https://notgoogle.com", "https://shop.com/", "referral"),
    MEDIUM("https://google.com.evil.org", "https://shop.com/", "referral"),
    MEDIUM("https://mail.google.com/mail/u/0", "https://shop.com/", "email"),
    MEDIUM("android-app://com.google.android.gm/", "https://shop.com/", "email"),
    MEDIUM("android-app://com.google.android.googlequicksearchbox/", "https://shop.com/", "search"),
    MEDIUM("https://gemini.google.com/app", "https://shop.com/", "ai"),
    MEDIUM("https://chatgpt.com/", "https://shop.com/", "ai"),
    MEDIUM("https://l.facebook.com/l.php", "https://shop.com/", "social"),
    MEDIUM("https://t.co/abc", "https://shop.com/", "social"),
    MEDIUM("https://at.co/abc", "https://shop.com/", "referral"),
    MEDIUM("https://X.com/abc", "https://shop.com/", "social"),
    MEDIUM("https://netflix.com/abc", "https://shop.com/", "referral"),
    MEDIUM("https://duckduckgo.com", "https://shop.com/", "search"),
    MEDIUM("https://www.google.com/", "https://shop.com/?gclid=1", "paid"),
    MEDIUM("", "https://shop.com/?msclkid=1", "paid"),
    MEDIUM("https://l.facebook.com/", "https://shop.com/?fbclid=1", "social"),
    MEDIUM("https://www.google.com/", "https://shop.com/?utm_medium=CPC", "paid"),
    MEDIUM("", "https://shop.com/?utm_medium=email", "email"),
    MEDIUM("https://shop.com/", "https://shop.com/?utm_medium=newsletter", "email"),
    MEDIUM("https://example.org/", "https://shop.com/?utm_medium=affiliate", "affiliate"),
    MEDIUM("https://www.google.com/", "https://shop.com/?utm_medium=something-else", "search"),
    MEDIUM("https://www.google.com/", "https://shop.com/?utm_medium=organic&gclid=1", "search"),
};
EXAMPLES(referrers)

/* --- privacy ------------------------------------------------------------------------------------------------------ */

static const struct example masks[] = {
    {"ip_truncate('203.0.113.77')", "203.0.113.0"},
    {"ip_truncate('2001:db8:1:2:3:4:5:6')", "2001:db8:1::"},
    {"ip_truncate('::ffff:203.0.113.77')", "::ffff:203.0.113.0"},
    {"ip_truncate('203.0.113.77', 16, 32)", "203.0.0.0"},
    {"ip_truncate('2001:db8:1:2::', 16, 32)", "2001:db8::"},
    {"ip_truncate('203.0.113.77', 0, 0)", "0.0.0.0"},
    {"ip_truncate('203.0.113.77', 33, 48)", "error: R0104"},
    {"ip_truncate('203.0.113.77', 24, -1)", "error: R0104"},
    {"ip_truncate('not an address')", "NULL"},
    {"ip_truncate(null)", "NULL"},
    /* RFC 4231, test cases 1, 2 and 6 */
    {"to_hex(hmac_sha256(b'Hi There', from_hex(repeat('0b', 20))))",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"to_hex(hmac_sha256('what do ya want for nothing?', 'Jefe'))",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"to_hex(hmac_sha256(b'Test Using Larger Than Block-Size Key - Hash Key First', from_hex(repeat('aa', 131))))",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {"to_hex(hmac_sha256('', ''))", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    {"hmac_sha256('x', null)", "NULL"},
    {"mask('12345', 2)", "***45"},
    {"mask('12345', 0)", "*****"},
    {"mask('12345', 9)", "12345"},
    {"mask('gr\xc3\xbcn', 1)", "***n"},
    {"mask('', 3)", ""},
    {"mask('a', -1)", "error: R0104"},
    {"mask_email('b@example.com')", "b***@example.com"},
    {"mask_email('\xc3\xa9milie@x.fr')", "\xc3\xa9***@x.fr"},
    {"mask_email('a@b@c.de')", "a***@c.de"},
    {"mask_email('@c.de')", "***"},
    {"mask_email('no address')", "***"},
    {"mask_email(null)", "NULL"},
};
EXAMPLES(masks)

int main(void)
{
    TCase *tcase = tcase_create("web");
    add_examples(tcase, urls);
    add_examples(tcase, addresses);
    add_examples(tcase, parts);
    add_examples(tcase, agents);
    add_examples(tcase, referrers);
    add_examples(tcase, masks);
    return run_examples("expr_web", tcase);
}
