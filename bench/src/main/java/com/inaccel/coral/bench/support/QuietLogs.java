package com.inaccel.coral.bench.support;

/** Log4j reduced to warnings on standard error, for programs whose output is their result. */
public final class QuietLogs {
    /** Log4j's own property; whoever sets it on the command line keeps it. */
    private static final String PROPERTY = "log4j2.configurationFile";
    private static final String CONFIGURATION = "classpath:com/inaccel/coral/bench/support/log4j2-quiet.properties";

    private QuietLogs() { }

    /** To be called before the first logger exists. */
    public static void install() {
        if (System.getProperty(PROPERTY) == null) {
            System.setProperty(PROPERTY, CONFIGURATION);
        }
        // netlib reports a missing native BLAS through java.util.logging, which no log4j configuration reaches.
        java.util.logging.Logger.getLogger("dev.ludovic.netlib").setLevel(java.util.logging.Level.SEVERE);
    }
}
