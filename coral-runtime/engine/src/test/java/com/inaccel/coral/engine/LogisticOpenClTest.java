package com.inaccel.coral.engine;

class LogisticOpenClTest extends LogisticContract {
    @Override
    Engine startEngine() {
        return OpenClDeviceTest.start(false);
    }
}
