package com.inaccel.coral.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.bench.support.LocalSpark;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(300)
class DemoTest {
    private final PrintStream standardOutput = System.out;
    private final ByteArrayOutputStream output = new ByteArrayOutputStream();
    private final StringWriter errors = new StringWriter();

    @TempDir
    private Path directory;

    private List<Path> filesBefore;

    @BeforeEach
    void lookAtTemporaryFiles() throws IOException {
        filesBefore = temporaryFiles();
    }

    @AfterEach
    void shouldLeaveNothingBehind() throws IOException {
        System.setOut(standardOutput);
        assertThat(temporaryFiles()).containsExactlyInAnyOrderElementsOf(filesBefore);
        assertThat(ProcessHandle.current().children()).isEmpty();
    }

    @Test
    void shouldClusterAndClassifyOnEmulatedFpgasLikeMllib() throws IOException {
        int status = run("--rows", "500", "--k", "3", "--max-iter", "3", "--emulate", "xilinx/u250:2",
            "--out", directory.toString());

        assertThat(errors.toString()).isEmpty();
        assertThat(status).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8)).contains("xilinx")
            .containsPattern("iterations +3 +3\n").containsPattern("KMeans: .* 500 rows")
            .containsPattern("accuracy on the rows held out +(\\d+\\.\\d\\d %) +\\1\n")
            .contains("450 rows; 50 others held out");
        assertThat(ImageIO.read(directory.resolve("centers.png").toFile())).isNotNull();
        assertThat(ImageIO.read(directory.resolve("coefficients.png").toFile())).isNotNull();
    }

    @Test
    void shouldReadTheOnlyFeaturesOfALibsvmFileAndWriteCentersThatAreNoPicturesAsNumbers() throws IOException {
        Path file = Files.writeString(directory.resolve("points.libsvm"), """
            0 1:0.0 2:0.5
            0 1:0.25 2:0.5
            1 1:100.0 2:101.0
            1 1:100.0 2:103.0
            """);

        int status = run("--input", file.toString(), "--k", "2", "--address", "embedded:", "--out", directory.toString());

        assertThat(errors.toString()).isEmpty();
        assertThat(status).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8)).contains("points.libsvm (LIBSVM)")
            .contains("No LogisticRegression: too few rows").contains("rows=4");
        assertThat(Files.readAllLines(directory.resolve("centers.csv")))
            .containsExactlyInAnyOrder("0.125,0.5", "100.0,102.0");
    }

    @Test
    void shouldReadTheArraysOfAParquetFile() throws IOException {
        Path file = directory.resolve("points.parquet");
        SparkSession spark = LocalSpark.start("demo-test", 1, directory, Map.of());
        try {
            spark.sql("SELECT id, array(float(id % 2 * 100), float(id)) AS point FROM range(6)")
                .write().parquet(file.toUri().toString());
        } finally {
            spark.stop();
        }

        int status = run("--input", file.toString(), "--k", "2", "--address", "embedded:", "--out", directory.toString());

        assertThat(errors.toString()).isEmpty();
        assertThat(status).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8)).contains("points.parquet (Parquet)")
            .contains("No LogisticRegression: no labels").contains("--label");
        assertThat(Files.readAllLines(directory.resolve("centers.csv"))).containsExactlyInAnyOrder("0.0,2.0", "100.0,3.0");
    }

    @Test
    void shouldLearnTheLabelsOfAParquetFileOfArrays() throws IOException {
        Path file = directory.resolve("points.parquet");
        SparkSession spark = LocalSpark.start("demo-test", 1, directory, Map.of());
        try {
            spark.sql("SELECT int(id % 2) AS kind, array(float(id % 2 * 3), float(id % 7), float(id % 5)) AS point "
                + "FROM range(400)").write().parquet(file.toUri().toString());
        } finally {
            spark.stop();
        }

        int status = run("--input", file.toString(), "--label", "kind", "--k", "2", "--address", "embedded:", "--out",
            directory.toString());

        assertThat(errors.toString()).isEmpty();
        assertThat(status).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8))
            .containsPattern("accuracy on the rows held out +100.00 % +100.00 %");
        assertThat(Files.readAllLines(directory.resolve("coefficients.csv"))).hasSize(1)
            .first().asString().matches("[\\d.]+,.*,.*");
    }

    @Test
    void shouldOnlyClusterWhereLabelsAreNoClasses() throws IOException {
        StringBuilder rows = new StringBuilder();
        for (int row = 0; row < 120; row++) {
            rows.append(row % 2 == 0 ? "-1" : "1").append(" 1:").append(row % 5).append(" 2:").append(row % 3).append('\n');
        }
        Path file = Files.writeString(directory.resolve("points.libsvm"), rows);

        int status = run("--input", file.toString(), "--k", "2", "--address", "embedded:", "--out", directory.toString());

        assertThat(errors.toString()).isEmpty();
        assertThat(status).isZero();
        assertThat(output.toString(StandardCharsets.UTF_8)).contains("No LogisticRegression: labels are not whole numbers")
            .contains("least=-1.0").doesNotContain("accuracy");
    }

    @Test
    void shouldNameTheColumnsWhereTheLabelIsNone() throws IOException {
        Path file = Files.writeString(directory.resolve("points.libsvm"), "0 1:1\n");

        assertThat(run("--input", file.toString(), "--label", "kind", "--address", "embedded:")).isEqualTo(1);
        assertThat(errors.toString()).contains("label=kind").contains("features");
    }

    @Test
    void shouldRefuseTwoWaysToChooseDevices() {
        assertThat(run("--address", "embedded:", "--emulate", "xilinx/u250:2")).isEqualTo(1);
        assertThat(errors.toString()).contains("address=embedded:").contains("emulate=xilinx/u250:2");
    }

    @Test
    void shouldNameTheMostDigitsThereAre() {
        assertThat(run("--rows", "250001")).isEqualTo(1);
        assertThat(errors.toString()).contains("rows=250001").contains("most=250000");
    }

    private int run(String... arguments) {
        System.setOut(new PrintStream(output, true, StandardCharsets.UTF_8));
        return Demo.commandLine().setErr(new PrintWriter(errors, true)).execute(arguments);
    }

    private static List<Path> temporaryFiles() throws IOException {
        try (Stream<Path> files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return files.filter(file -> file.getFileName().toString().startsWith("coral-demo-")).toList();
        }
    }
}
