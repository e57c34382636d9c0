package com.inaccel.coral.bench.support;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A temporary directory that goes, with all that is in it, when it is closed or the JVM is told to end.
 *
 * <p>A JVM that crashed or was killed leaves its directories: the next one that makes a directory with the same prefix
 * deletes them. It tells them by a file in each that their owner keeps locked for as long as it lives, and which the
 * operating system unlocks.
 */
public final class Scratch implements AutoCloseable {
    private static final String LOCK = ".lock";
    /** A lock file before it is locked, which nobody looks for. */
    private static final String UNLOCKED = ".unlocked";
    /**
     * This JVM's own. They must not be tried: the system knows locks by process, and would drop those of this one with the
     * first channel that is closed.
     */
    private static final Set<Path> OWN = ConcurrentHashMap.newKeySet();

    private final Path directory;
    private final FileChannel locked;
    private final Thread hook;

    private Scratch(Path directory, FileChannel locked) {
        this.directory = directory;
        this.locked = locked;
        this.hook = new Thread(() -> delete(directory), "scratch-cleanup");
    }

    /** Made under the system's directory for temporary files; left-over ones with this prefix go. */
    public static Scratch create(String prefix) throws IOException {
        return create(Path.of(System.getProperty("java.io.tmpdir")), prefix);
    }

    static Scratch create(Path parent, String prefix) throws IOException {
        Path directory = Files.createTempDirectory(parent, prefix);
        OWN.add(directory);
        Scratch scratch = new Scratch(directory, lock(directory));
        Runtime.getRuntime().addShutdownHook(scratch.hook);
        try (DirectoryStream<Path> candidates = Files.newDirectoryStream(parent, prefix + "*")) {
            candidates.forEach(candidate -> deleteIfLeftOver(directory, candidate));
        }
        return scratch;
    }

    /** Held until the channel is closed. Locked before it has its name: a file of that name is locked, or left over. */
    private static FileChannel lock(Path directory) throws IOException {
        Path file = directory.resolve(UNLOCKED);
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        try {
            channel.lock();
            Files.move(file, directory.resolve(LOCK));
            return channel;
        } catch (IOException failure) {
            channel.close();
            throw failure;
        }
    }

    /** Touches only what belongs to the user who owns {@code own}, and what nobody holds. */
    private static void deleteIfLeftOver(Path own, Path candidate) {
        if (OWN.contains(candidate)) {
            return;
        }
        try {
            if (!Files.getOwner(own).equals(Files.getOwner(candidate, LinkOption.NOFOLLOW_LINKS))
                    || Files.isSymbolicLink(candidate)) {
                return;
            }
            try (FileChannel channel = FileChannel.open(candidate.resolve(LOCK), StandardOpenOption.WRITE,
                    LinkOption.NOFOLLOW_LINKS);
                    FileLock lock = channel.tryLock()) {
                if (lock != null) {
                    delete(candidate);
                }
            }
        } catch (IOException | UncheckedIOException notOurs) {
            // Without such a file it is none of these directories; or its owner, or somebody else, is just deleting it.
        }
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
        OWN.remove(directory);
        try {
            locked.close();
        } catch (IOException failure) {
            throw new UncheckedIOException("cannot let go of temporary files: path=" + directory, failure);
        }
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
