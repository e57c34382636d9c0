package com.inaccel.coral.manager.inventory;

import com.inaccel.coral.engine.EngineConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Looks at the cards, and waits for none of them. Reading sysfs asks a card's driver, and that of a card that is stuck may never
 * answer: then what was known of the others holds on. For one thread.
 */
final class CardWatch {
    private static final Duration PATIENCE = Duration.ofSeconds(2);
    /** For the first look, without which nothing is known. */
    private static final int FIRST_PATIENCE = 15;

    private final Sysfs sysfs;
    private final Duration patience;
    private volatile String reading = "";
    private CompletableFuture<List<Card>> look;
    private List<Card> last = List.of();
    private boolean known;

    private CardWatch(Path root, Said said, Consumer<String> onRead, Duration patience) {
        this.sysfs = new Sysfs(root, said, slot -> {
            reading = slot;
            onRead.accept(slot);
        });
        this.patience = patience;
    }

    /** @throws com.inaccel.coral.CoralException INVALID_ARGUMENT where there is no sysfs */
    static CardWatch of(EngineConfig config) {
        return new CardWatch(Sysfs.root(config), new Said(), slot -> { }, PATIENCE);
    }

    /** @param onRead hears of each slot before it is read */
    static CardWatch of(Path root, Consumer<String> onRead, Duration patience) {
        return new CardWatch(root, new Said(), onRead, patience);
    }

    /** By id; as they were where they cannot be read. */
    List<Card> cards() {
        if (look == null) {
            CompletableFuture<List<Card>> started = new CompletableFuture<>();
            look = started;
            Thread reader = new Thread(() -> read(started), "coral-cards");
            reader.setDaemon(true);
            reader.start();
        }
        try {
            last = look.get(known ? patience.toNanos() : FIRST_PATIENCE * patience.toNanos(), TimeUnit.NANOSECONDS);
            look = null;
            known = true;
            return last;
        } catch (TimeoutException e) {
            String stuck = reading;
            return last.stream().map(card -> Card.slot(card.pciAddress()).equals(stuck)
                ? card.withProblem("its driver does not answer; unload it and load it again, or restart the node") : card)
                .toList();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return last;
        } catch (ExecutionException e) {
            look = null;
            throw new IllegalStateException(e.getCause());
        }
    }

    /** Whether a look has ended yet. */
    boolean knows() {
        return known;
    }

    private void read(CompletableFuture<List<Card>> result) {
        try {
            result.complete(sysfs.cards());
        } catch (RuntimeException | Error e) {
            result.completeExceptionally(e);
        }
    }
}
