package com.inaccel.coral.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LogisticDataTest {
    private static final double REG = 0.5;

    @TempDir
    private Path directory;

    @Test
    void shouldMakeTheSameRowWhicheverCameBefore() {
        LogisticWorkload.Generator alone = workload(2, 0).generator();
        alone.make(42);
        LogisticWorkload.Generator generator = workload(2, 0).generator();
        generator.make(41);
        assertThat(generator.values).isNotEqualTo(alone.values);

        generator.make(42);

        assertThat(generator.values).isEqualTo(alone.values);
        assertThat(generator.label).isEqualTo(alone.label);
    }

    @Test
    void shouldMakeSparseRowsWithAscendingFeatures() {
        LogisticWorkload workload = new LogisticWorkload(500, 9, 2, 8, 1, 0, List.of(0.0), 4, 1);
        LogisticWorkload.Generator generator = workload.generator();
        for (int row = 0; row < 500; row++) {
            generator.make(row);
            assertThat(generator.indices).isSorted().doesNotHaveDuplicates();
            assertThat(generator.indices[0]).isNotNegative();
            assertThat(generator.indices[7]).isLessThan(9);
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 0", "2, 3", "4, 0", "4, 3"})
    void shouldComputeMeanLossAndPenaltyOfStandardizedFeatures(int classes, int nonZeros) throws IOException {
        LogisticWorkload workload = workload(classes, nonZeros);
        double[] model = workload.generator().trueModel();
        LogisticData data = LogisticData.write(workload, directory);

        // The generator knows the true margins, and here the rows are held as a whole.
        double[][] rows = new double[(int) workload.rows()][];
        double loss = 0;
        LogisticWorkload.Generator generator = workload.generator();
        for (int row = 0; row < rows.length; row++) {
            generator.make(row);
            loss += generator.loss() / rows.length;
            rows[row] = dense(workload, generator);
        }
        double penalty = 0;
        for (int i = 0; i < model.length; i++) {
            int feature = i % (workload.features() + 1);
            penalty += feature == workload.features() ? 0 : model[i] * model[i] * variance(rows, feature);
        }

        assertThat(data.objective(model, 0)).isCloseTo(loss, within(1e-12));
        assertThat(data.objective(model, REG)).isCloseTo(loss + REG / 2 * penalty, within(1e-9 * (1 + penalty)));
        assertThat(loss).as("neither separable nor noise alone").isBetween(0.05, Math.log(classes));
        assertThat(model).hasSize(workload.sets() * (workload.features() + 1));
    }

    private static LogisticWorkload workload(int classes, int nonZeros) {
        return new LogisticWorkload(2_000, 6, classes, nonZeros, 10, 1e-6, List.of(REG), 4, 3);
    }

    private static double[] dense(LogisticWorkload workload, LogisticWorkload.Generator generator) {
        double[] row = new double[workload.features()];
        for (int i = 0; i < generator.values.length; i++) {
            row[workload.sparse() ? generator.indices[i] : i] = generator.values[i];
        }
        return row;
    }

    private static double variance(double[][] rows, int feature) {
        double mean = Arrays.stream(rows).mapToDouble(row -> row[feature]).average().orElseThrow();
        return Arrays.stream(rows).mapToDouble(row -> (row[feature] - mean) * (row[feature] - mean)).sum()
            / (rows.length - 1);
    }
}
