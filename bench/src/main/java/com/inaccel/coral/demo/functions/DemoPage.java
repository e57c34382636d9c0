package com.inaccel.coral.demo.functions;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import javax.imageio.ImageIO;

/** One page that shows it all and needs nothing else: pictures are inside it, in a size for screens. */
final class DemoPage {
    private static final int SIDE = 560;
    private static final int WHITE_LEVEL = 128;
    private static final Map<String, String> STAGES = Map.of("read", "read from the bucket", "decode", "decode", "look",
        "look whether it was done before", "accelerate", "accelerators, copies included", "encode", "encode", "write",
        "write to the bucket");

    private DemoPage() { }

    /** @param unchanged photographs whose event came a second time, to no effect */
    static String of(List<Processed> all, String emulated, double coldStart, int unchanged) throws IOException {
        StringBuilder cards = new StringBuilder();
        double pixels = 0;
        TreeSet<String> devices = new TreeSet<>();
        for (Processed one : all) {
            BufferedImage before = image(one.photo().bytes());
            pixels += (double) before.getWidth() * before.getHeight();
            one.devices().values().forEach(names -> devices.addAll(List.of(names.split(" "))));
            cards.append(card(one, before));
        }
        return template().replace("@cards@", cards).replace("@count@", Integer.toString(all.size()))
            .replace("@megapixels@", text("%.0f", pixels / 1e6)).replace("@devices@", escaped(String.join(", ", devices)))
            .replace("@emulated@", escaped(emulated)).replace("@cold@", text("%.2f", coldStart))
            .replace("@unchanged@", Integer.toString(unchanged));
    }

    private static String card(Processed one, BufferedImage before) throws IOException {
        StringBuilder rows = new StringBuilder();
        for (String stage : List.of("read", "look", "decode", "accelerate", "encode", "write")) {
            rows.append(row(STAGES.get(stage), one.stages().getOrDefault(stage, 0.0)));
            if (stage.equals("accelerate")) {
                rows.append(row("— edges on " + one.devices().get("edges"), one.deviceMillis().get("edges")));
                rows.append(row("— warp on " + one.devices().get("warp"), one.deviceMillis().get("warp")));
            }
        }
        rows.append(row("event to answer", one.callMillis()).replace("<tr>", "<tr class=\"total\">"));
        List<String> figures = new ArrayList<>();
        figures.add(figure("before", jpeg(scaled(before))));
        figures.add(figure("edges", png(brightest(image(one.edges())))));
        figures.add(figure("warped", jpeg(scaled(image(one.warped())))));
        return "<article><h2>" + escaped(one.photo().name()) + " <small>" + before.getWidth() + " × " + before.getHeight()
            + "</small></h2>\n<div class=\"pictures\">" + String.join("\n", figures) + "</div>\n<details><summary>"
            + text("%.0f ms", one.callMillis()) + " from event to answer, of these " + text("%.1f ms",
                one.deviceMillis().values().stream().mapToDouble(Double::doubleValue).sum()) + " on devices</summary><table>" + rows
            + "</table></details>\n<p class=\"credit\">" + escaped(one.photo().credit()) + ", " + escaped(one.photo().licence())
            + "</p></article>\n";
    }

    private static String row(String what, double millis) {
        return "<tr><td>" + escaped(what) + "</td><td>" + text("%.1f ms", millis) + "</td></tr>";
    }

    private static String figure(String caption, String data) {
        return "<figure><img alt=\"" + caption + "\" src=\"" + data + "\"><figcaption>" + caption + "</figcaption></figure>";
    }

    private static BufferedImage image(byte[] bytes) throws IOException {
        return ImageIO.read(new ByteArrayInputStream(bytes));
    }

    private static double factor(BufferedImage image) {
        return Math.min(1, SIDE / (double) Math.max(image.getWidth(), image.getHeight()));
    }

    private static BufferedImage blank(BufferedImage like, int type) {
        double factor = factor(like);
        return new BufferedImage(Math.max(1, (int) (like.getWidth() * factor)), Math.max(1, (int) (like.getHeight() * factor)), type);
    }

    /** By halves first: bilinear scaling looks at four pixels only. */
    private static BufferedImage scaled(BufferedImage image) {
        BufferedImage from = image;
        while (factor(from) < 0.5) {
            from = drawn(from, new BufferedImage(from.getWidth() / 2, from.getHeight() / 2, BufferedImage.TYPE_3BYTE_BGR));
        }
        return drawn(from, blank(from, BufferedImage.TYPE_3BYTE_BGR));
    }

    private static BufferedImage drawn(BufferedImage image, BufferedImage onto) {
        Graphics2D graphics = onto.createGraphics();
        graphics.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        graphics.drawImage(image, 0, 0, onto.getWidth(), onto.getHeight(), null);
        graphics.dispose();
        return onto;
    }

    /** As bright as the part of an edge that each pixel covers, and brighter: lines one pixel wide would fade to nothing. */
    private static BufferedImage brightest(BufferedImage image) {
        BufferedImage small = blank(image, BufferedImage.TYPE_BYTE_GRAY);
        int[] row = new int[image.getWidth()];
        int[] counts = new int[small.getWidth() * small.getHeight()];
        for (int y = 0; y < image.getHeight(); y++) {
            image.getRaster().getSamples(0, y, row.length, 1, 0, row);
            int line = Math.min(small.getHeight() - 1, y * small.getHeight() / image.getHeight()) * small.getWidth();
            for (int x = 0; x < row.length; x++) {
                if (row[x] >= WHITE_LEVEL) {
                    counts[line + Math.min(small.getWidth() - 1, (int) ((long) x * small.getWidth() / row.length))]++;
                }
            }
        }
        double most = 1 / factor(image);
        for (int i = 0; i < counts.length; i++) {
            small.getRaster().setSample(i % small.getWidth(), i / small.getWidth(), 0,
                (int) Math.min(255, 255 * Math.sqrt(counts[i] / most)));
        }
        return small;
    }

    private static String jpeg(BufferedImage image) throws IOException {
        return "data:image/jpeg;base64," + encoded(image, "jpg");
    }

    private static String png(BufferedImage image) throws IOException {
        return "data:image/png;base64," + encoded(image, "png");
    }

    private static String encoded(BufferedImage image, String format) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageIO.write(image, format, bytes);
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    private static String text(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    private static String template() throws IOException {
        try (InputStream in = DemoPage.class.getResourceAsStream("page.html")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
