package com.inaccel.coral.imaging;

import java.nio.ByteBuffer;

/**
 * The last step of edge detection in plain Java: a weak pixel is an edge when it is connected, over any of its 8 neighbours
 * and through other weak ones, to a strong one. The result does not depend on the order of work.
 *
 * <p>A map has a byte a pixel, row by row: {@link #NONE}, {@link #WEAK}, {@link #STRONG} (an edge whose neighbours have not been
 * looked at) or {@link #EDGE}. For one thread.
 */
public final class Hysteresis {
    public static final byte NONE = 0;
    public static final byte WEAK = 1;
    public static final byte STRONG = 2;
    public static final byte EDGE = (byte) 255;

    /** Pixels that wait for their turn. What finds no room stays STRONG in the map and is found by the next scan. */
    private static final int WAITING = 1 << 16;

    private final ByteBuffer map;
    private final int width;
    private final int height;
    private final int[] waiting = new int[WAITING];
    private int count;
    private boolean overflown;

    public Hysteresis(ByteBuffer map, int width, int height) {
        this.map = map;
        this.width = width;
        this.height = height;
    }

    /** Makes edges of the strong pixels and of all that are connected to them. */
    public void grow() {
        byte[] row = new byte[width];
        do {
            overflown = false;
            for (int y = 0; y < height; y++) {
                map.get(y * width, row);
                for (int x = 0; x < width; x++) {
                    if (row[x] == STRONG && map.get(y * width + x) == STRONG) {
                        reach(y * width + x);
                        follow();
                    }
                }
            }
        } while (overflown);
    }

    /**
     * Lets edges grow over the border between the rows {@code row - 1} and {@code row}, of parts that have grown each by
     * itself, and on from there.
     */
    public void join(int row) {
        for (int x = 0; x < width; x++) {
            for (int other = Math.max(0, x - 1); other <= Math.min(width - 1, x + 1); other++) {
                meet((row - 1) * width + x, row * width + other);
                meet(row * width + other, (row - 1) * width + x);
            }
        }
        follow();
        if (overflown) {
            grow();
        }
    }

    /** Weak pixels that are connected to no strong one are none. */
    public void forgetWeak() {
        byte[] row = new byte[width];
        for (int y = 0; y < height; y++) {
            map.get(y * width, row);
            boolean changed = false;
            for (int x = 0; x < width; x++) {
                if (row[x] == WEAK) {
                    row[x] = NONE;
                    changed = true;
                }
            }
            if (changed) {
                map.put(y * width, row);
            }
        }
    }

    private void meet(int edge, int neighbour) {
        if (map.get(edge) == EDGE && map.get(neighbour) == WEAK) {
            reach(neighbour);
        }
    }

    private void reach(int pixel) {
        if (count < WAITING) {
            map.put(pixel, EDGE);
            waiting[count++] = pixel;
        } else {
            map.put(pixel, STRONG);
            overflown = true;
        }
    }

    private void follow() {
        while (count > 0) {
            int pixel = waiting[--count];
            int y = pixel / width;
            int x = pixel - y * width;
            for (int ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
                for (int nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
                    byte value = map.get(ny * width + nx);
                    if (value == WEAK || (value == STRONG && count < WAITING)) {
                        reach(ny * width + nx);
                    }
                }
            }
        }
    }
}
