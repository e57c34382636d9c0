package com.inaccel.coral.engine;

class VisionOpenClTest extends VisionContract {
    @Override
    Engine startEngine() {
        return OpenClDeviceTest.start(false);
    }
}
