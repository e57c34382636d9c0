package com.inaccel.coral.demo;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleToIntFunction;
import javax.imageio.ImageIO;

/**
 * Vectors as pictures: a grid of square tiles, each under-written with a caption, and a legend where the palette needs one.
 *
 * <p>Captions are drawn pixel by pixel from a small table, since AWT's text needs fonts that a bare server lacks.
 */
final class TilesImage {
    private static final int SCALE = 4;
    private static final int MARGIN = 12;
    private static final int CAPTION_SCALE = 2;
    private static final int GLYPH_WIDTH = 5;
    private static final int GLYPH_HEIGHT = 7;
    private static final int PAPER = 0xFFFFFF;
    private static final int INK = 0x303030;
    private static final int RED = 0xB2182B;
    private static final int BLUE = 0x2166AC;
    private static final int LEGEND_WIDTH = 160;
    private static final int LEGEND_HEIGHT = 10;

    /** Seven rows of five pixels a character, top first. */
    private static final String GLYPHS = """
        0 .###. #...# #..## #.#.# ##..# #...# .###.
        1 ..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.
        2 .###. #...# ....# ...#. ..#.. .#... #####
        3 ##### ...#. ..#.. ...#. ....# #...# .###.
        4 ...#. ..##. .#.#. #..#. ##### ...#. ...#.
        5 ##### #.... ####. ....# ....# #...# .###.
        6 ..##. .#... #.... ####. #...# #...# .###.
        7 ##### ....# ...#. ..#.. .#... .#... .#...
        8 .###. #...# #...# .###. #...# #...# .###.
        9 .###. #...# #...# .#### ....# ...#. .##..
        , ..... ..... ..... ..... ..##. ..#.. .#...
        : ..... ..##. ..##. ..... ..##. ..##. .....
        . ..... ..... ..... ..... ..... ..##. ..##.
        - ..... ..... ..... ##### ..... ..... .....
        e ..... ..... .###. #...# ##### #.... .####
        + ..... ..#.. ..#.. ##### ..#.. ..#.. .....
        """;

    /** From a value's share of the greatest magnitude of all, -1 to 1, to its colour. */
    enum Palette {
        /** From 0 and all below it in black to the greatest value in white: brightness. */
        LIGHT {
            @Override
            int colour(double share) {
                return mix(0, PAPER, Math.max(0, share));
            }
        },
        /** Blue below zero, white at it, red above: signs. */
        DIVERGING {
            @Override
            int colour(double share) {
                return mix(PAPER, share < 0 ? BLUE : RED, Math.abs(share));
            }
        };

        abstract int colour(double share);

        private static int mix(int from, int to, double share) {
            int colour = 0;
            for (int shift = 16; shift >= 0; shift -= 8) {
                int start = from >> shift & 0xFF;
                colour |= (int) Math.round(start + ((to >> shift & 0xFF) - start) * share) << shift;
            }
            return colour;
        }
    }

    private TilesImage() { }

    /**
     * Writes a PNG, replacing what was there.
     *
     * @param tiles each of side × side values, all on one scale
     * @param captions of digits, commas, colons and blanks
     */
    static void write(Path file, List<double[]> tiles, List<String> captions, int side, Palette palette)
            throws IOException {
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        if (!ImageIO.write(draw(tiles, captions, side, palette), "png", file.toFile())) {
            throw new IOException("this Java cannot write PNG: file=" + file);
        }
    }

