package com.inaccel.coral;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.assertj.core.api.Assertions.within;

import com.inaccel.coral.protocol.SealedMemory;
import io.netty.buffer.ByteBuf;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Learning as library calls, and what programs for the earlier Coral call. */
@Timeout(120)
class AcceleratorsTest {
    private static final String ADD = "com.inaccel.math.Vector.Add";

    @BeforeEach
    void onTheHost() {
        System.setProperty("coral.devices", "host");
    }

    @AfterEach
    void nothingIsLeft() {
        Accelerators.close();
        System.clearProperty("coral.devices");
        assertThat(SealedMemory.liveCount()).as("segments left mapped").isZero();
    }

    @Test
    void shouldCluster() {
        Random random = new Random(1);
        double[][] points = new double[3000][];
        Arrays.setAll(points, i -> new double[] {10 * (i % 3) + random.nextGaussian(), random.nextGaussian()});
        KMeansModel model = Accelerators.kMeans(points, new double[][] {{1, 1}, {11, 1}, {19, -1}, {1000, 1000}}, 50, 1e-9);
        assertThat(model.converged()).isTrue();
        assertThat(model.iterations()).isBetween(2, 20);
        double cost = 0;
        for (int i = 0; i < points.length; i++) {
            assertThat(model.labels()[i]).isEqualTo(i % 3);
            double[] center = model.centers()[i % 3];
            cost += Math.pow(points[i][0] - center[0], 2) + Math.pow(points[i][1] - center[1], 2);
        }
        assertThat(model.cost()).isCloseTo(cost, within(1e-6));
        assertThat(model.centers()[0]).containsExactly(new double[] {0, 0}, within(0.15));
        assertThat(model.centers()[3]).as("without points").containsExactly(1000, 1000);
        assertThat(model.run().requests()).isEqualTo(model.iterations() + 1);
    }

    @Test
    void shouldClassifyTwoClasses() {
        Random random = new Random(2);
        double[][] features = new double[2000][];
        int[] labels = new int[features.length];
        for (int i = 0; i < labels.length; i++) {
            features[i] = new double[] {random.nextGaussian(), random.nextGaussian()};
            double margin = 2 * features[i][0] - features[i][1] + 0.5;
            labels[i] = random.nextDouble() < 1 / (1 + Math.exp(-margin)) ? 1 : 0;
        }
        LogisticModel model = Accelerators.logisticRegression(features, labels, 0.01, 100, 1e-9);
        assertThat(model.converged()).isTrue();
        // The gradient, computed here, is zero there.
        double[] gradient = new double[3];
        int right = 0;
        for (int i = 0; i < labels.length; i++) {
            double[] w = model.coefficients()[0];
            double margin = w[0] * features[i][0] + w[1] * features[i][1] + model.intercepts()[0];
            double error = 1 / (1 + Math.exp(-margin)) - labels[i];
            gradient[0] += error * features[i][0] / labels.length;
            gradient[1] += error * features[i][1] / labels.length;
            gradient[2] += error / labels.length;
            right += model.predict(features[i]) == labels[i] ? 1 : 0;
        }
        assertThat(gradient[0] + 0.01 * model.coefficients()[0][0]).isCloseTo(0, within(1e-7));
        assertThat(gradient[1] + 0.01 * model.coefficients()[0][1]).isCloseTo(0, within(1e-7));
        assertThat(gradient[2]).isCloseTo(0, within(1e-7));
        assertThat(right).isGreaterThan(1500);
    }

    @Test
    void shouldClassifyThreeClasses() {
        Random random = new Random(3);
        double[][] features = new double[900][];
        int[] labels = new int[features.length];
        for (int i = 0; i < labels.length; i++) {
            labels[i] = i % 3;
            features[i] = new double[] {4 * (i % 3 == 0 ? 1 : 0) + random.nextGaussian(),
                4 * (i % 3 == 1 ? 1 : 0) + random.nextGaussian()};
        }
        LogisticModel model = Accelerators.logisticRegression(features, labels, 1e-3, 200, 1e-6);
        assertThat(model.converged()).isTrue();
        long right = IntStream.range(0, labels.length)
            .filter(i -> model.predict(features[i]) == labels[i]).count();
        assertThat(right).isGreaterThan(850);
    }

