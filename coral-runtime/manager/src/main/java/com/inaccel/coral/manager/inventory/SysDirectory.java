package com.inaccel.coral.manager.inventory;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Pattern;

/** A directory of sysfs. Whatever lies there, drivers of others wrote it: nothing is taken for what its name says. */
record SysDirectory(Path path) {
    /** Of one attribute. Those of interest are names and numbers. */
    private static final int MAX_BYTES = 256;

    String name() {
        return path.getFileName().toString();
    }

    boolean exists() {
        return Files.isDirectory(path);
    }

    /**
     * What an attribute says, without the blanks around it; empty where there is no such attribute.
     *
     * @throws IOException where something is there that is no short line of text, or it cannot be read
     */
    Optional<String> text(String attribute) throws IOException {
        Path file = path.resolve(attribute);
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return Optional.empty();
        }
        if (!Files.isRegularFile(file)) { // a pipe would keep us waiting
            throw new IOException("not a file: path=" + file);
        }
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(MAX_BYTES + 1);
        }
        String text = new String(bytes, StandardCharsets.ISO_8859_1).strip();
        if (bytes.length > MAX_BYTES || !text.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            throw new IOException("not a line of text: path=" + file + ", limitBytes=" + MAX_BYTES);
        }
        return Optional.of(text);
    }

    /**
     * A number as the kernel writes it, with or without {@code 0x}.
     *
     * @throws IOException where there is none, or it cannot be read
     */
    int hex(String attribute) throws IOException {
        String text = text(attribute).orElseThrow(() -> new IOException("missing: path=" + path.resolve(attribute)));
        try {
            return Integer.parseInt(text.startsWith("0x") ? text.substring(2) : text, 16);
        } catch (NumberFormatException e) {
            throw new IOException("not a number: path=" + path.resolve(attribute) + ", text=" + text, e);
        }
    }

    /** Empty also where the kernel says -1: a machine with one node. What cannot be read is no reason to refuse a card. */
    OptionalInt numaNode() {
        try {
            int node = Integer.parseInt(text("numa_node").orElse("-1"));
            return node >= 0 ? OptionalInt.of(node) : OptionalInt.empty();
        } catch (IOException | NumberFormatException e) {
            return OptionalInt.empty();
        }
    }

    /** The last name of where a link points to, whether or not anything is there; empty where there is no link. */
    Optional<String> link(String name) {
        Path link = path.resolve(name);
        if (!Files.isSymbolicLink(link)) {
            return Optional.empty();
        }
        try {
            return Optional.ofNullable(Files.readSymbolicLink(link).getFileName()).map(Path::toString);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    SysDirectory child(String name) {
        return new SysDirectory(path.resolve(name));
    }

    /**
     * The entries of that name, by name; none where this is no directory. They need not be directories, nor be there.
     *
     * @throws IOException where it cannot be listed
     */
    List<SysDirectory> children(Pattern names) throws IOException {
        if (!exists()) {
            return List.of();
        }
        List<SysDirectory> children = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(path,
                entry -> names.matcher(entry.getFileName().toString()).matches())) {
            entries.forEach(entry -> children.add(new SysDirectory(entry)));
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        children.sort(Comparator.comparing(SysDirectory::name));
        return children;
    }
}
