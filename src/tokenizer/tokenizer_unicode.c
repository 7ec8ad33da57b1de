// SPDX-License-Identifier: BSD-3-Clause
#include "tokenizer/tokenizer_internal.h"

#include <string.h>
#include <utf8proc.h>

const uint8_t pr_tok_ascii_class[128] = {
    ['\t'] = PR_TOK_S,
    ['\n'] = PR_TOK_S | PR_TOK_CRLF,
    [0x0B] = PR_TOK_S,
    [0x0C] = PR_TOK_S,
    ['\r'] = PR_TOK_S | PR_TOK_CRLF,
    [' '] = PR_TOK_S,
    ['!' ... '/'] = PR_TOK_PUNCT,
    ['0' ... '9'] = PR_TOK_N | PR_TOK_W,
    [':' ... '@'] = PR_TOK_PUNCT,
    ['A' ... 'Z'] = PR_TOK_L | PR_TOK_W,
    ['[' ... '^'] = PR_TOK_PUNCT,
    ['_'] = PR_TOK_PUNCT | PR_TOK_W,
    ['`'] = PR_TOK_PUNCT,
    ['a' ... 'z'] = PR_TOK_L | PR_TOK_W,
    ['{' ... '~'] = PR_TOK_PUNCT,
};

/* Characters of Unicode 15.1 and 16.0, which Oniguruma and Rust know and utf8proc may not yet. */
static const struct {
    uint32_t first, last;
    uint8_t classes;
} newer[] = {
    {0x897, 0x897, PR_TOK_W},
    {0x1C89, 0x1C8A, PR_TOK_L | PR_TOK_W},
    {0xA7CB, 0xA7CD, PR_TOK_L | PR_TOK_W},
    {0xA7DA, 0xA7DC, PR_TOK_L | PR_TOK_W},
    {0x105C0, 0x105F3, PR_TOK_L | PR_TOK_W},
    {0x10D40, 0x10D49, PR_TOK_N | PR_TOK_W},
    {0x10D4A, 0x10D65, PR_TOK_L | PR_TOK_W},
    {0x10D69, 0x10D6D, PR_TOK_W},
    {0x10D6F, 0x10D85, PR_TOK_L | PR_TOK_W},
    {0x10EC2, 0x10EC4, PR_TOK_L | PR_TOK_W},
    {0x10EFC, 0x10EFC, PR_TOK_W},
    {0x11380, 0x11389, PR_TOK_L | PR_TOK_W},
    {0x1138B, 0x1138B, PR_TOK_L | PR_TOK_W},
    {0x1138E, 0x1138E, PR_TOK_L | PR_TOK_W},
    {0x11390, 0x113B5, PR_TOK_L | PR_TOK_W},
    {0x113B7, 0x113B7, PR_TOK_L | PR_TOK_W},
    {0x113B8, 0x113C0, PR_TOK_W},
    {0x113C2, 0x113C2, PR_TOK_W},
    {0x113C5, 0x113C5, PR_TOK_W},
    {0x113C7, 0x113CA, PR_TOK_W},
    {0x113CC, 0x113D0, PR_TOK_W},
    {0x113D1, 0x113D1, PR_TOK_L | PR_TOK_W},
    {0x113D2, 0x113D2, PR_TOK_W},
    {0x113D3, 0x113D3, PR_TOK_L | PR_TOK_W},
    {0x113E1, 0x113E2, PR_TOK_W},
    {0x116D0, 0x116E3, PR_TOK_N | PR_TOK_W},
    {0x11BC0, 0x11BE0, PR_TOK_L | PR_TOK_W},
    {0x11BF0, 0x11BF9, PR_TOK_N | PR_TOK_W},
    {0x11F5A, 0x11F5A, PR_TOK_W},
    {0x13460, 0x143FA, PR_TOK_L | PR_TOK_W},
    {0x16100, 0x1611D, PR_TOK_L | PR_TOK_W},
    {0x1611E, 0x1612F, PR_TOK_W},
    {0x16130, 0x16139, PR_TOK_N | PR_TOK_W},
    {0x16D40, 0x16D6C, PR_TOK_L | PR_TOK_W},
    {0x16D70, 0x16D79, PR_TOK_N | PR_TOK_W},
    {0x18CFF, 0x18CFF, PR_TOK_L | PR_TOK_W},
    {0x1CCF0, 0x1CCF9, PR_TOK_N | PR_TOK_W},
    {0x1E5D0, 0x1E5ED, PR_TOK_L | PR_TOK_W},
    {0x1E5EE, 0x1E5EF, PR_TOK_W},
    {0x1E5F0, 0x1E5F0, PR_TOK_L | PR_TOK_W},
    {0x1E5F1, 0x1E5FA, PR_TOK_N | PR_TOK_W},
    {0x2EBF0, 0x2EE5D, PR_TOK_L | PR_TOK_W},
};

