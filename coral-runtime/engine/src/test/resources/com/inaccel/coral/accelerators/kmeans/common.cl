// A copy that an earlier version of Coral could have left beside the manifests: BitstreamStore must prefer the shared file.
#error stale
