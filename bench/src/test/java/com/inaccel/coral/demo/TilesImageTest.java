package com.inaccel.coral.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.inaccel.coral.demo.TilesImage.Palette;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TilesImageTest {
    private static final int WHITE = 0xFFFFFFFF;
    private static final int BLACK = 0xFF000000;

    @TempDir
    private Path directory;

    @Test
    void shouldWriteAPngThatReadsBackWithTheGreatestValueWhiteAndZeroBlack() throws IOException {
        Path file = directory.resolve("new").resolve("centers.png");

        TilesImage.write(file, List.of(new double[] {0, 10, 5, -3}), List.of("0: 1,234"), 2, Palette.LIGHT);

        BufferedImage image = ImageIO.read(file.toFile());
        assertThat(image.getRGB(12, 12)).isEqualTo(BLACK);
        assertThat(image.getRGB(12 + 4, 12)).isEqualTo(WHITE);
        assertThat(image.getRGB(12, 12 + 4) & 0xFF).isEqualTo(128);
        assertThat(image.getRGB(12 + 4, 12 + 4)).as("below zero").isEqualTo(BLACK);
    }

    @Test
    void shouldShowSignsAsColoursOnOneScaleWithALegendUnderneath() {
        List<double[]> tiles = List.of(new double[] {0, 10, -10, 5}, new double[] {1, 0, 0, 0});

        BufferedImage image = TilesImage.draw(tiles, List.of("0", "1"), 2, Palette.DIVERGING);

        assertThat(image.getRGB(12, 12)).isEqualTo(WHITE);
        int red = image.getRGB(12 + 4, 12);
        int blue = image.getRGB(12, 12 + 4);
        assertThat(red >> 16 & 0xFF).isGreaterThan(red & 0xFF);
        assertThat(blue & 0xFF).isGreaterThan(blue >> 16 & 0xFF);
        assertThat(image.getRGB(12 + 4, 12 + 4) >> 8 & 0xFF).as("half as green as white and red")
            .isBetween(red >> 8 & 0xFF, 0xFF);
        List<Integer> below = IntStream.range(0, image.getWidth())
            .mapToObj(x -> image.getRGB(x, image.getHeight() - 12 - 7)).toList();
        assertThat(below).as("both ends of the legend").contains(red, blue);
    }

    @Test
    void shouldLayTenCentersOutAsTwoRowsOfFive() {
        List<double[]> centers = java.util.Collections.nCopies(10, new double[28 * 28]);

        BufferedImage image = TilesImage.draw(centers, java.util.Collections.nCopies(10, "1: 1"), 28, Palette.LIGHT);

        assertThat(image.getWidth()).isEqualTo(5 * (28 * 4 + 12) + 12);
        assertThat(image.getHeight()).isEqualTo(2 * (28 * 4 + 12 + 7 * 2 + 6) + 12);
    }

    @Test
    void shouldDrawEveryCharacterOfACaptionDifferently() {
        List<double[]> center = List.of(new double[28 * 28]);

        List<Integer> pictures = "0123456789,:.-+e".chars().mapToObj(character -> {
            BufferedImage image = TilesImage.draw(center, List.of(Character.toString(character)), 28,
                Palette.LIGHT);
            return java.util.Arrays.hashCode(image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0,
                image.getWidth()));
        }).toList();

        assertThat(pictures).doesNotHaveDuplicates();
    }

    @Test
    void shouldRefuseACharacterThatItCannotDraw() {
        assertThatThrownBy(() -> TilesImage.draw(List.of(new double[1]), List.of("x"), 1, Palette.LIGHT))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("character=x");
    }
}
