import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const service: string = process.env["HMS_SERVICE"] ?? "http://127.0.0.1:8000";

const proxy = { "/api": service, "/health": service, "/openapi.json": service, "/ws": { target: service, ws: true } };

export default defineConfig({
  // Relative, so that the page also works below a path of a proxy.
  base: "./",
  plugins: [react()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // A style sheet of a view that could not be read would not be asked for again.
    cssCodeSplit: false,
    // Nothing is put into the page itself: its security policy allows no inline code or styles.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy },
  preview: { proxy },
  test: {
    environment: "node",
    include: ["tests/**/*.test.{ts,tsx}"],
  },
});
