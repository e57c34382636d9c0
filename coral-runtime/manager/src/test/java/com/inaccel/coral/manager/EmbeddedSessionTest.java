package com.inaccel.coral.manager;

import com.inaccel.coral.Coral;
import com.inaccel.coral.Session;
import java.util.Map;

class EmbeddedSessionTest extends SessionContract {
    private Map<String, String> config;

    @Override
    void start(Map<String, String> config) {
        this.config = config;
        config.forEach(System::setProperty);
    }

    @Override
    Session connect() {
        return Coral.open(Coral.EMBEDDED);
    }

    @Override
    void stop() {
        config.keySet().forEach(System::clearProperty);
    }
}
