package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.Request;
import com.inaccel.coral.engine.LogisticProblem.Case;
import com.inaccel.coral.engine.LogisticProblem.Data;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every device must give the bits that the LogisticRegression contract (heads of link.cl, dense.cl and sparse.cl) names; it
 * is written out here once more, as plainly as possible, so that neither kernels nor references are held against themselves.
 */
@ExtendWith(Leaks.class)
abstract class LogisticContract {
    private Engine engine;
    private EngineSession session;

    abstract Engine startEngine();

    @BeforeEach
    void start() {
        engine = startEngine();
        session = engine.open(Vectors.TENANT);
    }

    @AfterEach
    void close() {
        if (engine != null) {
            engine.close();
        }
    }

    static Stream<Case> cases() {
        List<Case> cases = new ArrayList<>();
        Random random = new Random(11);
        int[] rows = {1, 7, 8, 9, 33, 64, 65, 70, 300, 2048};
        int[] features = {1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 64, 100};
        int[] classes = {1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 17, 33};
        int[] models = {1, 1, 2, 3, 10};
        for (Data data : Data.values()) {
            for (int i = 0; i < 24; i++) {
                cases.add(new Case(data, any(rows, random), any(features, random), any(classes, random),
                    any(models, random), random.nextBoolean(), i % 2 == 0));
            }
        }
        cases.add(new Case(Data.NORMAL, 5000, 20, 1, 1, true, false));
        cases.add(new Case(Data.NORMAL, 5000, 10, 3, 2, false, true));
        cases.add(new Case(Data.NORMAL, 300, 784, 10, 1, true, false));
        cases.add(new Case(Data.NORMAL, 20_000, 3, 200, 1, false, true)); // blocks of an eighth of the rows
        return cases.stream();
    }

