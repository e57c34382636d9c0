package com.inaccel.coral.functions.images;

import com.inaccel.coral.EdgeDetection;
import com.inaccel.coral.Images;
import java.awt.image.BufferedImage;
import java.util.Locale;
import java.util.Set;

/** Canny's edges, white on black. */
record Edges(double sigma, double low, double high, Norm norm) implements Operation {
    static final String NAME = "edges";
    private static final double SIGMA = 1.4;
    private static final double LOW = 50;
    private static final double HIGH = 100;
    private static final double MOST_GRADIENT = 1e6;

    /** How long gradients are. */
    enum Norm { L1, L2 }

    /** Of {@code sigma=1.4,low=50,high=100,norm=l1}, any of them left out. */
    static Edges of(String text) {
        Arguments arguments = new Arguments(NAME, text);
        double low = arguments.number("low", LOW, 0, MOST_GRADIENT);
        Edges edges = new Edges(arguments.number("sigma", SIGMA, 0, EdgeDetection.MAX_SIGMA), low,
            arguments.number("high", Math.max(low, HIGH), low, MOST_GRADIENT), arguments.word("norm", Norm.L1, Norm.class));
        arguments.requireNoMore();
        return edges;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String arguments() {
        return "sigma=" + sigma + ",low=" + low + ",high=" + high + ",norm=" + norm.name().toLowerCase(Locale.ROOT);
    }

    @Override
    public Set<String> accelerators() {
        return Set.of("com.inaccel.vision.Image.Canny" + norm);
    }

    @Override
    public Applied apply(Images accelerators, BufferedImage image) {
        EdgeDetection options = EdgeDetection.defaults().sigma(sigma).thresholds(low, high);
        BufferedImage edges = new BufferedImage(image.getWidth(), image.getHeight(), BufferedImage.TYPE_BYTE_GRAY);
        return Applied.of(edges, accelerators.edgeDetection(image, edges, norm == Norm.L2 ? options.euclidean() : options));
    }
}
