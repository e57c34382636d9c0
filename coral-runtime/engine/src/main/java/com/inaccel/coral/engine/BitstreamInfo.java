package com.inaccel.coral.engine;

import java.util.List;
import java.util.Set;

/**
 * A bitstream that was found, usable or not.
 *
 * @param manifest its file, or {@code built-in:} and a resource
 * @param bitstreamId empty when the manifest could not be read, as are the next two
 * @param platform {@code vendor/name}; {@code *} stands for any
 * @param accelerators full names
 * @param sha256 of its record, and so of all its files
 * @param signedBy the trusted key, by its file's name; empty where none signed
 * @param visibleTo names of allocations; empty: all
 * @param problem why it is not used; empty when it is
 */
public record BitstreamInfo(
        String manifest,
        String bitstreamId,
        String version,
        String platform,
        List<String> accelerators,
        String sha256,
        String signedBy,
        Set<String> visibleTo,
        String problem) {

    public BitstreamInfo {
        accelerators = List.copyOf(accelerators);
        visibleTo = Set.copyOf(visibleTo);
    }

    public boolean isUsed() {
        return problem.isEmpty();
    }
}
