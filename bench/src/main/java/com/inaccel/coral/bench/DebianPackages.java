package com.inaccel.coral.bench;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The peers that come as Debian packages: there, installed when asked to and allowed to, or missing with the remedy. */
final class DebianPackages {
    private static final String INSTALLED = "install ok installed";

    private DebianPackages() { }

    /** Empty when all are there now; else the command that installs them. */
    static String missing(List<String> packages, boolean install) throws IOException, InterruptedException {
        List<String> absent = new ArrayList<>();
        for (String name : packages) {
            if (!installed(name)) {
                absent.add(name);
            }
        }
        if (absent.isEmpty()) {
            return "";
        }
        String remedy = "apt-get install -y " + String.join(" ", absent);
        if (!install || !"root".equals(System.getProperty("user.name"))) {
            return remedy;
        }
        System.err.println("installing " + String.join(" ", absent) + " ...");
        List<String> command = new ArrayList<>(List.of("apt-get", "install", "-y", "-qq", "--no-install-recommends"));
        command.addAll(absent);
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().put("DEBIAN_FRONTEND", "noninteractive");
        Process process = builder.redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        return process.waitFor() == 0 ? "" : remedy + " (which failed: " + output.strip().lines().reduce((a, b) -> b)
            .orElse("no output") + ")";
    }

    private static boolean installed(String name) throws IOException, InterruptedException {
        try {
            Process process = new ProcessBuilder("dpkg-query", "-W", "-f=${Status}", name)
                .redirectError(ProcessBuilder.Redirect.DISCARD).start();
            String status = new String(process.getInputStream().readAllBytes(), UTF_8);
            process.waitFor();
            return status.contains(INSTALLED);
        } catch (IOException noDpkg) {
            return false;
        }
    }
}
