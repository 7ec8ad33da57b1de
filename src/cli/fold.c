// SPDX-License-Identifier: BSD-3-Clause
#include "cli/fold.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

enum { LEAST = 40, MOST = 100 };

int pr_cli_help_columns(void)
{
    int columns = pr_cli_columns();
    return columns < LEAST ? LEAST : columns > MOST ? MOST : columns;
}

/* Where a line's text begins. */
static int indent_of(const char *line, int n, int columns)
{
    int blanks = (int)strspn(line, " ");
    for (int i = blanks; i + 2 < n; i++)
        if (line[i] == ' ' && line[i + 1] == ' ') {
            int text = i + (int)strspn(line + i, " ");
            return text < n && text <= columns / 2 ? text : blanks + 2;
        }
    return blanks;
}

/* Characters that begin in n bytes: what a word takes of a line, but for wide ones, of which help has none. */
static int width_of(const char *text, int n)
{
    int width = 0;
    for (int i = 0; i < n; i++)
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

static void put_line(const char *line, int n, int columns)
{
    int indent = indent_of(line, n, columns), at = 0;
    for (int i = 0; i < n;) {
        int blanks = (int)strspn(line + i, " "), word = (int)strcspn(line + i + blanks, " \n");
        blanks = blanks < n - i ? blanks : n - i;
        word = word < n - i - blanks ? word : n - i - blanks;
        int width = width_of(line + i + blanks, word);
        if (at > indent && at + blanks + width > columns) {
            printf("\n%*s", indent, "");
            at = indent;
        } else {
            printf("%*s", blanks, "");
            at += blanks;
        }
        printf("%.*s", word, line + i + blanks);
        at += width;
        i += blanks + word;
    }
    putchar('\n');
}

void pr_cli_put_folded(const char *text, int columns)
{
    while (*text) {
        int n = (int)strcspn(text, "\n");
        put_line(text, n, columns);
        text += n + (text[n] == '\n');
    }
}
