package com.inaccel.coral.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CentersImageTest {
    private static final int WHITE = 0xFFFFFFFF;
    private static final int BLACK = 0xFF000000;

    @TempDir
    private Path directory;

    @Test
    void shouldWriteAPngThatReadsBackWithTheGreatestValueWhiteAndZeroBlack() throws IOException {
        Path file = directory.resolve("new").resolve("centers.png");

        CentersImage.write(file, List.of(new double[] {0, 10, 5, -3}), List.of("0: 1,234"), 2);

        BufferedImage image = ImageIO.read(file.toFile());
        assertThat(image.getRGB(12, 12)).isEqualTo(BLACK);
        assertThat(image.getRGB(12 + 4, 12)).isEqualTo(WHITE);
        assertThat(image.getRGB(12, 12 + 4) & 0xFF).isEqualTo(128);
        assertThat(image.getRGB(12 + 4, 12 + 4)).as("below zero").isEqualTo(BLACK);
    }

    @Test
    void shouldLayTenCentersOutAsTwoRowsOfFive() {
        List<double[]> centers = java.util.Collections.nCopies(10, new double[28 * 28]);

        BufferedImage image = CentersImage.draw(centers, java.util.Collections.nCopies(10, "1: 1"), 28);

        assertThat(image.getWidth()).isEqualTo(5 * (28 * 4 + 12) + 12);
        assertThat(image.getHeight()).isEqualTo(2 * (28 * 4 + 12 + 7 * 2 + 6) + 12);
    }

    @Test
    void shouldDrawEveryCharacterOfACaptionDifferently() {
        List<double[]> center = List.of(new double[28 * 28]);

        List<Integer> pictures = "0123456789,:".chars().mapToObj(character -> {
            BufferedImage image = CentersImage.draw(center, List.of(Character.toString(character)), 28);
            return java.util.Arrays.hashCode(image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0,
                image.getWidth()));
        }).toList();

        assertThat(pictures).doesNotHaveDuplicates();
    }

    @Test
    void shouldRefuseACharacterThatItCannotDraw() {
        assertThatThrownBy(() -> CentersImage.draw(List.of(new double[1]), List.of("x"), 1))
            .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("character=x");
    }
}
