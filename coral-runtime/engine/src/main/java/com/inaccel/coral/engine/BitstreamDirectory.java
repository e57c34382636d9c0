package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.accelerators.Catalogue;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A bitstream's directory, read once: what was checked is what is used, however the files change meanwhile. Nobody's word
 * is taken for what the directory holds.
 *
 * @param files content of the manifest, as {@link Manifest#FILE_NAME}, and of the files that it names
 * @param recorded {@code record.json}; absent where the directory was not made by an installation
 * @param signatures {@code record.sig}; empty where there is none
 */
record BitstreamDirectory(
        String origin, Bitstream bitstream, SortedMap<String, byte[]> files, Optional<byte[]> recorded, byte[] signatures) {
    private static final int MAX_MANIFEST_BYTES = 1 << 20;
    private static final int MAX_FILES = 64;
    /** Of all files together, which are held in memory. */
    private static final int MAX_BYTES = 1 << 30;
    private static final Set<String> RESERVED = Set.of(Manifest.FILE_NAME, BitstreamRecord.FILE_NAME, Signatures.FILE_NAME);

    /**
     * @param source a directory with a {@code bitstream.json}, or another manifest
     * @throws CoralException BAD_BITSTREAM naming file and field
     */
    static BitstreamDirectory read(Path source) {
        Path manifest = Files.isDirectory(source) ? source.resolve(Manifest.FILE_NAME) : source.toAbsolutePath();
        Path home = manifest.getParent();
        String origin = manifest.toString();
        try {
            SortedMap<String, byte[]> files = new TreeMap<>();
            files.put(Manifest.FILE_NAME, content(home, manifest.getFileName().toString(), MAX_MANIFEST_BYTES));
            Bitstream bitstream = Manifest.read(origin, files.get(Manifest.FILE_NAME), name -> {
                if (RESERVED.contains(name)) {
                    throw new IOException("the name is taken by the installation's own files");
                }
                if (files.size() > MAX_FILES && !files.containsKey(name)) {
                    throw new IOException("more than " + MAX_FILES + " files");
                }
                long read = files.values().stream().mapToLong(file -> file.length).sum();
                byte[] content = content(home, name, (int) (MAX_BYTES - read));
                files.put(name, content);
                return content;
            }, Catalogue.all());
            return new BitstreamDirectory(origin, bitstream, files,
                optional(home, BitstreamRecord.FILE_NAME), optional(home, Signatures.FILE_NAME).orElse(new byte[0]));
        } catch (IOException e) {
            throw new CoralException(ErrorCode.BAD_BITSTREAM, "manifest cannot be read: manifest=" + origin + ", problem="
                + e + "; restore it or remove the bitstream", e);
        }
    }

    /** @throws CoralException BAD_BITSTREAM when what is recorded is not what is there */
    BitstreamRecord record() {
        return recorded.map(bytes -> BitstreamRecord.parse(origin, bytes, bitstream, files))
            .orElseGet(() -> BitstreamRecord.of(bitstream, files, Set.of()));
    }

    /** The bytes that are hashed, and signed. */
    byte[] recordBytes() {
        return recorded.orElseGet(() -> record().bytes());
    }

    private static Optional<byte[]> optional(Path home, String name) throws IOException {
        return Files.exists(home.resolve(name), LinkOption.NOFOLLOW_LINKS)
            ? Optional.of(content(home, name, MAX_MANIFEST_BYTES)) : Optional.empty();
    }

    private static byte[] content(Path home, String name, int limitBytes) throws IOException {
        Path file = home.resolve(name).toRealPath();
        if (!file.startsWith(home.toRealPath())) {
            throw new IOException("leads out of the bitstream's directory: " + name);
        }
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) { // a pipe would keep its reader waiting
            throw new IOException("not a file: " + name);
        }
        try (InputStream in = Files.newInputStream(file, LinkOption.NOFOLLOW_LINKS)) {
            byte[] content = in.readNBytes(limitBytes);
            if (in.read() >= 0) {
                throw new IOException("larger than allowed: " + name + ", limitBytes=" + limitBytes);
            }
            return content;
        }
    }
}