    @Test
    void shouldRefuseTablesThatAreNone() {
        double[][] points = {{1, 2}, {3, 4}};
        int[] labels = {0, 1};
        ImagesTest.requireFailure(() -> Accelerators.kMeans(new double[0][], points, 1, 0), ErrorCode.INVALID_ARGUMENT, "empty");
        ImagesTest.requireFailure(() -> Accelerators.kMeans(points, new double[][] {{1}}, 1, 0), ErrorCode.INVALID_ARGUMENT,
            "centers=1", "points=2");
        ImagesTest.requireFailure(() -> Accelerators.kMeans(new double[][] {{1, 2}, {3}}, points, 1, 0),
            ErrorCode.INVALID_ARGUMENT, "row=1", "length=1");
        ImagesTest.requireFailure(() -> Accelerators.kMeans(new double[][] {{1, Double.NaN}}, points, 1, 0),
            ErrorCode.INVALID_ARGUMENT, "row=0", "NaN");
        ImagesTest.requireFailure(() -> Accelerators.kMeans(points, points, -1, 0), ErrorCode.INVALID_ARGUMENT,
            "maxIterations=-1");
        ImagesTest.requireFailure(() -> Accelerators.logisticRegression(points, new int[] {0}, 0, 1, 0),
            ErrorCode.INVALID_ARGUMENT, "labels=1", "rows=2");
        ImagesTest.requireFailure(() -> Accelerators.logisticRegression(points, new int[] {0, 0}, 0, 1, 0),
            ErrorCode.INVALID_ARGUMENT, "two classes");
        ImagesTest.requireFailure(() -> Accelerators.logisticRegression(points, labels, Double.NaN, 1, 0),
            ErrorCode.INVALID_ARGUMENT, "penalty=NaN");
    }

    @Test
    void shouldRunWhatTheEarlierCoralRan() throws Exception {
        int size = 1024;
        ByteBuf a = InAccelByteBufAllocator.DEFAULT.buffer(size * Float.BYTES);
        ByteBuf b = InAccelByteBufAllocator.DEFAULT.buffer(size * Float.BYTES);
        ByteBuf c = InAccelByteBufAllocator.DEFAULT.buffer(size * Float.BYTES);
        for (int i = 0; i < size; i++) {
            assertThat(c.getFloatLE(i * Float.BYTES)).isZero();
            a.setFloatLE(i * Float.BYTES, i);
            b.setFloatLE(i * Float.BYTES, 2 * i);
        }
        InAccel.Request request = new InAccel.Request(ADD);
        request.arg(a).arg(b).arg(c).arg(size);
        Future<Void> response = InAccel.submit(request);
        assertThat(response.get()).isNull();
        assertThat(c.getFloatLE(1000 * Float.BYTES)).isEqualTo(3000);
        InAccel.submit(new InAccel.Request(ADD).arg(size, 3).arg(c, 2).arg(b.nioBuffer(0, b.capacity()), 1).arg(b, 0)).get();
        assertThat(c.getFloatLE(1000 * Float.BYTES)).isEqualTo(4000);
        c.release();
        b.release();
        a.release();
    }

    @Test
    void shouldCheckArgumentsAgainstTheManifest() {
        ByteBuf a = InAccelByteBufAllocator.DEFAULT.buffer(64);
        ByteBuf b = InAccelByteBufAllocator.DEFAULT.buffer(64);
        requireFailure(new InAccel.Request(ADD).arg(a).arg(a).arg(b).arg(16L), ErrorCode.INVALID_ARGUMENT, "parameter=n",
            "given=Long", "expected=INT");
        requireFailure(new InAccel.Request(ADD).arg(a).arg(a).arg(1.5).arg(16), ErrorCode.INVALID_ARGUMENT, "parameter=c",
            "given=Double", "expected=FLOATS");
        requireFailure(new InAccel.Request(ADD).arg(a).arg(a), ErrorCode.INVALID_ARGUMENT, "given=2", "expected=4");
        requireFailure(new InAccel.Request(ADD).arg(a).arg(a).arg(b).arg(17), ErrorCode.OUT_OF_RANGE, "neededBytes=68");
        requireFailure(new InAccel.Request(ADD).arg(a).arg(a).arg(a).arg(16), ErrorCode.INVALID_ARGUMENT, "overlaps");
        requireFailure(new InAccel.Request(ADD).arg(a, 1).arg(16, 3), ErrorCode.INVALID_ARGUMENT, "index=0");
        requireFailure(new InAccel.Request("no.such.Kernel").arg(16), ErrorCode.UNKNOWN_ACCELERATOR, "no.such.Kernel");
        ImagesTest.requireFailure(() -> new InAccel.Request(ADD).arg(ByteBuffer.allocateDirect(64)),
            ErrorCode.INVALID_ARGUMENT, "shared memory", "InAccelByteBufAllocator");
        ImagesTest.requireFailure(() -> new InAccel.Request(ADD).arg(new BigDecimal(1)), ErrorCode.INVALID_ARGUMENT,
            "java.math.BigDecimal");
        a.release();
        b.release();
    }

    private static void requireFailure(InAccel.Request request, ErrorCode code, String... fragments) {
        ExecutionException failure =
            catchThrowableOfType(() -> InAccel.submit(request).get(), ExecutionException.class);
        ImagesTest.requireFailure(() -> {
            throw failure.getCause();
        }, code, fragments);
    }
}
