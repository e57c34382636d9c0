package com.inaccel.coral.manager;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Held by one process at most, until it closes it or dies: the kernel unlocks the file then. */
public final class DirectoryLock implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DirectoryLock.class);

    private final Path file;
    private final FileChannel channel;
    private final Object fileKey;

    private DirectoryLock(Path file, FileChannel channel) throws IOException {
        this.file = file;
        this.channel = channel;
        this.fileKey = fileKey();
    }

    /** Empty when somebody has it. The file is made where it is missing, and stays. */
    public static Optional<DirectoryLock> take(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() != null) {
                return Optional.of(new DirectoryLock(file, channel));
            }
        } catch (OverlappingFileLockException e) {
            LOG.debug("locked by this process: file={}", file);
        } catch (IOException | RuntimeException | Error e) {
            channel.close();
            throw e;
        }
        channel.close();
        return Optional.empty();
    }

    /** False when somebody has removed the file: the next one to take the lock would get it too. */
    public boolean isHeld() {
        try {
            return channel.isOpen() && fileKey.equals(fileKey());
        } catch (IOException e) {
            LOG.debug("lock is not there any more: file={}", file, e);
            return false;
        }
    }

    private Object fileKey() throws IOException {
        return Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).fileKey();
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.debug("lock file does not close: file={}", file, e);
        }
    }
}
