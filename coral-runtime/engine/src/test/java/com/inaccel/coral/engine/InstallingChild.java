package com.inaccel.coral.engine;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/** Installs or removes a bitstream, and waits at one step to be killed. */
final class InstallingChild {
    private InstallingChild() { }

    /** @param arguments repository, source or "-" to remove, step */
    public static void main(String[] arguments) {
        Consumer<String> step = done -> {
            if (done.equals(arguments[2])) {
                System.out.println(done);
                waitToBeKilled();
            }
        };
        BitstreamRepository repository = new BitstreamRepository(Path.of(arguments[0]), step);
        if (arguments[1].equals("-")) {
            repository.remove(BitstreamAdminTest.ID, Optional.empty());
        } else {
            BitstreamDirectory source = BitstreamDirectory.read(Path.of(arguments[1]));
            repository.install(source, source.recordBytes(), new byte[0], () -> { });
        }
    }

    private static void waitToBeKilled() {
        try {
            if (System.in.read() < 0) { // the parent has gone
                throw new IllegalStateException("was not killed");
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
