package com.inaccel.coral.manager;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import com.inaccel.coral.engine.Allocation;
import com.inaccel.coral.engine.Engine;
import com.inaccel.coral.engine.EngineConfig;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;

class SocketSessionTest extends SessionContract {
    @TempDir
    Path root;

    private Engine engine;
    private Manager manager;

    @Override
    void start(Map<String, String> config) {
        engine = Engine.start(EngineConfig.of(config));
        manager = Manager.start(engine, root, new Allocation("test", engine.stats().limitBytes(), 1),
            Limits.defaults());
    }

    @Override
    Session connect() {
        return Coral.open(manager.address());
    }

    @Override
    void stop() {
        manager.close();
        engine.close();
    }
}
