package io.kubeless;

/** As users of Kubeless wrote them. */
public class Hello {
    public String say(io.kubeless.Event event, io.kubeless.Context context) {
        return "Hello " + event.Data + " " + event.EventID + " " + event.EventType + " " + event.EventTime + " "
            + event.EventNamespace + " " + context.functionName + " " + context.timeout;
    }

    public byte[] reverse(Event event, Context context) {
        byte[] bytes = event.bytes();
        byte[] reversed = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            reversed[i] = bytes[bytes.length - 1 - i];
        }
        return reversed;
    }

    public String fail(Event event, Context context) {
        throw new IllegalStateException("as it was told: " + event.Data);
    }

    public String noMatch(String text) {
        return text;
    }
}
