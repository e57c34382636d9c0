package com.inaccel.coral.manager.inventory;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A tree of files as the kernel shows it: functions below their bus, with links to them from where they are looked up. What is in
 * one is written line by line, {@code path = text} for an attribute and {@code path/} for a directory.
 */
public final class FakeSysfs {
    private static final String BUS = "devices/pci0000:00";

    private final Path root;

    public FakeSysfs(Path root) throws IOException {
        this.root = root;
        Files.createDirectories(root.resolve("bus/pci/devices"));
        Files.createDirectories(root.resolve("bus/pci/drivers"));
    }

    public Path root() {
        return root;
    }

    /** @param driver empty for none */
    public FakeSysfs function(String address, String driver, String content) throws IOException {
        Path function = fill(home(address), content);
        Files.createSymbolicLink(root.resolve("bus/pci/devices").resolve(address), Path.of("../../..", BUS, address));
        if (!driver.isEmpty()) {
            Files.createDirectories(root.resolve("bus/pci/drivers").resolve(driver));
            Files.createSymbolicLink(function.resolve("driver"), Path.of("../../../bus/pci/drivers", driver));
        }
        return this;
    }

    /** @param path as in {@code fpga/intel-fpga-dev.0}: its class and its name */
    public FakeSysfs region(String path, String address, String content) throws IOException {
        Path region = fill(home(address).resolve(path), content);
        Files.createSymbolicLink(region.resolve("device"), Path.of("../../../" + address));
        Path link = root.resolve("class").resolve(path);
        Files.createDirectories(link.getParent());
        Files.createSymbolicLink(link, Path.of("../..", BUS, address, path));
        return this;
    }

    public Path home(String address) {
        return root.resolve(BUS).resolve(address);
    }

    /** Adds to a directory, or changes what is there. */
    public Path fill(Path directory, String content) throws IOException {
        Files.createDirectories(directory);
        for (String line : content.strip().split("\n")) {
            String[] attribute = line.split(" = ", 2);
            Path path = directory.resolve(attribute[0].strip());
            if (line.endsWith("/")) {
                Files.createDirectories(path);
            } else {
                Files.createDirectories(path.getParent());
                Files.writeString(path, attribute[1].strip() + "\n");
            }
        }
        return directory;
    }

    /** Two functions: management, and user with everything that it needs. */
    public FakeSysfs alveo(String slot, int userDevice, String shell, int numaNode) throws IOException {
        return function(slot + ".0", "xclmgmt", """
            vendor = 0x10ee
            device = 0x%04x
            class = 0x120000
            numa_node = %d
            ready = 0x1
            rom.m.15728640/VBNV = %s
            """.formatted(userDevice - 1, numaNode, shell)).function(slot + ".1", "xocl", user(userDevice, shell, numaNode));
    }

    public static String user(int device, String shell, int numaNode) {
        return """
            vendor = 0x10ee
            device = 0x%04x
            class = 0x120000
            numa_node = %d
            ready = 0x1
            rom.u.16777216/VBNV = %s
            drm/card1/
            drm/renderD128/
            """.formatted(device, numaNode, shell);
    }
}
