package com.inaccel.coral.engine;

import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/** What somebody may have meant. */
public final class Spelling {
    private Spelling() { }

    /** The candidate that takes the fewest changes; empty without candidates. */
    public static Optional<String> nearest(String word, Collection<String> candidates) {
        return candidates.stream().min(Comparator.comparingInt(candidate -> distance(word, candidate)));
    }

    /** Levenshtein's: letters to insert, delete or replace. */
    static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        Arrays.setAll(row, j -> j);
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }
}
