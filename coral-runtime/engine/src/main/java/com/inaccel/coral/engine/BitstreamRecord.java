package com.inaccel.coral.engine;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * What an installed bitstream consists of, and who may see it: {@code record.json} beside its manifest. Its bytes are what
 * is signed, so whoever changes any file must break a hash, and whoever corrects the hash, the signature.
 *
 * @param files all of the bitstream's, its manifest among them, by name
 * @param visibleTo names of allocations; empty: all
 */
record BitstreamRecord(
        int format, String bitstreamId, String version, String platform, List<FileHash> files, List<String> visibleTo) {
    static final String FILE_NAME = "record.json";

    private static final int FORMAT = 1;
    private static final int MAX_VISIBLE_TO = 1_024;
    private static final Pattern ALLOCATION = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}");
    private static final JsonMapper JSON = JsonMapper.builder()
        .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, DeserializationFeature.FAIL_ON_TRAILING_TOKENS,
            DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES, DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .build();

    record FileHash(String name, long bytes, String sha256) { }

    static BitstreamRecord of(Bitstream bitstream, Map<String, byte[]> files, Set<String> visibleTo) {
        visibleTo.forEach(BitstreamRecord::requireAllocation);
        if (visibleTo.size() > MAX_VISIBLE_TO) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "too many allocations: visibleTo=" + visibleTo.size()
                + ", limit=" + MAX_VISIBLE_TO + "; name fewer, or none to let all see it");
        }
        List<FileHash> hashes = new ArrayList<>();
        files.forEach((name, content) -> hashes.add(new FileHash(name, content.length, sha256(content))));
        return new BitstreamRecord(FORMAT, bitstream.bitstreamId(), bitstream.version().text(),
            bitstream.platform().toString(), List.copyOf(hashes), List.copyOf(new TreeSet<>(visibleTo)));
    }

    /** @throws CoralException BAD_BITSTREAM unless the bytes are a record of just this bitstream and these files */
    static BitstreamRecord parse(String origin, byte[] bytes, Bitstream bitstream, Map<String, byte[]> files) {
        BitstreamRecord record;
        try {
            record = JSON.readValue(bytes, BitstreamRecord.class);
        } catch (IOException e) {
            throw bad(origin, "record=" + FILE_NAME + ", problem=" + e.getMessage(), e);
        }
        if (record == null || record.format != FORMAT || record.files.contains(null) || record.visibleTo.contains(null)) {
            throw bad(origin, "record=" + FILE_NAME + ", problem=not of format " + FORMAT, null);
        }
        BitstreamRecord found = of(bitstream, files, new TreeSet<>(record.visibleTo));
        if (!Set.copyOf(found.files).equals(Set.copyOf(record.files))) {
            Set<FileHash> differing = new HashSet<>(found.files);
            record.files.forEach(differing::remove);
            throw bad(origin, "record=" + FILE_NAME + ", problem=files differ from those recorded, found="
                + differing, null);
        }
        if (!new BitstreamRecord(FORMAT, found.bitstreamId, found.version, found.platform, record.files, record.visibleTo)
                .equals(record)) {
            throw bad(origin, "record=" + FILE_NAME + ", problem=made for another bitstream, recorded="
                + record.bitstreamId + " " + record.version + " for " + record.platform, null);
        }
        return record;
    }

    byte[] bytes() {
        try {
            byte[] json = JSON.writeValueAsBytes(this);
            byte[] line = Arrays.copyOf(json, json.length + 1);
            line[json.length] = '\n';
            return line;
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    boolean isVisibleTo(String allocation) {
        return visibleTo.isEmpty() || visibleTo.contains(allocation);
    }

    static String sha256(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has it
        }
    }

    private static void requireAllocation(String name) {
        if (name == null || !ALLOCATION.matcher(name).matches()) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "not a name of an allocation: visibleTo=" + name
                + "; use letters, digits, dots, dashes and underscores");
        }
    }

    private static CoralException bad(String origin, String what, Exception cause) {
        return new CoralException(ErrorCode.BAD_BITSTREAM, "installed bitstream was changed: manifest=" + origin + ", "
            + what + "; remove it and install it again", cause);
    }
}
