package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A directory that bitstreams are installed into, each at {@code ID/VERSION/SHA256}, where the last is the head of the
 * record's hash. Readers need no lock: whatever has a name that is not hidden is complete.
 *
 * <p>Everything is written into a hidden directory, made durable, and moved to its name in one step; removing moves it back
 * to a hidden name first. Whoever dies in between leaves hidden directories, which the next writer sweeps away. Writers
 * exclude each other by a lock that the kernel releases with its process.
 */
final class BitstreamRepository {
    private static final Logger LOG = LoggerFactory.getLogger(BitstreamRepository.class);
    private static final String LOCK_NAME = ".lock";
    private static final String INSTALLING = ".installing-";
    private static final String REMOVING = ".removing-";
    private static final int HASH_DIGITS = 16;
    /** A file lock does not exclude threads of the same process. */
    private static final Object WRITER = new Object();

    private final Path root;
    private final Consumer<String> step;

    BitstreamRepository(Path root) {
        this(root, name -> { });
    }

    /** @param step is told what has just been done */
    BitstreamRepository(Path root, Consumer<String> step) {
        this.root = root;
        this.step = step;
    }

    private interface Work<T> {
        T run() throws IOException;
    }

    /**
     * Installing what is there already changes nothing.
     *
     * @param record the bytes to keep as the record
     * @param check refuses what must not be installed; nobody else writes meanwhile
     * @return where it is
     */
    Path install(BitstreamDirectory source, byte[] record, byte[] signatures, Runnable check) {
        Path target = root.resolve(source.bitstream().bitstreamId()).resolve(source.bitstream().version().text())
            .resolve(BitstreamRecord.sha256(record).substring(0, HASH_DIGITS));
        if (Files.exists(root.resolve(Manifest.FILE_NAME))) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not a repository but a bitstream: repository=" + root
                + "; choose another directory");
        }
        return exclusively(() -> {
            if (Files.exists(target)) {
                return target;
            }
            check.run();
            Path temporary = Files.createTempDirectory(root, INSTALLING,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
            try {
                step.accept("created");
                write(temporary, source.files());
                step.accept("copied");
                write(temporary, Map.of(BitstreamRecord.FILE_NAME, record));
                if (signatures.length > 0) {
                    write(temporary, Map.of(Signatures.FILE_NAME, signatures));
                }
                sync(temporary);
                step.accept("recorded");
                Files.createDirectories(target.getParent());
                sync(target.getParent().getParent());
                sync(root);
                step.accept("prepared");
                Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
                step.accept("moved");
            } catch (IOException | RuntimeException | Error e) {
                deleteQuietly(temporary);
                throw e;
            }
            sync(target.getParent());
            step.accept("installed");
            return target;
        });
    }

    /**
     * Removes one version, or all.
     *
     * @throws CoralException INVALID_ARGUMENT when there is none
     */
    void remove(String bitstreamId, Optional<String> version) {
        Manifest.requireId("bitstreamId", bitstreamId);
        Path home = root.resolve(bitstreamId);
        version.ifPresent(text -> Manifest.requireId("version", text));
        exclusively(() -> {
            Path target = version.map(home::resolve).orElse(home);
            if (!isInstalled(target, version.isEmpty() ? 2 : 1)) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not installed here: repository=" + root
                    + ", bitstreamId=" + bitstreamId + version.map(text -> ", version=" + text).orElse("")
                    + ", installed=" + visibleIn(version.isEmpty() ? root : home)
                    + "; name one that `coral bitstream list` shows in this repository");
            }
            Path hidden = root.resolve(REMOVING + UUID.randomUUID());
            Files.move(target, hidden, StandardCopyOption.ATOMIC_MOVE);
            step.accept("moved");
            sync(target.getParent());
            sync(root);
            deleteTree(hidden);
            step.accept("deleted");
            try {
                Files.deleteIfExists(home);
            } catch (DirectoryNotEmptyException e) {
                LOG.debug("other versions are left: bitstreamId={}", bitstreamId);
            }
            return null;
        });
    }

    /** Deletes what writers that died have left, unless somebody is writing, or this process may not. */
    void sweep() {
        if (!Files.isWritable(root) || !Files.exists(root.resolve(LOCK_NAME))) {
            return;
        }
        synchronized (WRITER) {
            try (FileChannel channel = FileChannel.open(root.resolve(LOCK_NAME), StandardOpenOption.WRITE);
                    FileLock lock = channel.tryLock()) {
                if (lock != null) {
                    sweepLocked();
                }
            } catch (IOException e) {
                LOG.warn("leftovers of interrupted installations cannot be removed: repository={}", root, e);
            }
        }
    }

    private <T> T exclusively(Work<T> work) {
        synchronized (WRITER) {
            try {
                Files.createDirectories(root);
                try (FileChannel channel = FileChannel.open(root.resolve(LOCK_NAME), StandardOpenOption.CREATE,
                        StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS); FileLock lock = channel.lock()) {
                    LOG.debug("locked: repository={}, lock={}", root, lock);
                    sweepLocked();
                    return work.run();
                }
            } catch (IOException e) {
                throw new CoralException(ErrorCode.INVALID_ARGUMENT, "repository cannot be written: repository=" + root
                    + ", problem=" + e + "; make it writable, free some space, or choose another with --repository", e);
            }
        }
    }

    private void sweepLocked() throws IOException {
        try (Stream<Path> children = Files.list(root)) {
            List<Path> leftovers = children.filter(child -> {
                String name = child.getFileName().toString();
                return name.startsWith(INSTALLING) || name.startsWith(REMOVING);
            }).toList();
            for (Path leftover : leftovers) {
                LOG.info("removing what an interrupted installation left: path={}", leftover);
                deleteTree(leftover);
            }
        }
    }

    /** Nothing else may be removed, whatever somebody keeps in the directory. */
    private static boolean isInstalled(Path directory, int depth) throws IOException {
        if (!Files.isDirectory(directory, LinkOption.NOFOLLOW_LINKS)) {
            return false;
        }
        if (depth == 0) {
            return Files.exists(directory.resolve(BitstreamRecord.FILE_NAME));
        }
        try (Stream<Path> children = Files.list(directory)) {
            for (Path child : children.toList()) {
                if (!isInstalled(child, depth - 1)) {
                    return false;
                }
            }
        }
        return true;
    }

    private static List<String> visibleIn(Path directory) {
        try (Stream<Path> children = Files.list(directory)) {
            return children.map(child -> child.getFileName().toString()).filter(name -> !name.startsWith(".")).sorted()
                .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    private static void write(Path directory, Map<String, byte[]> files) throws IOException {
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            try (FileChannel channel = FileChannel.open(directory.resolve(file.getKey()), StandardOpenOption.CREATE_NEW,
                    StandardOpenOption.WRITE)) {
                ByteBuffer content = ByteBuffer.wrap(file.getValue());
                while (content.hasRemaining()) {
                    channel.write(content);
                }
                channel.force(true);
            }
        }
    }

    /** Makes durable which names a directory has. */
    private static void sync(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    private static void deleteQuietly(Path directory) {
        try {
            deleteTree(directory);
        } catch (IOException e) {
            LOG.warn("leftover of a failed installation stays until the next: path={}", directory, e);
        }
    }

    private static void deleteTree(Path directory) throws IOException {
        try {
            Files.walkFileTree(directory, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.delete(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path visited, IOException problem) throws IOException {
                    if (problem != null) {
                        throw problem;
                    }
                    Files.delete(visited);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (NoSuchFileException e) {
            LOG.debug("gone already: path={}", directory);
        }
    }
}
