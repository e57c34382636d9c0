package com.inaccel.coral.bench.support;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A table of text for a terminal: first column to the left, the others to the right, two spaces between. */
public final class TextTable {
    private static final String GAP = "  ";

    private final List<String[]> rows = new ArrayList<>();
    private final int columns;

    public TextTable(String... header) {
        columns = header.length;
        rows.add(header.clone());
    }

    public TextTable row(String... cells) {
        if (cells.length != columns) {
            throw new IllegalArgumentException(
                "row of another width than its table: cells=" + cells.length + ", columns=" + columns);
        }
        rows.add(cells.clone());
        return this;
    }

    @Override
    public String toString() {
        int[] widths = new int[columns];
        for (String[] row : rows) {
            for (int column = 0; column < columns; column++) {
                widths[column] = Math.max(widths[column], row[column].codePointCount(0, row[column].length()));
            }
        }
        StringBuilder text = new StringBuilder();
        append(text, rows.get(0), widths);
        int total = Arrays.stream(widths).sum() + GAP.length() * (columns - 1);
        text.append("-".repeat(total)).append('\n');
        rows.subList(1, rows.size()).forEach(row -> append(text, row, widths));
        return text.toString();
    }

    private static void append(StringBuilder text, String[] row, int[] widths) {
        StringBuilder line = new StringBuilder();
        for (int column = 0; column < row.length; column++) {
            String padding = " ".repeat(widths[column] - row[column].codePointCount(0, row[column].length()));
            line.append(column == 0 ? "" : GAP)
                .append(column == 0 ? row[column] + padding : padding + row[column]);
        }
        text.append(line.toString().stripTrailing()).append('\n');
    }
}