static unsigned newer_class(uint32_t c)
{
    for (size_t i = 0; i < sizeof newer / sizeof *newer && newer[i].first <= c; i++)
        if (c <= newer[i].last)
            return newer[i].classes;
    return 0;
}

static bool is_space(uint32_t c)
{
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* The word characters that are neither letters, marks, numbers nor connectors: joiners and letter-like symbols. */
static bool is_other_word(uint32_t c)
{
    return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

unsigned pr_tok_class_beyond_ascii(uint32_t c)
{
    if (is_space(c))
        return PR_TOK_S;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return PR_TOK_L | PR_TOK_W;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
        return PR_TOK_N | PR_TOK_W;
    case UTF8PROC_CATEGORY_NO:
        return PR_TOK_N;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return PR_TOK_W;
    case UTF8PROC_CATEGORY_PC:
        return PR_TOK_PUNCT | PR_TOK_W;
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return PR_TOK_PUNCT;
    case UTF8PROC_CATEGORY_CN:
        return newer_class(c);
    default:
        return is_other_word(c) ? PR_TOK_W : 0;
    }
}

/* How many bytes at p make a valid character (positive), or the length of the maximal invalid part (negative). */
static int char_at(const unsigned char *p, size_t n)
{
    unsigned char c = p[0], low = 0x80, high = 0xBF;
    if (c < 0x80)
        return 1;
    int len = c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    if (!len)
        return -1;
    if (c == 0xE0)
        low = 0xA0; // no overlong forms
    if (c == 0xED)
        high = 0x9F; // no surrogates
    if (c == 0xF0)
        low = 0x90;
    if (c == 0xF4)
        high = 0x8F; // nothing beyond U+10FFFF
    for (int k = 1; k < len; k++, low = 0x80, high = 0xBF)
        if ((size_t)k >= n || p[k] < low || p[k] > high)
            return -k;
    return len;
}

size_t pr_tok_utf8_valid(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (!(s[i] & 0x80)) {
            i++;
            continue;
        }
        int len = char_at((const unsigned char *)s + i, n - i);
        if (len < 0)
            break;
        i += (size_t)len;
    }
    return i;
}

void pr_tok_add_lossy(pr_buf_t *out, const char *s, size_t n)
{
    for (;;) {
        size_t good = pr_tok_utf8_valid(s, n);
        pr_buf_add(out, s, good);
        if (good == n)
            return;
        int bad = -char_at((const unsigned char *)s + good, n - good);
        pr_buf_add(out, "\xEF\xBF\xBD", 3);
        s += good + (size_t)bad;
        n -= good + (size_t)bad;
    }
}

void pr_tok_add_char(pr_buf_t *out, uint32_t c)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    pr_buf_add(out, bytes, n > 0 ? (size_t)n : 0);
}

static bool printable(unsigned char b)
{
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
}

/* The bytes without a printable character of their own are numbered in order from U+0100: 0-32, 127-160, 173. */
uint32_t pr_tok_char_of_byte(unsigned char byte)
{
    if (printable(byte))
        return byte;
    return byte <= 0x20 ? 0x100u + byte : byte <= 0xA0 ? 0x121u + byte - 0x7F : 0x143u;
}

int pr_tok_byte_of_char(uint32_t c)
{
    if (c < 0x100)
        return printable((unsigned char)c) ? (int)c : -1;
    if (c <= 0x120)
        return (int)(c - 0x100);
    if (c <= 0x142)
        return (int)(c - 0x121 + 0x7F);
    return c == 0x143 ? 0xAD : -1;
}

void pr_tok_add_byte_level(pr_buf_t *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pr_tok_add_char(out, pr_tok_char_of_byte((unsigned char)s[i]));
}