    private static int any(int[] values, Random random) {
        return values[random.nextInt(values.length)];
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldGiveLossAndGradientOfDenseRowsToTheBit(Case is) {
        LogisticProblem problem = new LogisticProblem(is, false);
        assertThat(run("Gradient", problem, problem.dense())).isEqualTo(problem.contract(false));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldGiveLossAndGradientOfSparseRowsToTheBit(Case is) {
        LogisticProblem problem = new LogisticProblem(is, true);
        assertThat(run("GradientSparse", problem, problem.csr())).isEqualTo(problem.contract(true));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldBeAccurate(Case is) {
        if (is.data() != Data.NORMAL && is.data() != Data.SATURATED) {
            return;
        }
        LogisticProblem problem = new LogisticProblem(is, true);
        double[][] expected = problem.exact();
        for (boolean sparse : new boolean[] {false, true}) {
            double[] actual = sparse
                ? run("GradientSparse", problem, problem.csr()) : run("Gradient", problem, problem.dense());
            for (int e = 0; e < actual.length; e++) {
                assertThat(actual[e]).as("element %d, sparse %s", e, sparse)
                    .isCloseTo(expected[0][e], within(1e-13 * expected[1][e]));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void shouldGiveAModelTheSameBitsAloneAndBesideOthers(Case is) {
        LogisticProblem together = new LogisticProblem(is, true);
        double[] dense = run("Gradient", together, together.dense());
        double[] sparse = run("GradientSparse", together, together.csr());
        int model = is.models() - 1;
        LogisticProblem alone = together.only(model);
        assertThat(run("Gradient", alone, alone.dense())).isEqualTo(part(is, dense, model));
        assertThat(run("GradientSparse", alone, alone.csr())).isEqualTo(part(is, sparse, model));
    }

    private static double[] part(Case is, double[] result, int model) {
        int length = is.classes() * (is.d() + 1);
        double[] part = Arrays.copyOfRange(result, model * length, (model + 1) * length + 1);
        part[length] = result[is.columns() * (is.d() + 1) + model];
        return part;
    }

    @Test
    void shouldStayInsideItsBuffersWhateverSparseRowsHold() {
        Case is = new Case(Data.NORMAL, 100, 16, 3, 1, false, false);
        LogisticProblem problem = new LogisticProblem(is, true);
        int count = problem.csrIndices.length;
        for (int i = 0; i < count; i += 5) {
            problem.csrIndices[i] = i % 2 == 0 ? Integer.MAX_VALUE - i : -1 - i;
        }
        problem.csrIndices[3] = is.d();
        problem.rowStarts[10] = -7;
        problem.rowStarts[20] = Integer.MAX_VALUE;
        problem.rowStarts[30] = Integer.MIN_VALUE;
        problem.rowStarts[is.n()] = count + 1;
        assertThat(run("GradientSparse", problem, problem.csr())).isEqualTo(problem.contract(true));
        Case binomial = new Case(Data.NORMAL, 100, 16, 1, 1, false, false);
        LogisticProblem one = new LogisticProblem(binomial, true);
        one.csrIndices[5] = -1;
        one.csrIndices[6] = is.d();
        one.rowStarts[50] = -1;
        one.rowStarts[51] = Integer.MAX_VALUE;
        assertThat(run("GradientSparse", one, one.csr())).isEqualTo(one.contract(true));
    }

    @Test
    void shouldRefuseSizesBelowOneAndShortSlices() {
        Case is = new Case(Data.NORMAL, 10, 4, 3, 2, true, false);
        refused(is, new int[] {0, 4, 3, 2}, ErrorCode.INVALID_ARGUMENT, "size below one", "n=0, least=1");
        refused(is, new int[] {10, 0, 3, 2}, ErrorCode.INVALID_ARGUMENT, "size below one", "d=0, least=1");
        refused(is, new int[] {10, 4, -1, 2}, ErrorCode.INVALID_ARGUMENT, "size below one", "classes=-1, least=1");
        refused(is, new int[] {10, 4, 3, 0}, ErrorCode.INVALID_ARGUMENT, "size below one", "models=0, least=1");
        refused(is, new int[] {10, 4, 1 << 20, 1 << 20}, ErrorCode.INVALID_ARGUMENT, "too many sums",
            "limit=2147483647; use fewer models, classes or features");
        refused(is, new int[] {10, 1 << 20, 1 << 8, 1 << 8}, ErrorCode.INVALID_ARGUMENT, "too many sums");
        refused(is, new int[] {10, 5, 3, 2}, ErrorCode.OUT_OF_RANGE, "slice too short", "features", "neededBytes=400");
        refused(is, new int[] {10, 4, 3, 3}, ErrorCode.OUT_OF_RANGE, "slice too short", "coefficients", "neededBytes=360");
        refused(is, new int[] {11, 3, 3, 2}, ErrorCode.OUT_OF_RANGE, "slice too short", "labels", "bytes=40",
            "neededBytes=44");
        LogisticProblem problem = new LogisticProblem(is, true);
        ByteBuffer shortWeights = LogisticProblem.doubles(new double[9]);
        List<ByteBuffer> inputs = new ArrayList<>(problem.csr());
        inputs.addAll(List.of(LogisticProblem.ints(problem.labels), shortWeights, LogisticProblem.doubles(problem.coefficients)));
        refused("GradientSparse", inputs, is.resultLength(), new int[] {10, 4, 3, 2}, "weights", "neededBytes=80");
        refused("GradientSparse", inputs, is.resultLength(), new int[] {11, 4, 3, 2}, "row_starts", "neededBytes=48");
        inputs.set(4, LogisticProblem.doubles(problem.weights));
        refused("GradientSparse", inputs, is.resultLength() - 1, new int[] {10, 4, 3, 2}, "result", "bytes=248",
            "neededBytes=256");
    }

    private void refused(Case is, int[] sizes, ErrorCode code, String... fragments) {
        LogisticProblem problem = new LogisticProblem(is, false);
        List<ByteBuffer> inputs = new ArrayList<>(problem.dense());
        inputs.addAll(List.of(LogisticProblem.ints(problem.labels), LogisticProblem.doubles(problem.weights), LogisticProblem.doubles(problem.coefficients)));
        Vectors.requireFailure(session.submit(request("GradientDouble", inputs, is.resultLength(), sizes)), code, fragments);
    }

    private void refused(String operation, List<ByteBuffer> inputs, int resultLength, int[] sizes, String... fragments) {
        Vectors.requireFailure(session.submit(request(operation + "Double", inputs, resultLength, sizes)),
            ErrorCode.OUT_OF_RANGE, fragments);
    }

    private Request request(String operation, List<ByteBuffer> inputs, int resultLength, int... sizes) {
        Request.Builder request = Request.of("com.inaccel.ml.LogisticRegression." + operation);
        Vectors.put(session, inputs, request);
        EngineSegment result = session.allocate(8L * resultLength);
        request.write(result, 0, 8L * resultLength);
        Arrays.stream(sizes).forEach(request::arg);
        return request.build();
    }

    private double[] run(String operation, LogisticProblem problem, List<ByteBuffer> rows) {
        Case is = problem.is;
        List<ByteBuffer> inputs = new ArrayList<>(rows);
        inputs.addAll(List.of(LogisticProblem.ints(problem.labels), LogisticProblem.doubles(is.weighted() ? problem.weights : new double[0]),
            LogisticProblem.doubles(problem.coefficients)));
        Request.Builder request = Request.of(
            "com.inaccel.ml.LogisticRegression." + operation + (is.single() ? "Single" : "Double"));
        EngineSegment segment = Vectors.put(session, inputs, request);
        EngineSegment result = session.allocate(8L * is.resultLength());
        Vectors.get(session.submit(request.write(result, 0, 8L * is.resultLength())
            .arg(is.n()).arg(is.d()).arg(is.classes()).arg(is.models()).build()));
        double[] values = new double[is.resultLength()];
        result.buffer(0, 8L * values.length).asDoubleBuffer().get(values);
        segment.close();
        result.close();
        return values;
    }
}
