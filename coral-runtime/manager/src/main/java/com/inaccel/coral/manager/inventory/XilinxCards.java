package com.inaccel.coral.manager.inventory;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cards of Xilinx, now AMD, and those that others build and XRT drives. A card has a management function (driver xclmgmt) that
 * a virtual machine need not see, and a user function (driver xocl), which is what programs use.
 */
final class XilinxCards {
    static final String VENDOR = "xilinx";
    private static final int XILINX = 0x10ee;
    private static final int ADVANTECH = 0x13fe;
    private static final int AMAZON = 0x1d0f;
    private static final int ARISTA = 0x3475;
    private static final String USER_DRIVER = "xocl";
    private static final String MANAGEMENT_DRIVER = "xclmgmt";
    /** Memory controllers, as early shells call themselves, signal processors, accelerators; there is more of these vendors. */
    private static final Set<Integer> ACCELERATOR_CLASSES = Set.of(0x05, 0x11, 0x12);
    /** What Amazon sets aside for FPGAs, of a vendor id that its network cards and disks have as well. */
    private static final int FIRST_AMAZON_IMAGE = 0xf000;
    private static final Set<Integer> AMAZON_SHELLS = Set.of(0x1040, 0x1041, 0x1042, 0x9048);
    /** By the device id of the user function; the management function's is one less. For cards that do not tell their shell. */
    private static final Map<Integer, String> ALVEO = Map.ofEntries(Map.entry(0x5001, "u200"), Map.entry(0x5005, "u250"),
        Map.entry(0x500d, "u280"), Map.entry(0x5021, "u50"), Map.entry(0x5051, "u25"), Map.entry(0x505d, "u55c"),
        Map.entry(0x5059, "u55n"), Map.entry(0x5061, "u50lv"), Map.entry(0x506d, "u50c"), Map.entry(0x503d, "u30"),
        Map.entry(0x513d, "u30"), Map.entry(0x5049, "vck5000"), Map.entry(0x5095, "v70"));
    private static final Pattern ROM = Pattern.compile("rom.*");
    private static final Pattern RENDER_NODE = Pattern.compile("renderD[0-9]+");
    /** VENDOR_CARD_rest, e.g. xilinx_u250_gen3x16_xdma_shell_4_1. */
    private static final Pattern SHELL = Pattern.compile("[a-z0-9]+_([A-Za-z0-9-]+)(?:_.*)?");

    private XilinxCards() { }

    static boolean isOne(PciFunction function) {
        boolean driven = function.driver().equals(USER_DRIVER) || function.driver().equals(MANAGEMENT_DRIVER);
        return switch (function.vendor()) {
            case XILINX -> driven || isAlveo(function.device()) || ACCELERATOR_CLASSES.contains(function.baseClass());
            case AMAZON -> driven || function.device() >= FIRST_AMAZON_IMAGE || AMAZON_SHELLS.contains(function.device());
            case ADVANTECH, ARISTA -> driven || ACCELERATOR_CLASSES.contains(function.baseClass());
            default -> false;
        };
    }

    private static boolean isAlveo(int device) {
        return ALVEO.containsKey(device) || isAlveoManagement(device);
    }

    private static boolean isAlveoManagement(int device) {
        return ALVEO.containsKey(device + 1);
    }

    /** @param functions of one card, at least one */
    static Card card(List<PciFunction> functions) {
        Optional<PciFunction> user = functions.stream().filter(one -> one.driver().equals(USER_DRIVER)).findFirst()
            .or(() -> functions.stream().filter(one -> !isManagement(one)).findFirst());
        PciFunction known = user.orElse(functions.get(0));
        String shell = "";
        String platform = platform(known);
        String problem = "";
        try {
            for (PciFunction function : functions) {
                shell = shell.isEmpty() ? shell(function.directory()) : shell;
            }
            Matcher named = SHELL.matcher(shell);
            platform = named.matches() ? named.group(1) : platform;
            problem = user.isEmpty() ? "only its management function is here: pci=" + known.address()
                + "; see in the kernel's log why the card has no user function" : problem(user.get());
        } catch (IOException e) {
            problem = "cannot be read: " + e.getMessage();
        }
        return new Card(Card.id(VENDOR, known.address()), VENDOR, platform, shell, known.address(),
            known.directory().numaNode(), problem);
    }

    private static boolean isManagement(PciFunction function) {
        return function.driver().equals(MANAGEMENT_DRIVER)
            || (function.vendor() == XILINX && isAlveoManagement(function.device()));
    }

    private static String platform(PciFunction function) {
        if (function.vendor() == AMAZON) {
            return "aws-f2";
        }
        return Optional.ofNullable(ALVEO.get(function.device())).or(() ->
            Optional.ofNullable(ALVEO.get(function.device() + 1))).orElse("");
    }

    private static String shell(SysDirectory function) throws IOException {
        for (SysDirectory rom : function.children(ROM)) {
            Optional<String> name = rom.text("VBNV");
            if (name.isPresent() && !name.get().isEmpty()) {
                return name.get();
            }
        }
        return "";
    }

    private static String problem(PciFunction user) throws IOException {
        if (!user.driver().equals(USER_DRIVER)) {
            String bound = user.driver().isEmpty() ? "none" : user.driver();
            return user.vendor() == AMAZON
                ? "an image of Amazon's, which no OpenCL driver takes: driver=" + bound + "; Coral needs a card that loads xclbins"
                : "its user function has not the driver " + USER_DRIVER + ": driver=" + bound
                    + "; install XRT on the node and load the driver";
        }
        Optional<String> ready = user.directory().text("ready"); // early drivers do not tell
        if (ready.isPresent() && !ready.get().matches("(?:0x)?0*1")) {
            return "its driver says that it is not ready: ready=" + ready.get() + "; validate or reset it with xbutil";
        }
        if (user.directory().child("drm").children(RENDER_NODE).isEmpty()) {
            return "its driver has no render node for programs: path=" + user.directory().path().resolve("drm")
                + "; see the kernel's log";
        }
        return "";
    }
}
