package com.inaccel.coral.manager.inventory;

import java.io.IOException;
import java.util.regex.Pattern;

/**
 * One function of a PCI card.
 *
 * @param baseClass what kind of device it says it is: the first byte of its class code
 * @param driver empty where none is bound
 */
record PciFunction(SysDirectory directory, String address, int vendor, int device, int baseClass, String driver) {
    static final Pattern ADDRESS = Pattern.compile("[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
    private static final int BASE_CLASS_SHIFT = 16;

    /** @throws IOException where it does not tell what it is */
    static PciFunction read(SysDirectory directory) throws IOException {
        if (!directory.exists()) {
            throw new IOException("not a directory, or a link to nowhere: path=" + directory.path());
        }
        return new PciFunction(directory, directory.name(), directory.hex("vendor"), directory.hex("device"),
            directory.hex("class") >>> BASE_CLASS_SHIFT, directory.link("driver").orElse(""));
    }
}
