package com.inaccel.coral.ml;

import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.atomic.AtomicInteger;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.Type;

/**
 * Defines one suite's classes (its companion and its closures too) anew, with {@code new stock(…)} made
 * {@code new dropIn(…)} and a report to {@link MllibSuite#fitted} after each {@code stock.fit(…)}. Everything else comes
 * from the parent; types in signatures stay, since the drop-in is a subclass.
 */
final class RedirectingClassLoader extends ClassLoader {
    private static final String CONSTRUCTOR = "<init>";

    private final String suiteName;
    private final String stock;
    private final String dropIn;
    private final AtomicInteger redirected = new AtomicInteger();

    RedirectingClassLoader(String suiteName, Class<?> stock, Class<?> dropIn, ClassLoader parent) {
        super(parent);
        this.suiteName = suiteName;
        this.stock = Type.getInternalName(stock);
        this.dropIn = Type.getInternalName(dropIn);
    }

    /** How many instantiations were redirected in the classes loaded so far. */
    int redirected() {
        return redirected.get();
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (!name.equals(suiteName) && !name.startsWith(suiteName + "$")) {
            return super.loadClass(name, resolve);
        }
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            return loaded == null ? define(name) : loaded;
        }
    }

    private Class<?> define(String name) throws ClassNotFoundException {
        try (InputStream bytes = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
            if (bytes == null) {
                throw new ClassNotFoundException(name);
            }
            ClassReader reader = new ClassReader(bytes);
            ClassWriter writer = new ClassWriter(reader, ClassWriter.COMPUTE_MAXS);
            reader.accept(redirecting(writer), 0);
            byte[] result = writer.toByteArray();
            return defineClass(name, result, 0, result.length);
        } catch (IOException e) {
            throw new ClassNotFoundException(name, e);
        }
    }

    private ClassVisitor redirecting(ClassVisitor next) {
        return new ClassVisitor(Opcodes.ASM9, next) {
            @Override
            public MethodVisitor visitMethod(
                    int access, String name, String descriptor, String signature, String[] exceptions) {
                return new Redirection(super.visitMethod(access, name, descriptor, signature, exceptions));
            }
        };
    }

    private final class Redirection extends MethodVisitor {
        /** Objects allocated but not yet constructed: a constructor call without one is a {@code super(…)}. */
        private int unconstructed;

        private Redirection(MethodVisitor next) {
            super(Opcodes.ASM9, next);
        }

        @Override
        public void visitTypeInsn(int opcode, String type) {
            boolean redirect = opcode == Opcodes.NEW && type.equals(stock);
            if (redirect) {
                unconstructed++;
                redirected.incrementAndGet();
            }
            super.visitTypeInsn(opcode, redirect ? dropIn : type);
        }

        @Override
        public void visitMethodInsn(int opcode, String owner, String name, String descriptor, boolean isInterface) {
            if (!owner.equals(stock)) {
                super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
            } else if (name.equals(CONSTRUCTOR) && unconstructed > 0) {
                unconstructed--;
                super.visitMethodInsn(opcode, dropIn, name, descriptor, isInterface);
            } else {
                super.visitMethodInsn(opcode, owner, name, descriptor, isInterface);
                if (name.equals("fit") && Type.getReturnType(descriptor).getSort() == Type.OBJECT) {
                    super.visitInsn(Opcodes.DUP);
                    super.visitMethodInsn(Opcodes.INVOKESTATIC, Type.getInternalName(MllibSuite.class), "fitted",
                        "(Ljava/lang/Object;)V", false);
                }
            }
        }
    }
}
