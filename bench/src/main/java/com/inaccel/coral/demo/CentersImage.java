package com.inaccel.coral.demo;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;

/**
 * Centers as pictures: a grid of square images, each under-written with a caption.
 *
 * <p>Captions are drawn pixel by pixel from a small table, since AWT's text needs fonts that a bare server lacks.
 */
final class CentersImage {
    private static final int SCALE = 4;
    private static final int MARGIN = 12;
    private static final int CAPTION_SCALE = 2;
    private static final int GLYPH_WIDTH = 5;
    private static final int GLYPH_HEIGHT = 7;
    private static final int PAPER = 0xFFFFFF;
    private static final int INK = 0x303030;

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
        """;

    private CentersImage() { }

    /**
     * Writes a PNG, replacing what was there.
     *
     * @param centers each of side × side values; shown from 0 (black) to the greatest value of all (white)
     * @param captions of digits, commas, colons and blanks
     */
    static void write(Path file, List<double[]> centers, List<String> captions, int side) throws IOException {
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        if (!ImageIO.write(draw(centers, captions, side), "png", file.toFile())) {
            throw new IOException("this Java cannot write PNG: file=" + file);
        }
    }

    static BufferedImage draw(List<double[]> centers, List<String> captions, int side) {
        // As wide as a line of centers twice as long as the grid is high: 5 × 2 for ten.
        int columns = Math.max(1, (int) Math.ceil(Math.sqrt(2.0 * centers.size())));
        int rows = (centers.size() + columns - 1) / columns;
        int tile = side * SCALE;
        int cellWidth = tile + MARGIN;
        int cellHeight = tile + MARGIN + GLYPH_HEIGHT * CAPTION_SCALE + MARGIN / 2;
        BufferedImage image = new BufferedImage(
            columns * cellWidth + MARGIN, rows * cellHeight + MARGIN, BufferedImage.TYPE_INT_RGB);
        fill(image, 0, 0, image.getWidth(), image.getHeight(), PAPER);
        double white = centers.stream().flatMapToDouble(Arrays::stream).max().orElse(0);
        for (int index = 0; index < centers.size(); index++) {
            int left = MARGIN + index % columns * cellWidth;
            int top = MARGIN + index / columns * cellHeight;
            drawCenter(image, left, top, centers.get(index), side, white);
            drawText(image, left, top + tile + MARGIN / 2, captions.get(index));
        }
        return image;
    }

    private static void drawCenter(BufferedImage image, int left, int top, double[] center, int side, double white) {
        for (int row = 0; row < side; row++) {
            for (int column = 0; column < side; column++) {
                double share = white > 0 ? Math.max(0, center[row * side + column]) / white : 0;
                int grey = (int) Math.round(255 * share);
                fill(image, left + column * SCALE, top + row * SCALE, SCALE, SCALE, grey << 16 | grey << 8 | grey);
            }
        }
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
