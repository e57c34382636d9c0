package com.inaccel.coral.engine;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Who may sign bitstreams here, and whether they must. Keys are Ed25519 in PEM, as {@code openssl} has them. Immutable.
 *
 * <p>{@code record.sig} is a line for each signature: the algorithm, the public key and the signature of the bytes of
 * {@code record.json}, both in base64. That the key is beside the signature proves nothing by itself; only the trust list
 * says whose it is.
 */
final class Signatures {
    static final String FILE_NAME = "record.sig";

    private static final String ALGORITHM = "Ed25519";
    private static final String PUBLIC_SUFFIX = ".pub";
    private static final int MAX_KEY_BYTES = 16 << 10;
    private static final int MAX_SIGNATURES = 16;
    private static final Pattern LINE = Pattern.compile("Ed25519 ([A-Za-z0-9+/=]{1,200}) ([A-Za-z0-9+/=]{1,200})");
    private static final Pattern PEM =
        Pattern.compile("-----BEGIN ([A-Z ]+)-----\\s+([A-Za-z0-9+/=\\s]+)-----END \\1-----\\s*");

    private final boolean required;
    private final Map<PublicKey, String> trusted;
    private final List<String> problems;

    private Signatures(boolean required, Map<PublicKey, String> trusted, List<String> problems) {
        this.required = required;
        this.trusted = Map.copyOf(trusted);
        this.problems = List.copyOf(problems);
    }

    /** Reads the trust list. What cannot be read is not trusted, and among the {@link #problems}. */
    static Signatures of(EngineConfig config) {
        Map<PublicKey, String> trusted = new HashMap<>();
        List<String> problems = new ArrayList<>();
        for (Path entry : config.paths(Key.BITSTREAMS_TRUST)) {
            try {
                for (Path file : publicKeys(entry)) {
                    try {
                        trusted.put(publicKey(file), file.getFileName().toString().replaceFirst("\\.pub$", ""));
                    } catch (CoralException e) {
                        problems.add(e.getMessage());
                    }
                }
            } catch (IOException e) {
                problems.add("trust list cannot be read: key=" + Key.BITSTREAMS_TRUST.id() + ", path=" + entry
                    + ", problem=" + e + "; correct it, or make the path readable");
            }
        }
        return new Signatures(config.word(Key.BITSTREAMS_SIGNATURES).equals("required"), trusted, problems);
    }

    private static List<Path> publicKeys(Path entry) throws IOException {
        if (!Files.isDirectory(entry)) {
            return List.of(entry);
        }
        try (Stream<Path> files = Files.list(entry)) {
            return files.filter(file -> file.toString().endsWith(PUBLIC_SUFFIX)).sorted().toList();
        }
    }

    List<String> problems() {
        return problems;
    }

    /**
     * @param signatures content of {@code record.sig}; empty where there is none
     * @return the trusted key that signed, by its file's name; empty where none did
     * @throws CoralException BAD_BITSTREAM when a signature is wrong, or one is required and missing
     */
    String signer(String origin, byte[] record, byte[] signatures) {
        List<String> lines = new String(signatures, StandardCharsets.US_ASCII).lines().toList();
        if (lines.size() > MAX_SIGNATURES) {
            throw bad(origin, "too many signatures, signatures=" + lines.size() + ", limit=" + MAX_SIGNATURES,
                "remove the bitstream", null);
        }
        String signer = "";
        for (String line : lines) {
            PublicKey key = verified(origin, record, line);
            signer = trusted.getOrDefault(key, signer);
        }
        if (required && signer.isEmpty()) {
            throw bad(origin, (lines.isEmpty() ? "not signed" : "signed by nobody in the trust list") + ", trusted="
                + Set.copyOf(trusted.values()), "sign it with a trusted key, or add its key to "
                + Key.BITSTREAMS_TRUST.id(), null);
        }
        return signer;
    }

