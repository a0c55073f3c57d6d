import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const MOST_KB = 250;
let folder = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dashboard-"));
  await build({ root: join(import.meta.dirname, ".."), logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = (): string[] => readdirSync(folder, { recursive: true, encoding: "utf8" });

describe("the built page", () => {
  it(`has at most ${MOST_KB} kB of JavaScript, packed, in all`, () => {
    const scripts = files().filter((name) => name.endsWith(".js"));
    expect(scripts.length).toBeGreaterThan(0);
    const size = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
    expect(size).toBeLessThanOrEqual(MOST_KB * 1000);
  });

  it("loads nothing from elsewhere, and has no code or style in the page itself", () => {
    const html = readFileSync(join(folder, "index.html"), "utf8");
    expect(html).not.toMatch(/https?:/);
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/);
    expect(html.match(/<script\b[^>]*>/g)?.every((tag) => tag.includes(" src="))).toBe(true);
    const styles = files().filter((name) => name.endsWith(".css"));
    for (const name of styles) expect(readFileSync(join(folder, name), "utf8")).not.toMatch(/url\(|@import|@font-face/);
  });

  it("has an address for each file that does not change without its name changing", () => {
    expect(files().filter((name) => /\.(js|css)$/.test(name)).every((name) => /-[\w-]{8}\.(js|css)$/.test(name))).toBe(true);
  });
});
