// @vitest-environment jsdom
import { expect, it } from "vitest";
import { blend } from "../src/views/parts/charts";

it("blends colours as style sheets write them, short or long", () => {
  expect(blend("#ffffff", "#000000", 0.5)).toBe("rgb(128 128 128)");
  expect(blend("#fff", "#1664c0", 0)).toBe("rgb(255 255 255)");
  expect(blend(" #fff", "#1664c0", 1)).toBe("rgb(22 100 192)");
});
