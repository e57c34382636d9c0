package io.kubeless;

/** Where a Kubeless function runs: the same name and fields as in Kubeless's Java runtime, all of them text. */
public class Context {
    public String functionName;
    /** In seconds. */
    public String timeout;
    public String runtime;
    public String memoryLimit;

    public Context(String functionName, String timeout, String runtime, String memoryLimit) {
        this.functionName = functionName;
        this.timeout = timeout;
        this.runtime = runtime;
        this.memoryLimit = memoryLimit;
    }
}
