package com.inaccel.coral.functions;

import io.kubeless.Context;
import io.kubeless.Event;
import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Makes a function of what was configured: a class of ours, or a class and a method in Kubeless's form. */
final class Handlers {
    /** Where Kubeless wants all Java functions. */
    private static final String KUBELESS_PACKAGE = "io.kubeless.";
    private static final Class<?>[] KUBELESS_PARAMETERS = {Event.class, Context.class};

    private Handlers() { }

    /** @throws FunctionException NO_HANDLER where there is none, naming what was looked for */
    static Function load(FunctionConfig config) {
        String handler = config.text(FunctionConfig.Key.HANDLER);
        ClassLoader loader = loader(config.text(FunctionConfig.Key.JAR));
        Class<?> whole = find(handler, loader);
        if (whole != null) {
            if (!Function.class.isAssignableFrom(whole)) {
                throw missing("not a function: handler=" + handler + "; let the class implement " + Function.class.getName()
                    + ", or name a method of it");
            }
            return (Function) instance(whole);
        }
        int dot = handler.lastIndexOf('.');
        String className = dot < 0 ? handler : handler.substring(0, dot);
        Class<?> type = dot < 0 ? null : find(className, loader);
        if (type == null && dot >= 0) {
            type = find(KUBELESS_PACKAGE + className, loader);
        }
        if (type == null) {
            throw missing("no such class: handler=" + handler + ", jars=" + config.text(FunctionConfig.Key.JAR)
                + "; name a class, or Class.method, that is in one of them");
        }
        return kubeless(type, handler.substring(dot + 1), config);
    }

    private static FunctionException missing(String message) {
        return new FunctionException(Problem.NO_HANDLER, message);
    }

    /** Lives as long as the process. */
    private static ClassLoader loader(String jars) {
        ClassLoader own = Handlers.class.getClassLoader();
        if (jars.isEmpty()) {
            return own;
        }
        List<URL> urls = new ArrayList<>();
        for (String jar : jars.split(File.pathSeparator)) {
            if (!Files.isReadable(Path.of(jar))) {
                throw missing("cannot read the function's classes: " + FunctionConfig.Key.JAR.variable() + "=" + jar);
            }
            try {
                urls.add(Path.of(jar).toUri().toURL());
            } catch (MalformedURLException e) {
                throw new AssertionError("a path is a URL", e);
            }
        }
        return new URLClassLoader("function", urls.toArray(URL[]::new), own);
    }

    private static Class<?> find(String name, ClassLoader loader) {
        try {
            return Class.forName(name, true, loader);
        } catch (ClassNotFoundException | NoClassDefFoundError e) {
            return null; // the second where only the case of letters differs, on some file systems
        }
    }

    private static Object instance(Class<?> type) {
        try {
            return type.getConstructor().newInstance();
        } catch (InvocationTargetException e) {
            throw new FunctionException(Problem.NO_HANDLER,
                "the function's constructor failed: class=" + type.getName() + ", cause=" + e.getCause(), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new FunctionException(Problem.NO_HANDLER, "cannot make the function: class=" + type.getName() + ", cause=" + e
                + "; give the class a public constructor without parameters", e);
        }
    }

    private static Function kubeless(Class<?> type, String name, FunctionConfig config) {
        Method method;
        try {
            method = type.getMethod(name, KUBELESS_PARAMETERS);
        } catch (NoSuchMethodException e) {
            throw new FunctionException(Problem.NO_HANDLER, "no such method: class=" + type.getName() + ", method=" + name
                + "; write public Object " + name + "(io.kubeless.Event, io.kubeless.Context). It has "
                + Arrays.stream(type.getDeclaredMethods()).map(Method::getName).distinct().sorted().toList(), e);
        }
        Object object = instance(type);
        Context context = new Context(name, Long.toString(config.duration(FunctionConfig.Key.TIMEOUT).toSeconds()), "java",
            Long.toString(Runtime.getRuntime().maxMemory()));
        return call -> answer(invoke(method, object, new Event(call.body(), call.header("event-id"), call.header("event-type"),
            call.header("event-time"), call.header("event-namespace")), context));
    }

    private static Object invoke(Method method, Object object, Event event, Context context) throws Exception {
        try {
            return method.invoke(object, event, context);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof Exception thrown) {
                throw thrown;
            }
            throw e;
        }
    }

    private static Answer answer(Object returned) {
        if (returned instanceof byte[] bytes) {
            return new Answer(200, "application/octet-stream", bytes, Map.of());
        }
        return Answer.text(200, returned == null ? "" : returned.toString());
    }
}
