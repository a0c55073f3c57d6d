import { expect, it } from "vitest";
import { LoadError, patiently } from "../src/lib/patiently";

it("waits for a part of the page as long as the service is away, and gives up where it is there", async () => {
  let asked = 0;
  const back = await patiently(() => (++asked > 50 ? Promise.resolve("here") : Promise.reject(new Error("no network"))), () => asked < 50, 0);
  expect([back, asked]).toEqual(["here", 51]);
  await expect(patiently(() => Promise.reject(new Error("404")), () => false, 0)).rejects.toThrow(LoadError);
});
