package com.inaccel.coral.packaging;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The jar that users give to {@code spark-submit --jars}: what is in it, what is not, and that it suffices. */
class PackagingIT {
    private static final Path JAR = Path.of(System.getProperty("coral.jar.all"));
    private static final Path JAVA_OPTIONS = Path.of(System.getProperty("coral.java.options"));
    private static final String SPARK_CLASS_PATHS = System.getProperty("coral.spark.classPaths");

    /** Executors load it once each, and it travels to each of them. */
    private static final long SIZE_LIMIT_BYTES = 10 << 20;
    private static final long SUBMIT_LIMIT_SECONDS = 240;
    private static final Pattern OURS = Pattern.compile("(com/inaccel/coral/|com/sun/jna/|org/jocl/).*\\.class");

    private static JarFile jar;

    @BeforeAll
    static void open() throws IOException {
        jar = new JarFile(JAR.toFile());
    }

    @AfterAll
    static void close() throws IOException {
        jar.close();
    }

    @Test
    void shouldHoldNoClassesButOursAndTheTwoThatCannotMove() {
        assertThat(names(jar).filter(name -> name.endsWith(".class")))
            .contains("com/inaccel/coral/ml/clustering/KMeans.class", "com/inaccel/coral/Coral.class")
            .allMatch(name -> OURS.matcher(name).matches());
    }

    @Test
    void shouldHoldNoClassThatSparkHasToo() throws IOException {
        Set<String> sparks = new TreeSet<>();
        for (String entry : sparkClassPath()) {
            try (JarFile one = new JarFile(entry)) {
                names(one).filter(name -> name.endsWith(".class")).forEach(sparks::add);
            }
        }

        assertThat(sparks).contains("org/apache/spark/ml/clustering/KMeans.class");
        assertThat(names(jar).filter(sparks::contains)).isEmpty();
    }

    @Test
    void shouldHoldNoModulesNorSignaturesNorBuildFiles() {
        assertThat(names(jar)).noneMatch(name -> name.endsWith("module-info.class")
            || name.matches("META-INF/.*\\.(SF|DSA|RSA)") || name.startsWith("META-INF/maven/")
            || name.startsWith("META-INF/versions/")); // the manifest calls for none, so Java would not see them
    }

    @Test
    void shouldUseOnlyItsOwnProtobuf() throws IOException {
        List<String> users = new ArrayList<>();
        for (JarEntry entry : jar.stream().filter(e -> e.getName().endsWith(".class")).toList()) {
            try (InputStream bytes = jar.getInputStream(entry)) {
                if (new String(bytes.readAllBytes(), ISO_8859_1).contains("com/google/protobuf/")) {
                    users.add(entry.getName());
                }
            }
        }

        assertThat(names(jar)).anyMatch(name -> name.startsWith("com/inaccel/coral/shaded/protobuf/"));
        assertThat(users).isEmpty();
    }

    @Test
    void shouldHoldNativesForLinuxOnBothArchitecturesAlone() {
        Map<String, Set<String>> natives = new TreeMap<>();
        names(jar).filter(name -> name.matches(".*\\.(so|dll|dylib|jnilib|a)"))
            .forEach(name -> natives.computeIfAbsent(library(name), key -> new TreeSet<>()).add(architecture(name)));

        assertThat(natives).containsOnlyKeys("jna", "jocl");
        assertThat(natives.values()).allSatisfy(found -> assertThat(found).containsExactly("aarch64", "x86-64"));
    }

    @Test
    void shouldFindItsServicesInItself() throws IOException {
        Map<String, String> services = new TreeMap<>();
        for (String name : names(jar).filter(n -> n.matches("META-INF/services/[^/]+")).toList()) {
            try (InputStream bytes = jar.getInputStream(jar.getEntry(name))) {
                services.put(name, new String(bytes.readAllBytes(), UTF_8));
            }
        }

        assertThat(services).containsKey("META-INF/services/com.inaccel.coral.Coral$SessionProvider");
        assertThat(services.values().stream().flatMap(String::lines).map(line -> line.replaceFirst("#.*", "").trim())
            .filter(line -> !line.isEmpty())).allSatisfy(
                provider -> assertThat(jar.getEntry(provider.replace('.', '/') + ".class")).as(provider).isNotNull());
    }

    @Test
    void shouldBeSmall() throws IOException {
        assertThat(Files.size(JAR)).isLessThan(SIZE_LIMIT_BYTES);
    }

    @Test
    void shouldFitWhenSubmittedToStockSpark(@TempDir Path directory) throws Exception {
        Path application = applicationJar(directory.resolve("application.jar"));
        Path output = directory.resolve("output.txt");
        Process submit = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "@" + JAVA_OPTIONS,
                "-cp", String.join(File.pathSeparator, sparkClassPath()), "org.apache.spark.deploy.SparkSubmit",
                "--master", "local[2]", "--conf", "spark.ui.enabled=false", "--conf", "spark.coral.address=embedded:",
                "--conf", "spark.plugins=com.inaccel.coral.ml.CoralPlugin",
                "--jars", JAR.toString(), "--class", FitProgram.class.getName(), application.toString())
            .directory(directory.toFile()).redirectErrorStream(true).redirectOutput(output.toFile()).start();
        try {
            boolean ended = submit.waitFor(SUBMIT_LIMIT_SECONDS, TimeUnit.SECONDS);
            String printed = Files.readString(output);

            assertThat(ended).as("ended in %d s; it printed: %s", SUBMIT_LIMIT_SECONDS, printed).isTrue();
            assertThat(submit.exitValue()).as(printed).isZero();
            assertThat(printed).contains("centers: [0.0,1.0] [100.0,9.0]", "predicted: 2", "partitions shipped: 4")
                .containsPattern("estimator from: file:.*" + Pattern.quote(JAR.getFileName().toString()));
        } finally {
            submit.destroyForcibly().waitFor();
        }
    }

    private static Path applicationJar(Path path) throws IOException {
        String entry = FitProgram.class.getName().replace('.', '/') + ".class";
        try (InputStream bytes = PackagingIT.class.getClassLoader().getResourceAsStream(entry);
                JarOutputStream out = new JarOutputStream(Files.newOutputStream(path))) {
            out.putNextEntry(new JarEntry(entry));
            bytes.transferTo(out);
        }
        return path;
    }

    private static List<String> sparkClassPath() throws IOException {
        List<String> entries = new ArrayList<>();
        for (String file : SPARK_CLASS_PATHS.trim().split(",", -1)) {
            entries.addAll(List.of(Files.readString(Path.of(file)).trim().split(File.pathSeparator, -1)));
        }
        return entries;
    }

    private static Stream<String> names(JarFile of) {
        return of.stream().map(JarEntry::getName);
    }

    private static String library(String name) {
        return name.startsWith("com/sun/jna/") ? "jna" : name.contains("JOCL") ? "jocl" : name;
    }

    private static String architecture(String name) {
        boolean linux = name.toLowerCase(Locale.ROOT).contains("linux");
        return !linux ? name : name.matches(".*(amd64|x86[-_]64).*") ? "x86-64"
            : name.matches(".*(aarch64|arm64).*") ? "aarch64" : name;
    }
}
