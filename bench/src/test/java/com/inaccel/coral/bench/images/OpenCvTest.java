package com.inaccel.coral.bench.images;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Images;
import com.inaccel.coral.Session;
import com.inaccel.coral.WarpAffine.Border;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.opencv.core.Mat;

/** Edges and warps of photographs are OpenCV's. */
class OpenCvTest {
    private static final double LEAST_EQUAL_EDGES = 0.99;
    private static final double LEAST_NEAR_PIXELS = 0.999;

    private static Session session;
    private static Images images;

    @BeforeAll
    static void open() {
        session = Coral.open(Coral.EMBEDDED);
        images = new Images(session);
    }

    @AfterAll
    static void close() {
        images.close();
        session.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"chelsea.png", "coffee.png", "rocket.jpg", "camera.png", "fig.jpg"})
    void shouldFindOpenCvsEdges(String photograph) throws IOException {
        for (Picture picture : List.of(Picture.grey(photograph), Picture.colour(photograph))) {
            for (boolean euclidean : new boolean[] {false, true}) {
                // Without smoothing the definition is the same, and so is every pixel.
                assertThat(agreement(new Task.Edges(0, 60.5, 150, euclidean), picture)).isEqualTo(1);
                for (double sigma : new double[] {0.8, 1.4, 3}) {
                    assertThat(agreement(new Task.Edges(sigma, 40, 90, euclidean), picture)).as("sigma %s", sigma)
                        .isGreaterThan(LEAST_EQUAL_EDGES);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"chelsea.png", "rocket.jpg", "camera.png", "fig.jpg"})
    void shouldWarpAsOpenCvDoes(String photograph) throws IOException {
        for (Picture picture : List.of(Picture.grey(photograph), Picture.colour(photograph))) {
            List<double[]> matrices = new ArrayList<>(List.of(Task.rotation(picture, 10, 1.1), Task.rotation(picture, -75, 0.6),
                new double[] {1, 0.3, -20.5, -0.1, 0.8, 33.25}, new double[] {-1, 0, picture.width() - 1.0, 0, 1, 0}));
            for (double[] matrix : matrices) {
                for (Border border : Border.values()) {
                    for (boolean bilinear : new boolean[] {false, true}) {
                        Task task = new Task.Warp(matrix, bilinear, border);
                        assertThat(agreement(task, picture)).as(task.name()).isGreaterThan(LEAST_NEAR_PIXELS);
                    }
                }
            }
        }
    }

    @Test
    void shouldAgreeOnTwelveMegapixels() throws IOException {
        Picture picture = Picture.colour(Picture.PHOTOGRAPHS.get(0));
        for (Task task : Task.race(picture)) {
            assertThat(agreement(task, picture)).as(task.name())
                .isGreaterThan(task.tolerance() == 0 ? LEAST_EQUAL_EDGES : LEAST_NEAR_PIXELS);
        }
    }

    private static double agreement(Task task, Picture picture) {
        Mat expected = new Mat();
        task.openCv(picture.mat(), expected);
        ByteBuffer out = ByteBuffer.allocateDirect(picture.width() * picture.height() * task.channels(picture));
        task.coral(images, picture, out);
        byte[] actual = new byte[out.capacity()];
        out.get(0, actual);
        return Picture.agreement(Picture.bytes(expected), actual, task.tolerance());
    }
}
