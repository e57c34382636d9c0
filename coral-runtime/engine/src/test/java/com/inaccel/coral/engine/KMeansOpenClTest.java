package com.inaccel.coral.engine;

class KMeansOpenClTest extends KMeansContract {
    @Override
    Engine startEngine() {
        return OpenClDeviceTest.start(false);
    }
}
