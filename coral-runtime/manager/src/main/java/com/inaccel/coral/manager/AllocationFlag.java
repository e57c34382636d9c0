package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Allocation;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An allocation as it is written on the command line: {@code NAME[,share=N][,quota=SIZE]}. */
final class AllocationFlag {
    private static final Pattern QUOTA = Pattern.compile("(\\d{1,15})(%|[KMGT]?B)");
    private static final String UNITS = "BKMGT";

    private AllocationFlag() { }

    /** @param limitBytes of all shared memory: an allocation without a quota gets an equal part of it, as does the node */
    static List<Allocation> parse(List<String> flags, long limitBytes) {
        long equalPart = limitBytes / (flags.size() + 1);
        return flags.stream().map(flag -> parse(flag, limitBytes, equalPart)).toList();
    }

    private static Allocation parse(String flag, long limitBytes, long quotaBytes) {
        String[] parts = flag.split(",", -1);
        int share = 1;
        for (int i = 1; i < parts.length; i++) {
            String[] property = parts[i].split("=", 2);
            String value = property.length == 2 ? property[1].trim() : "";
            switch (property[0].trim()) {
                case "share" -> share = share(flag, value);
                case "quota" -> quotaBytes = quota(flag, value, limitBytes);
                default -> throw invalid(flag, parts[i]);
            }
        }
        return new Allocation(parts[0].trim(), quotaBytes, share);
    }

    private static int share(String flag, String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw invalid(flag, "share=" + value);
        }
    }

    private static long quota(String flag, String value, long limitBytes) {
        Matcher size = QUOTA.matcher(value.toUpperCase(Locale.ROOT));
        if (!size.matches()) {
            throw invalid(flag, "quota=" + value);
        }
        long number = Long.parseLong(size.group(1));
        if (size.group(2).equals("%")) {
            return number > 100 ? Long.MAX_VALUE : limitBytes / 100 * number;
        }
        int shift = 10 * UNITS.indexOf(size.group(2).charAt(0));
        return number > Long.MAX_VALUE >> shift ? Long.MAX_VALUE : number << shift;
    }

    private static CoralException invalid(String flag, String part) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, "not an allocation: flag=" + flag + ", part=" + part
            + "; write NAME[,share=N][,quota=SIZE], a size like 64MB or 25% of coral.memory.limit");
    }
}
