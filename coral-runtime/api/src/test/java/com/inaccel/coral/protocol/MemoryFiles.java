package com.inaccel.coral.protocol;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Counts this process's descriptors of memory files; of all descriptors would be fragile, for class loaders open archives. */
final class MemoryFiles {
    private MemoryFiles() { }

    static long open() {
        try (var entries = Files.list(Path.of("/proc/self/fd"))) {
            return entries.filter(MemoryFiles::isMemoryFile).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isMemoryFile(Path entry) {
        try {
            return Files.readSymbolicLink(entry).toString().startsWith("/memfd:");
        } catch (IOException e) {
            return false; // closed since it was listed
        }
    }
}