    static BufferedImage draw(List<double[]> tiles, List<String> captions, int side, Palette palette) {
        // As wide as a line of tiles twice as long as the grid is high: 5 × 2 for ten.
        int columns = Math.max(1, (int) Math.ceil(Math.sqrt(2.0 * tiles.size())));
        int rows = (tiles.size() + columns - 1) / columns;
        int tile = side * SCALE;
        int cellWidth = tile + MARGIN;
        int cellHeight = tile + MARGIN + GLYPH_HEIGHT * CAPTION_SCALE + MARGIN / 2;
        double most = tiles.stream().flatMapToDouble(Arrays::stream)
            .map(value -> palette == Palette.LIGHT ? value : Math.abs(value)).max().orElse(0);
        boolean legend = palette == Palette.DIVERGING;
        String label = legend ? String.format(Locale.ROOT, "%.2g", most) : "";
        int legendWidth = legend ? 2 * MARGIN + LEGEND_WIDTH + 2 * (textWidth("-" + label) + MARGIN / 2) : 0;
        BufferedImage image = new BufferedImage(Math.max(columns * cellWidth + MARGIN, legendWidth),
            rows * cellHeight + MARGIN + (legend ? GLYPH_HEIGHT * CAPTION_SCALE + MARGIN : 0), BufferedImage.TYPE_INT_RGB);
        fill(image, 0, 0, image.getWidth(), image.getHeight(), PAPER);
        for (int index = 0; index < tiles.size(); index++) {
            int left = MARGIN + index % columns * cellWidth;
            int top = MARGIN + index / columns * cellHeight;
            drawTile(image, left, top, tiles.get(index), side, value -> palette.colour(most > 0 ? value / most : 0));
            drawText(image, left, top + tile + MARGIN / 2, captions.get(index));
        }
        if (legend) {
            drawLegend(image, (image.getWidth() - legendWidth) / 2 + MARGIN, rows * cellHeight + MARGIN, label, palette);
        }
        return image;
    }

    private static void drawTile(BufferedImage image, int left, int top, double[] values, int side,
            DoubleToIntFunction colour) {
        for (int row = 0; row < side; row++) {
            for (int column = 0; column < side; column++) {
                fill(image, left + column * SCALE, top + row * SCALE, SCALE, SCALE,
                    colour.applyAsInt(values[row * side + column]));
            }
        }
    }

    /** All colours in a bar, between the values at its ends. */
    private static void drawLegend(BufferedImage image, int left, int top, String label, Palette palette) {
        int bar = left + textWidth("-" + label) + MARGIN / 2;
        drawText(image, left, top, "-" + label);
        for (int x = 0; x < LEGEND_WIDTH; x++) {
            fill(image, bar + x, top + 2, 1, LEGEND_HEIGHT, palette.colour(2.0 * x / (LEGEND_WIDTH - 1) - 1));
        }
        drawText(image, bar + LEGEND_WIDTH + MARGIN / 2, top, "+" + label);
    }

    private static int textWidth(String text) {
        return text.length() * (GLYPH_WIDTH + 1) * CAPTION_SCALE;
    }

    private static void drawText(BufferedImage image, int left, int top, String text) {
        int x = left;
        for (int i = 0; i < text.length(); i++) {
            char character = text.charAt(i);
            if (character != ' ') {
                drawGlyph(image, x, top, character);
            }
            x += (GLYPH_WIDTH + 1) * CAPTION_SCALE;
        }
    }

    private static void drawGlyph(BufferedImage image, int left, int top, char character) {
        String[] glyph = GLYPHS.lines().filter(line -> line.charAt(0) == character).findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no such glyph: character=" + character)).split(" ");
        for (int row = 0; row < GLYPH_HEIGHT; row++) {
            for (int column = 0; column < GLYPH_WIDTH; column++) {
                if (glyph[row + 1].charAt(column) == '#') {
                    fill(image, left + column * CAPTION_SCALE, top + row * CAPTION_SCALE,
                        CAPTION_SCALE, CAPTION_SCALE, INK);
                }
            }
        }
    }

    private static void fill(BufferedImage image, int left, int top, int width, int height, int rgb) {
        for (int y = top; y < Math.min(top + height, image.getHeight()); y++) {
            for (int x = left; x < Math.min(left + width, image.getWidth()); x++) {
                image.setRGB(x, y, rgb);
            }
        }
    }
}
