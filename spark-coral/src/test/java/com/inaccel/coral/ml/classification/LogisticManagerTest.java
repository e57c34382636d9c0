package com.inaccel.coral.ml.classification;

import static com.inaccel.coral.ml.SparkTest.spark;
import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.manager.Limits;
import com.inaccel.coral.manager.Manager;
import com.inaccel.coral.ml.shipping.Inside;
import java.nio.file.Path;
import java.util.Map;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who computes must not change a model. */
class LogisticManagerTest {
    @TempDir
    Path root;

    @AfterEach
    void resetAddress() {
        spark().conf().unset("spark.coral.address");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldGiveTheSameBitsEmbeddedThroughTheSocketAndOnEveryKindOfDevice(boolean sparse) {
        Labelled rows = Labelled.draw(20_000, 12, 3, 1);
        Dataset<Row> data = (sparse ? rows.sparse() : rows).frame(3).cache();
        LogisticRegressionModel expected = fit(data);
        assertThat(fitThrough(Map.of(), data)).usingRecursiveComparison().isEqualTo(result(expected));
        assertThat(fitThrough(Map.of("coral.devices", "host"), data)).usingRecursiveComparison()
            .isEqualTo(result(expected));
        // Devices that cannot hold all of the data at once.
        assertThat(fitThrough(Map.of("coral.emulate", "xilinx/u250:2", "coral.emulate.programming", "1ms",
            "coral.emulate.memory", "3MB"), data)).usingRecursiveComparison().isEqualTo(result(expected));
        data.unpersist();
    }

    private record Result(double[] coefficients, double[] intercepts, double[] history) { }

    private static Result result(LogisticRegressionModel model) {
        return new Result(model.coefficientMatrix().toArray(), model.interceptVector().toArray(),
            model.summary().objectiveHistory());
    }

    private static LogisticRegressionModel fit(Dataset<Row> data) {
        return new LogisticRegression().setMaxIter(8).setRegParam(0.01).fit(data);
    }

    private Result fitThrough(Map<String, String> config, Dataset<Row> data) {
        try (Engine engine = Engine.start(EngineConfig.of(config));
                Manager manager = Manager.start(engine, root, new Allocation("test", 1L << 30, 1), Limits.defaults())) {
            spark().conf().set("spark.coral.address", manager.address());
            Result result = result(fit(data));
            Inside.sharedMemoryInUse(); // closes the session
            return result;
        }
    }
}
