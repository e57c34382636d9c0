package com.inaccel.coral.simulator;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** How many requests wait for longer than how long: a line a rule, on logarithmic axes, so that the rarest show as well. */
final class WaitingChart {
    private static final int WIDTH = 1000;
    private static final int HEIGHT = 600;
    /** Points of a line to each power of ten. */
    private static final int DENSITY = 40;
    /** What has not waited has no place on a logarithmic axis. */
    private static final long LEAST_NANOS = 100_000;
    /** Told apart by everybody: Okabe and Ito's. */
    private static final Color[] COLORS =
        {new Color(0xD55E00), new Color(0x0072B2), new Color(0x009E73), new Color(0x7F7F7F)};

    private WaitingChart() { }

    static void write(String scenario, List<Outcome> outcomes, Path file) throws IOException {
        System.setProperty("java.awt.headless", "true");
        XYChart chart = new XYChartBuilder().width(WIDTH).height(HEIGHT)
            .title("Scenario \u201c" + scenario + "\u201d: requests that wait longer than \u2026")
            .xAxisTitle("waiting time, seconds").yAxisTitle("part of all requests").build();
        chart.getStyler().setXAxisLogarithmic(true).setYAxisLogarithmic(true);
        chart.getStyler().setLegendPosition(LegendPosition.OutsideS).setChartBackgroundColor(Color.WHITE)
            .setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 16));
        chart.getStyler().setLegendLayout(org.knowm.xchart.style.Styler.LegendLayout.Horizontal);
        for (int i = outcomes.size() - 1; i >= 0; i--) {
            draw(chart, outcomes.get(i), COLORS[i], i == 0 ? 3 : 1.5f); // ours on top
        }
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        try (OutputStream out = Files.newOutputStream(file)) {
            BitmapEncoder.saveBitmap(chart, out, BitmapFormat.PNG);
        }
    }

    private static void draw(XYChart chart, Outcome outcome, Color color, float width) {
        long[] waits = outcome.waits();
        List<Double> seconds = new ArrayList<>();
        List<Double> parts = new ArrayList<>();
        double step = Math.pow(10, -1.0 / DENSITY);
        for (double part = 1; part * waits.length >= 1; part *= step) {
            seconds.add(Math.max(LEAST_NANOS, outcome.waited(1 - part)) / 1e9);
            parts.add(part);
        }
        if (seconds.isEmpty()) {
            return;
        }
        XYSeries series = chart.addSeries(outcome.rule(), seconds, parts);
        series.setMarker(SeriesMarkers.NONE).setLineColor(color).setLineStyle(new BasicStroke(width));
    }
}
