package com.inaccel.coral.bench.support;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** A temporary directory that goes, with all that is in it, when it is closed or the JVM is told to end. */
public final class Scratch implements AutoCloseable {
    private final Path directory;
    private final Thread hook;

    private Scratch(Path directory) {
        this.directory = directory;
        this.hook = new Thread(() -> delete(directory), "scratch-cleanup");
    }

    public static Scratch create(String prefix) throws IOException {
        Scratch scratch = new Scratch(Files.createTempDirectory(prefix));
        Runtime.getRuntime().addShutdownHook(scratch.hook);
        return scratch;
    }

    public Path directory() {
        return directory;
    }

    public Path resolve(String name) {
        return directory.resolve(name);
    }

    @Override
    public void close() {
        delete(directory);
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException shuttingDown) {
            // The hook runs by itself then, and finds nothing left.
        }
    }

    /** Tolerates that others delete the same tree: Spark has shutdown hooks of its own. */
    private static void delete(Path path) {
        try {
            if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                try (DirectoryStream<Path> children = Files.newDirectoryStream(path)) {
                    children.forEach(Scratch::delete);
                }
            }
            Files.deleteIfExists(path);
        } catch (NoSuchFileException gone) {
            // That is what was wanted.
        } catch (IOException failure) {
            throw new UncheckedIOException("cannot delete temporary files: path=" + path, failure);
        }
    }
}
