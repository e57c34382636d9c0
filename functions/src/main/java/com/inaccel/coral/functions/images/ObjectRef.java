package com.inaccel.coral.functions.images;

/** An object of a store. The key is as the store knows it, not encoded. */
record ObjectRef(String bucket, String key) {
    @Override
    public String toString() {
        return bucket + "/" + key;
    }
}
