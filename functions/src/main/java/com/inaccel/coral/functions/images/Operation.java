package com.inaccel.coral.functions.images;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.Images;
import com.inaccel.coral.Run;
import java.awt.image.BufferedImage;
import java.util.Set;

/** Something that an accelerator does to an image, its arguments included. Immutable. */
interface Operation {
    /** As it is written in configuration, commands, keys and metrics. */
    String name();

    /** All arguments, those by default too, in one order: two operations with the same text do the same. */
    String arguments();

    /** Accelerators that it runs on. */
    Set<String> accelerators();

    /**
     * Waits for the device. The image is not changed.
     *
     * @throws CoralException CANCELLED where this thread was interrupted: nobody needs the result any more
     */
    Applied apply(Images accelerators, BufferedImage image);

    /**
     * @param device ids of those that it ran on, with spaces between
     * @param deviceNanos that they copied and ran
     */
    record Applied(BufferedImage image, String device, long deviceNanos) {
        static Applied of(BufferedImage image, Run run) {
            return new Applied(image, String.join(" ", run.devices()), run.deviceNanos());
        }
    }
}
