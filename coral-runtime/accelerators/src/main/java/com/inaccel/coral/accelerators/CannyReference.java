package com.inaccel.coral.accelerators;

import com.inaccel.coral.accelerators.Canny.Norm;
import com.inaccel.coral.imaging.Hysteresis;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.stream.IntStream;

/** The contract of {@code canny.cl} in pure Java, in strips of rows on the common pool. */
final class CannyReference {
    private static final int STRIP_ROWS = 64;
    /** The tangent of 22.5 degrees, in 1/32768. */
    private static final int TANGENT = 13573;

    private final ByteBuffer image;
    private final int width;
    private final int height;
    private final int channels;
    private final int[] weights;
    private final Norm norm;
    private final int low;
    private final int high;

    CannyReference(ByteBuffer image, int width, int height, int channels, int[] weights, Norm norm, int low, int high) {
        this.image = image;
        this.width = width;
        this.height = height;
        this.channels = channels;
        this.weights = weights;
        this.norm = norm;
        this.low = low;
        this.high = high;
    }

    void detect(ByteBuffer edges, int firstRow, int rows, boolean weak) {
        IntStream.range(0, Vision.ceilDiv(rows, STRIP_ROWS)).parallel().forEach(strip -> {
            int from = strip * STRIP_ROWS;
            new Strip(firstRow + from).mark(edges, from, Math.min(rows, from + STRIP_ROWS));
        });
        Hysteresis hysteresis = new Hysteresis(edges, width, rows);
        hysteresis.grow();
        if (!weak) {
            hysteresis.forgetWeak();
        }
    }

    /** A few rows at a time, from its first one downwards. */
    private final class Strip {
        /* Rows of the image, smoothed; which, by slot. Three follow one another. */
        private final byte[][] smooth = new byte[3][width * channels];
        private final int[] smoothRow = {-1, -1, -1};
        /* Rows smoothed across only, as many as the Gaussian is high. */
        private final int[][] lines = new int[2 * weights.length - 1][width * channels];
        private final int[] lineRow = new int[2 * weights.length - 1];
        /* Of the rows y - 1, y and y + 1: a column more on either side, which are zero like rows outside the image. */
        private final int[][] magnitude = new int[3][width + 2];
        private final int[][] directionX = new int[3][width];
        private final int[][] directionY = new int[3][width];
        private final byte[] source = new byte[width * channels];
        private int y;

        Strip(int first) {
            y = first;
            Arrays.fill(lineRow, -1);
        }

        void mark(ByteBuffer edges, int from, int to) {
            byte[] marks = new byte[width];
            gradient(y - 1);
            gradient(y);
            for (int row = from; row < to; row++, y++) {
                gradient(y + 1);
                suppress(marks);
                edges.put(row * width, marks);
            }
        }

        private void gradient(int row) {
            int[] m = magnitude[Math.floorMod(row, 3)];
            if (row < 0 || row >= height) {
                Arrays.fill(m, 0);
                return;
            }
            byte[] above = smooth(Vision.clamp(row - 1, height));
            byte[] here = smooth(row);
            byte[] below = smooth(Vision.clamp(row + 1, height));
            int[] dx = directionX[Math.floorMod(row, 3)];
            int[] dy = directionY[Math.floorMod(row, 3)];
            for (int x = 0; x < width; x++) {
                int left = Math.max(0, x - 1) * channels;
                int right = Math.min(width - 1, x + 1) * channels;
                m[x + 1] = -1;
                for (int c = 0; c < channels; c++) {
                    int l = left + c;
                    int r = right + c;
                    int i = x * channels + c;
                    int gx = (above[r] & 0xff) + 2 * (here[r] & 0xff) + (below[r] & 0xff)
                        - (above[l] & 0xff) - 2 * (here[l] & 0xff) - (below[l] & 0xff);
                    int gy = (below[l] & 0xff) + 2 * (below[i] & 0xff) + (below[r] & 0xff)
                        - (above[l] & 0xff) - 2 * (above[i] & 0xff) - (above[r] & 0xff);
                    int size = norm == Norm.L1 ? Math.abs(gx) + Math.abs(gy) : gx * gx + gy * gy;
                    if (size > m[x + 1]) {
                        m[x + 1] = size;
                        dx[x] = gx;
                        dy[x] = gy;
                    }
                }
            }
        }

        private byte[] smooth(int row) {
            byte[] into = smooth[row % 3];
            if (smoothRow[row % 3] == row) {
                return into;
            }
            smoothRow[row % 3] = row;
            int radius = weights.length - 1;
            if (radius == 0) {
                image.get(row * width * channels, into);
                return into;
            }
            int[][] near = new int[lines.length][];
            for (int k = -radius; k <= radius; k++) {
                near[k + radius] = line(Vision.reflect(row + k, height));
            }
            for (int i = 0; i < into.length; i++) {
                int sum = 128 + radius;
                for (int k = 0; k < near.length; k++) {
                    sum += (near[k][i] * weights[Math.abs(k - radius)]) >> 8;
                }
                into[i] = (byte) (sum >> 8);
            }
            return into;
        }

        private int[] line(int row) {
            int[] line = lines[row % lines.length];
            if (lineRow[row % lines.length] == row) {
                return line;
            }
            lineRow[row % lines.length] = row;
            image.get(row * width * channels, source);
            int radius = weights.length - 1;
            Arrays.fill(line, 0);
            for (int k = -radius; k <= radius; k++) {
                int weight = weights[Math.abs(k)];
                for (int x = 0; x < width; x++) {
                    int from = Vision.reflect(x + k, width) * channels;
                    for (int c = 0; c < channels; c++) {
                        line[x * channels + c] += weight * (source[from + c] & 0xff);
                    }
                }
            }
            return line;
        }

        private void suppress(byte[] marks) {
            int[] above = magnitude[Math.floorMod(y - 1, 3)];
            int[] here = magnitude[Math.floorMod(y, 3)];
            int[] below = magnitude[Math.floorMod(y + 1, 3)];
            for (int x = 0; x < width; x++) {
                int m = here[x + 1];
                marks[x] = Hysteresis.NONE;
                if (m <= low) {
                    continue;
                }
                int gx = directionX[Math.floorMod(y, 3)][x];
                int gy = directionY[Math.floorMod(y, 3)][x];
                int across = Math.abs(gx);
                int down = Math.abs(gy) << 15;
                boolean largest;
                if (down < across * TANGENT) {
                    largest = m > here[x] && m >= here[x + 2];
                } else if (down > across * (TANGENT + (2 << 15))) {
                    largest = m > above[x + 1] && m >= below[x + 1];
                } else {
                    int side = (gx ^ gy) < 0 ? -1 : 1;
                    largest = m > above[x + 1 - side] && m > below[x + 1 + side];
                }
                if (largest) {
                    marks[x] = m > high ? Hysteresis.STRONG : Hysteresis.WEAK;
                }
            }
        }
    }
}