    private static PublicKey verified(String origin, byte[] record, String line) {
        Matcher fields = LINE.matcher(line);
        if (!fields.matches()) {
            throw bad(origin, FILE_NAME + " is malformed", "restore it, or install the bitstream again", null);
        }
        try {
            PublicKey key = KeyFactory.getInstance(ALGORITHM)
                .generatePublic(new X509EncodedKeySpec(Base64.getDecoder().decode(fields.group(1))));
            Signature verifier = Signature.getInstance(ALGORITHM);
            verifier.initVerify(key);
            verifier.update(record);
            if (verifier.verify(Base64.getDecoder().decode(fields.group(2)))) {
                return key;
            }
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw bad(origin, "signature cannot be checked: " + e.getMessage(), "install the bitstream again", e);
        }
        throw bad(origin, "signature does not match: the bitstream was changed after it was signed",
            "remove it and install it again", null);
    }

    /** A line for {@code record.sig}. The public key is in a file beside the private one, as {@link #generate} writes it. */
    static String sign(Path privateKeyFile, byte[] record) {
        PublicKey publicKey = publicKey(publicFile(privateKeyFile));
        byte[] signature;
        try {
            PrivateKey privateKey = KeyFactory.getInstance(ALGORITHM)
                .generatePrivate(new PKCS8EncodedKeySpec(pem(privateKeyFile, "PRIVATE KEY")));
            Signature signer = Signature.getInstance(ALGORITHM);
            signer.initSign(privateKey);
            signer.update(record);
            signature = signer.sign();
        } catch (GeneralSecurityException e) {
            throw badKey(privateKeyFile, e);
        }
        Base64.Encoder base64 = Base64.getEncoder();
        String line = ALGORITHM + " " + base64.encodeToString(publicKey.getEncoded()) + " "
            + base64.encodeToString(signature);
        verified(privateKeyFile.toString(), record, line); // the two files may be of different pairs
        return line + "\n";
    }

    /** Writes a new private key, for its owner only, and its public key beside it. @return the latter's file */
    static Path generate(Path privateKeyFile) {
        Path publicKeyFile = publicFile(privateKeyFile);
        try {
            KeyPair pair = KeyPairGenerator.getInstance(ALGORITHM).generateKeyPair();
            if (Files.exists(publicKeyFile)) {
                throw new FileAlreadyExistsException(publicKeyFile.toString());
            }
            Files.createFile(privateKeyFile, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
            Files.writeString(privateKeyFile, pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
            Files.writeString(publicKeyFile, pem("PUBLIC KEY", pair.getPublic().getEncoded()), StandardOpenOption.CREATE_NEW);
            return publicKeyFile;
        } catch (IOException | GeneralSecurityException e) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "cannot write a key: file=" + privateKeyFile + ", problem="
                + e + "; choose a new file in a writable directory", e);
        }
    }

    private static Path publicFile(Path privateKeyFile) {
        return privateKeyFile.resolveSibling(privateKeyFile.getFileName() + PUBLIC_SUFFIX);
    }

    private static PublicKey publicKey(Path file) {
        try {
            return KeyFactory.getInstance(ALGORITHM).generatePublic(new X509EncodedKeySpec(pem(file, "PUBLIC KEY")));
        } catch (GeneralSecurityException e) {
            throw badKey(file, e);
        }
    }

    private static String pem(String label, byte[] key) {
        return "-----BEGIN " + label + "-----\n" + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key)
            + "\n-----END " + label + "-----\n";
    }

    private static byte[] pem(Path file, String label) {
        try (InputStream in = Files.newInputStream(file)) {
            Matcher pem = PEM.matcher(new String(in.readNBytes(MAX_KEY_BYTES), StandardCharsets.US_ASCII));
            if (!pem.matches() || !pem.group(1).equals(label)) {
                throw new IOException("not a " + label + " in PEM");
            }
            return Base64.getMimeDecoder().decode(pem.group(2));
        } catch (IOException e) {
            throw badKey(file, e);
        }
    }

    private static CoralException badKey(Path file, Exception cause) {
        return new CoralException(ErrorCode.INVALID_ARGUMENT, "not a key: file=" + file + ", algorithm=" + ALGORITHM
            + ", problem=" + cause + "; make one with `coral bitstream keygen`, which writes FILE and FILE" + PUBLIC_SUFFIX,
            cause);
    }

    private static CoralException bad(String origin, String problem, String fix, Exception cause) {
        return new CoralException(ErrorCode.BAD_BITSTREAM,
            "bitstream is not trusted: manifest=" + origin + ", problem=" + problem + "; " + fix, cause);
    }
}
