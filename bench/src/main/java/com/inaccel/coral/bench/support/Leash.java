package com.inaccel.coral.bench.support;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;

/**
 * Runs another main class and ends the JVM when standard input does. Its other end is held by the parent process alone,
 * so that a parent killed outright (kill -9) still leaves no child behind.
 */
final class Leash {
    private Leash() { }

    public static void main(String[] arguments) throws Throwable {
        InputStream leash = System.in;
        System.setIn(InputStream.nullInputStream());
        Thread holder = new Thread(() -> endWithParent(leash), "leash");
        holder.setDaemon(true);
        holder.start();
        String[] rest = Arrays.copyOfRange(arguments, 1, arguments.length);
        try {
            Class.forName(arguments[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
        } catch (InvocationTargetException thrown) {
            throw thrown.getCause();
        }
    }

    private static void endWithParent(InputStream leash) {
        try {
            while (leash.read() >= 0) { // Nothing is ever sent: only the end matters.
            }
        } catch (IOException broken) {
            // The same news.
        }
        System.exit(0);
    }
}
