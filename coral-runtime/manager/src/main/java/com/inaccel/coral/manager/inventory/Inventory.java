package com.inaccel.coral.manager.inventory;

import com.inaccel.coral.DeviceInfo;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import com.inaccel.coral.engine.EngineConfig.Key;
import com.inaccel.coral.engine.EngineStats.DeviceStats;
import com.inaccel.coral.engine.FpgaInfo;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;

/**
 * The FPGAs of this node, as they are now: the cards that sysfs shows, together with the devices that the engine has.
 *
 * <p>A card is healthy if sysfs shows nothing against it, an OpenCL driver offers it, and the engine's device works. What the
 * engine has and sysfs does not show, as emulated FPGAs, is taken as it is. Where FPGAs are emulated the engine drives no
 * card, and none is looked for. Thread-safe.
 */
public final class Inventory {
    private static final String BEING_MENDED = "the device failed and is being mended";
    private static final String CAME_LATER =
        "it came, or became well, after the manager had looked for devices: the manager has to start again";

    private final CardWatch watch;
    private final boolean emulated;
    private final Said said = new Said();
    /** Cards that OpenCL could offer when the engine looked for devices; empty where that was not known. */
    private final Optional<Set<String>> wellAtStart;

    private Inventory(EngineConfig config) {
        this.watch = CardWatch.of(config);
        this.emulated = !config.list(Key.EMULATE).isEmpty();
        Set<String> well = emulated ? Set.of()
            : watch.cards().stream().filter(Card::isWell).map(Card::id).collect(Collectors.toSet());
        this.wellAtStart = watch.knows() ? Optional.of(well) : Optional.empty();
    }

    /**
     * Before the engine is started, which looks for devices once: cards that are well later only need another one.
     *
     * @throws com.inaccel.coral.CoralException INVALID_ARGUMENT where there is no sysfs
     */
    public static Inventory of(EngineConfig config) {
        return new Inventory(config);
    }

    /** Cards first. What keeps one from being used is logged once. */
    public List<NodeDevice> devices(Engine engine) {
        return devices(engine.fpgas(), engine.stats().devices().stream()
            .collect(Collectors.toMap(DeviceStats::id, DeviceStats::healthy)));
    }

    /** @param healthy whether the device of that id works */
    synchronized List<NodeDevice> devices(List<FpgaInfo> fpgas, Map<String, Boolean> healthy) {
        List<FpgaInfo> left = new ArrayList<>(fpgas);
        List<Card> cards = emulated ? List.of() : watch.cards();
        Map<Card, FpgaInfo> devices = match(cards, left);
        List<NodeDevice> all = new ArrayList<>();
        for (Card card : cards) {
            all.add(known(card, Optional.ofNullable(devices.get(card)), healthy));
        }
        for (FpgaInfo fpga : left) {
            DeviceInfo info = fpga.device();
            all.add(new NodeDevice(fpga.pciAddress().isEmpty() ? info.id() : Card.id(info.vendor(), fpga.pciAddress()),
                info.vendor(), info.platform(), "", fpga.pciAddress(), OptionalInt.empty(), fpga.emulated(), /* usable= */ true,
                healthy.get(info.id()) ? "" : BEING_MENDED));
        }
        Map<String, String> problems = new HashMap<>();
        all.stream().filter(device -> !device.isHealthy()).forEach(device -> problems.put(device.id(), device.problem()));
        said.warn(problems);
        return all;
    }

    /** Whether one of them could be used by an engine that looks for devices now. */
    public static boolean needAnotherEngine(List<NodeDevice> devices) {
        return devices.stream().anyMatch(device -> device.problem().equals(CAME_LATER));
    }

    private NodeDevice known(Card card, Optional<FpgaInfo> fpga, Map<String, Boolean> healthy) {
        String problem = card.problem();
        if (problem.isEmpty() && fpga.isEmpty()) {
            problem = wellAtStart.isEmpty() || wellAtStart.get().contains(card.id())
                ? "no OpenCL driver offers it; install its vendor's OpenCL runtime where the manager runs, and see its log"
                : CAME_LATER;
        } else if (problem.isEmpty() && !healthy.get(fpga.get().device().id())) {
            problem = BEING_MENDED;
        }
        String platform = card.platform().isEmpty() ? fpga.map(one -> one.device().platform()).orElse("") : card.platform();
        return new NodeDevice(card.id(), card.vendor(), platform, card.shell(), card.pciAddress(), card.numaNode(),
            /* emulated= */ false, fpga.isPresent(), problem);
    }

    /**
     * Which device drives which card: by where it sits. Drivers that do not tell have their devices given to the cards of their
     * vendor that are left, well ones first, in order. That may mistake one card for another, never the number of those that
     * work; and which one it is matters to nobody, since every request may run on any device.
     *
     * @param left all devices; those that are matched are removed
     */
    static Map<Card, FpgaInfo> match(List<Card> cards, List<FpgaInfo> left) {
        Map<Card, FpgaInfo> devices = new LinkedHashMap<>();
        take(devices, cards, left, (card, fpga) -> !fpga.pciAddress().isEmpty()
            && Card.slot(fpga.pciAddress()).equals(Card.slot(card.pciAddress())));
        BiPredicate<Card, FpgaInfo> sameVendor =
            (card, fpga) -> fpga.pciAddress().isEmpty() && card.vendor().equals(fpga.device().vendor());
        take(devices, cards.stream().filter(Card::isWell).toList(), left, sameVendor);
        take(devices, cards, left, sameVendor);
        return devices;
    }

    private static void take(
            Map<Card, FpgaInfo> devices, List<Card> cards, List<FpgaInfo> left, BiPredicate<Card, FpgaInfo> belongs) {
        Set<FpgaInfo> taken = new HashSet<>();
        for (Card card : cards) {
            if (!devices.containsKey(card)) {
                left.stream().filter(fpga -> !taken.contains(fpga) && belongs.test(card, fpga)).findFirst().ifPresent(fpga -> {
                    devices.put(card, fpga);
                    taken.add(fpga);
                });
            }
        }
        left.removeAll(taken);
    }
}
