package com.inaccel.coral.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.inaccel.coral.protocol.SealedMemory;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Fails a test that leaves memory, OpenCL objects or threads behind. */
final class Leaks implements AfterEachCallback {
    @Override
    public void afterEach(ExtensionContext context) {
        assertNone();
    }

    static void assertNone() {
        assertThat(SealedMemory.liveCount()).as("segments left mapped").isZero();
        assertThat(ClHandle.liveCount()).as("OpenCL objects left open").isZero();
        assertThat(Thread.getAllStackTraces().keySet()).as("threads left running")
            .extracting(Thread::getName).noneMatch(name -> name.startsWith("coral-"));
    }
}
