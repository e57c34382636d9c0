package com.inaccel.coral.manager.inventory;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Cards of Intel, now Altera, and of BittWare, below one of two drivers: Intel's own (OPAE, {@code /sys/class/fpga}) or the
 * kernel's (DFL, {@code /sys/class/fpga_region}). Either shows ports, which hold what was loaded last, and a management part that
 * names the interface between both: the shell.
 */
final class IntelCards {
    static final String VENDOR = "intel";
    private static final int INTEL = 0x8086;
    private static final int BITTWARE = 0x12ba;
    /** By device id; a virtual function's is one more. */
    private static final Map<Integer, String> CARDS =
        Map.of(0x09c4, "pac-a10", 0x0b2b, "pac-s10", 0x0b30, "n3000", 0xbcce, "ofs");
    private static final Pattern PORT = Pattern.compile("(?:intel-fpga|dfl)-port\\.[0-9]+");
    private static final Pattern MANAGEMENT = Pattern.compile("(?:intel-fpga|dfl)-fme\\.[0-9]+");
    private static final Pattern REGION = Pattern.compile("(?:dfl-fme-)?region\\.?[0-9]+");
    private static final Pattern ID = Pattern.compile("[0-9a-f]{32}");
    private static final Pattern NOTHING = Pattern.compile("f{32}");

    private IntelCards() { }

    static boolean isOne(PciFunction function) {
        return switch (function.vendor()) {
            case INTEL -> !platform(function).isEmpty();
            case BITTWARE -> true;
            default -> false;
        };
    }

    private static String platform(PciFunction function) {
        if (function.vendor() == BITTWARE) {
            return "bittware";
        }
        return CARDS.getOrDefault(function.device(), CARDS.getOrDefault(function.device() - 1, ""));
    }

    /**
     * @param functions of one card, at least one
     * @param regions what the drivers show of it
     */
    static Card card(List<PciFunction> functions, List<SysDirectory> regions) {
        PciFunction first = functions.get(0);
        String shell = "";
        String problem;
        try {
            for (SysDirectory region : regions) {
                shell = shell.isEmpty() ? shell(region) : shell;
            }
            problem = NOTHING.matcher(shell).matches() ? "its interface has no id: id=" + shell
                + "; reset the card, or load its image again" : problem(regions);
        } catch (IOException e) {
            problem = "cannot be read: " + e.getMessage();
        }
        return new Card(Card.id(VENDOR, first.address()), VENDOR, platform(first), shell, first.address(),
            first.directory().numaNode(), problem);
    }

    private static String shell(SysDirectory region) throws IOException {
        for (SysDirectory management : region.children(MANAGEMENT)) {
            Optional<String> id = management.child("pr").text("interface_id"); // OPAE
            if (id.isPresent()) {
                return id.get();
            }
            for (SysDirectory part : management.children(REGION)) { // DFL
                for (SysDirectory inner : part.child("fpga_region").children(REGION)) {
                    id = inner.text("compat_id");
                    if (id.isPresent()) {
                        return id.get();
                    }
                }
            }
        }
        return "";
    }

    private static String problem(List<SysDirectory> regions) throws IOException {
        if (regions.isEmpty()) {
            return "no driver shows it under /sys/class/fpga or /sys/class/fpga_region; load intel-fpga-pci or dfl-pci";
        }
        List<SysDirectory> ports = new ArrayList<>();
        for (SysDirectory region : regions) {
            ports.addAll(region.children(PORT));
        }
        if (ports.isEmpty()) {
            return "its driver shows no port: path=" + regions.get(0).path()
                + "; release the port, which may have been given to a virtual machine";
        }
        for (SysDirectory port : ports) {
            String id = port.text("afu_id").orElse("");
            if (!ID.matcher(id).matches() || NOTHING.matcher(id).matches()) {
                return "nothing usable is loaded: port=" + port.name() + ", afu_id=" + (id.isEmpty() ? "none" : id)
                    + "; load an image for OpenCL, or reset the card";
            }
        }
        return "";
    }
}
