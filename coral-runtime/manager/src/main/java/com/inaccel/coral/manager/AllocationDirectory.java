package com.inaccel.coral.manager;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.protocol.UnixSocket;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the manager keeps of its allocations on disk, below its root:
 * <pre>
 * coral.sock                    the node's own socket
 * allocations/                  rwx------: nobody else finds his way in by path
 *   NAME.properties             what was granted
 *   NAME/                       what is mounted into the pod, and all that the pod sees
 *     coral.sock
 * </pre>
 * A pod may have been given its directory writable, and be root: nothing in there is believed or followed. So sockets are
 * made beside it and moved in, and what was granted is written down outside.
 */
final class AllocationDirectory {
    static final String SOCKET_NAME = "coral.sock";
    /** Letters, digits, and dashes between them: no path, no hidden file, and none of the names used here. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?");
    private static final String RECORD_SUFFIX = ".properties";
    private static final String SHARE = "share";
    private static final String QUOTA = "quotaBytes";
    private static final int MAX_RECORD_BYTES = 4096;
    private static final Logger LOG = LoggerFactory.getLogger(AllocationDirectory.class);

    private final Path directory;

    AllocationDirectory(Path root) throws IOException {
        directory = root.resolve("allocations");
        Files.createDirectories(directory,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }

    /** @throws CoralException INVALID_ARGUMENT unless it can name a directory and its socket */
    void requireName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not a name of an allocation: name=" + name
                + ", pattern=" + NAME.pattern() + "; use letters, digits, and dashes between them");
        }
        int bytes = socket(name).toString().getBytes(StandardCharsets.UTF_8).length;
        if (bytes > UnixSocket.MAX_PATH_BYTES) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "path of the allocation's socket is too long: path="
                + socket(name) + ", bytes=" + bytes + ", limit=" + UnixSocket.MAX_PATH_BYTES
                + "; use a shorter name, or a shorter --root");
        }
    }

    Path socket(String name) {
        return home(name).resolve(SOCKET_NAME);
    }

    /** Where the socket is made before it is moved to its place. */
    Path staging(String name) {
        return directory.resolve("." + name);
    }

    private Path home(String name) {
        return directory.resolve(name);
    }

    private Path record(String name) {
        return directory.resolve(name + RECORD_SUFFIX);
    }

    /** Makes the directory and writes down what was granted, so that neither a crash nor a power cut leaves half of it. */
    void create(Allocation allocation) throws IOException {
        Path home = home(allocation.name());
        if (!Files.isDirectory(home, LinkOption.NOFOLLOW_LINKS)) {
            Files.createDirectory(home);
        }
        Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwxr-xr-x"));
        Properties properties = new Properties();
        properties.setProperty(SHARE, Integer.toString(allocation.share()));
        properties.setProperty(QUOTA, Long.toString(allocation.quotaBytes()));
        StringWriter text = new StringWriter();
        properties.store(text, null);
        Path temporary = directory.resolve("." + allocation.name() + RECORD_SUFFIX);
        try (FileChannel file = FileChannel.open(temporary, StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            ByteBuffer bytes = StandardCharsets.UTF_8.encode(text.toString());
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
            file.force(true);
        }
        Files.move(temporary, record(allocation.name()), StandardCopyOption.ATOMIC_MOVE);
        try (FileChannel parent = FileChannel.open(directory, StandardOpenOption.READ)) {
            parent.force(true);
        }
    }

    /** Forgets the allocation first, so that a crash on the way leaves nothing that would be served again. */
    void delete(String name) throws IOException {
        Files.deleteIfExists(record(name));
        Files.deleteIfExists(staging(name));
        try {
            Files.deleteIfExists(socket(name));
            Files.deleteIfExists(home(name));
        } catch (DirectoryNotEmptyException e) {
            // A pod wrote there. Following it down its own tree is not worth the risk.
            LOG.warn("allocation's directory holds files of its pod and stays: directory={}", home(name));
        }
    }

    /** What was granted before the last manager ended. What cannot be read is reported and left alone. */
    List<Allocation> recorded() throws IOException {
        List<Allocation> allocations = new ArrayList<>();
        try (Stream<Path> entries = Files.list(directory)) {
            for (Path entry : entries.sorted().toList()) {
                String file = entry.getFileName().toString();
                if (file.endsWith(RECORD_SUFFIX) && !file.startsWith(".")) {
                    try {
                        allocations.add(read(entry, file.substring(0, file.length() - RECORD_SUFFIX.length())));
                    } catch (IOException | IllegalArgumentException | CoralException e) {
                        LOG.error("allocation cannot be restored, leaving it out: record={}, cause={}", entry,
                            e.getMessage());
                    }
                }
            }
        }
        return allocations;
    }

    private Allocation read(Path record, String name) throws IOException {
        requireName(name);
        if (!Files.isRegularFile(record, LinkOption.NOFOLLOW_LINKS) || Files.size(record) > MAX_RECORD_BYTES) {
            throw new IOException("not a record: limitBytes=" + MAX_RECORD_BYTES);
        }
        Properties properties = new Properties();
        try (Reader text = new StringReader(Files.readString(record))) {
            properties.load(text);
        }
        return new Allocation(name, Long.parseLong(properties.getProperty(QUOTA, "")),
            Integer.parseInt(properties.getProperty(SHARE, "")));
    }
}
