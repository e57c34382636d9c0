package com.inaccel.coral.demo.functions;

import com.inaccel.coral.functions.Function;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A photograph that comes with the image function.
 *
 * @param credit who made it
 * @param licence and under which one it may be shown
 */
record Photo(String name, byte[] bytes, String credit, String licence) {
    private static final String DIRECTORY = "photos/";
    private static final int NAME = 1;
    private static final int AUTHOR = 3;
    private static final int LICENCE = 4;

    /** All of them, as the README beside them lists them. */
    static List<Photo> shipped() throws IOException {
        List<Photo> photos = new ArrayList<>();
        for (String line : new String(read("README.md"), StandardCharsets.UTF_8).split("\n")) {
            if (line.startsWith("| `")) {
                String[] cells = line.split("\\|");
                String name = cells[NAME].replace("`", "").trim();
                photos.add(new Photo(name, read(name), cells[AUTHOR].trim(),
                    cells[LICENCE].trim().replaceFirst("^\\[([^]]*)].*", "$1")));
            }
        }
        return photos;
    }

    private static byte[] read(String name) throws IOException {
        try (InputStream in = Function.class.getResourceAsStream(DIRECTORY + name)) {
            if (in == null) {
                throw new FileNotFoundException("not on the class path: resource=" + DIRECTORY + name);
            }
            return in.readAllBytes();
        }
    }
}
