import tailwindcss from "@tailwindcss/vite";
import { defineConfig } from "vite";

// Relative, as the server writes a base into the page: it works below any path.
export default defineConfig({
  base: "./",
  plugins: [tailwindcss()],
  oxc: { jsx: { runtime: "automatic" } },
  build: {
    outDir: "../src/mainspring/dashboard",
    emptyOutDir: true,
    target: "es2023",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // libraries say "use client", which means nothing here
    rolldownOptions: { checks: { moduleLevelDirective: false } },
  },
  // For work on the pages themselves, beside a running `mainspring dev`.
  server: {
    proxy: {
      "/api": { target: "http://127.0.0.1:7420", ws: true },
    },
  },
});
