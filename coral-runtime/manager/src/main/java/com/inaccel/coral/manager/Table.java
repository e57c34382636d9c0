package com.inaccel.coral.manager;

import static java.util.stream.Collectors.joining;

import java.io.PrintWriter;
import java.util.List;
import java.util.stream.IntStream;

/** Rows of text below each other, for a terminal. */
final class Table {
    private Table() { }

    /** @param rows of equal length, the headings first */
    static void print(PrintWriter out, List<List<String>> rows) {
        int[] widths = IntStream.range(0, rows.get(0).size())
            .map(column -> rows.stream().mapToInt(row -> row.get(column).length()).max().orElse(0)).toArray();
        for (List<String> row : rows) {
            out.println(IntStream.range(0, widths.length)
                .mapToObj(column -> row.get(column) + " ".repeat(widths[column] - row.get(column).length()))
                .collect(joining("  ")).stripTrailing());
        }
    }
}
