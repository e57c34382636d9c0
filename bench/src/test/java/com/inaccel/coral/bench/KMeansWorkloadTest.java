package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KMeansWorkloadTest {
    private static final KMeansWorkload WORKLOAD = new KMeansWorkload(1_000, 5, 3, 20, 7, "random");

    @TempDir
    private Path directory;

    @Test
    void shouldMakeTheSameRowWhicheverCameBefore() {
        double[] alone = new double[5];
        WORKLOAD.generator().fill(42, alone);
        KMeansWorkload.Generator generator = WORKLOAD.generator();
        double[] after = new double[5];
        generator.fill(41, after);
        assertThat(after).isNotEqualTo(alone);

        generator.fill(42, after);

        assertThat(after).isEqualTo(alone);
    }

    @Test
    void shouldWriteTheRowsThatItMakes() throws IOException {
        Path file = directory.resolve("rows");
        WORKLOAD.write(file);

        DoubleBuffer written = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer();
        double[] expected = new double[5];
        double[] actual = new double[5];
        KMeansWorkload.Generator generator = WORKLOAD.generator();
        assertThat(written.remaining()).isEqualTo(5_000);
        for (int row = 0; row < 1_000; row++) {
            generator.fill(row, expected);
            written.get(actual);
            assertThat(actual).isEqualTo(expected);
        }
    }

    @Test
    void shouldMeasureTheMeanSquaredDistanceToTheNearestCenter() {
        double[] centers = {1, 0, 0, 0, 0, 0, -1, 0, 0, 0};
        double expected = 0;
        double[] row = new double[5];
        KMeansWorkload.Generator generator = WORKLOAD.generator();
        for (int index = 0; index < 1_000; index++) {
            generator.fill(index, row);
            double squares = 0;
            for (double value : row) {
                squares += value * value;
            }
            // |x - c|^2 = |x|^2 - 2 x.c + |c|^2
            expected += Math.min(squares - 2 * row[0] + 1, squares + 2 * row[1] + 1) / 1_000;
        }

        assertThat(WORKLOAD.meanCost(centers, 1_000)).isCloseTo(expected, within(1e-9));
    }
}
