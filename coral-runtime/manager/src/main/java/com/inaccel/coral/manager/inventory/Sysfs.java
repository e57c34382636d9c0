package com.inaccel.coral.manager.inventory;

import com.inaccel.coral.CoralException;
import com.inaccel.coral.ErrorCode;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;

/** Finds the FPGA cards of a machine. One that is odd is told of, once, and leaves the others alone. */
final class Sysfs {
    private static final Pattern ANY = Pattern.compile(".*");
    /** The two drivers of Intel's cards. */
    private static final List<String> REGION_CLASSES = List.of("class/fpga", "class/fpga_region");

    private final SysDirectory root;
    private final Said odd;
    private final Consumer<String> onRead;

    /** @param onRead hears of each slot before its card is asked for anything */
    Sysfs(Path root, Said odd, Consumer<String> onRead) {
        this.root = new SysDirectory(root);
        this.odd = odd;
        this.onRead = onRead;
    }

    /** @throws CoralException INVALID_ARGUMENT where there is no such directory */
    static Path root(EngineConfig config) {
        Path root = Path.of(config.file(Key.SYSFS));
        if (!Files.isDirectory(root)) {
            throw new CoralException(ErrorCode.INVALID_ARGUMENT, "no sysfs, so no card can be found: key=" + Key.SYSFS.id()
                + ", directory=" + root + "; mount the node's /sys there, or name where it is");
        }
        return root;
    }

    /** By id. */
    List<Card> cards() {
        Map<String, List<PciFunction>> xilinx = new TreeMap<>();
        Map<String, List<PciFunction>> intel = new TreeMap<>();
        Map<String, List<SysDirectory>> regions = regions();
        Map<String, String> now = new HashMap<>();
        for (SysDirectory entry : entries("bus/pci/devices", now)) {
            try {
                if (!PciFunction.ADDRESS.matcher(entry.name()).matches()) {
                    throw new IOException("not named like a PCI function: path=" + entry.path());
                }
                String slot = Card.slot(entry.name());
                onRead.accept(slot);
                PciFunction function = PciFunction.read(entry);
                if (XilinxCards.isOne(function)) {
                    xilinx.computeIfAbsent(slot, any -> new ArrayList<>()).add(function);
                } else if (IntelCards.isOne(function) || regions.containsKey(slot)) {
                    intel.computeIfAbsent(slot, any -> new ArrayList<>()).add(function);
                }
            } catch (IOException e) {
                now.put(entry.name(), "entry of sysfs is left out: cause=" + e);
            }
        }
        odd.warn(now);
        List<Card> cards = new ArrayList<>();
        xilinx.forEach((slot, functions) -> {
            onRead.accept(slot);
            cards.add(XilinxCards.card(functions));
        });
        intel.forEach((slot, functions) -> {
            onRead.accept(slot);
            cards.add(IntelCards.card(functions, regions.getOrDefault(slot, List.of())));
        });
        return cards;
    }

    /** What the drivers of Intel's cards show, by the slot of the card. */
    private Map<String, List<SysDirectory>> regions() {
        Map<String, List<SysDirectory>> bySlot = new HashMap<>();
        for (String kind : REGION_CLASSES) {
            for (SysDirectory region : entries(kind, new HashMap<>())) {
                slot(region).ifPresent(slot -> bySlot.computeIfAbsent(slot, any -> new ArrayList<>()).add(region));
            }
        }
        return bySlot;
    }

    /** A region is below its card. Those that are not directly so are parts of others; some are on no card at all. */
    private static Optional<String> slot(SysDirectory region) {
        return region.link("device").filter(name -> PciFunction.ADDRESS.matcher(name).matches()).map(Card::slot);
    }

    private List<SysDirectory> entries(String path, Map<String, String> problems) {
        SysDirectory directory = new SysDirectory(root.path().resolve(path));
        try {
            return directory.children(ANY);
        } catch (IOException e) {
            problems.put(path, "directory of sysfs cannot be listed: cause=" + e);
            return List.of();
        }
    }
}
