import { expect, test } from "vitest";
import { FairQueue } from "../src/core/fair-queue.ts";

const always = () => true;

/** Pieces of work that end when they are told to, and the order in which they began. */
function startWork(atOnce: number) {
  const queue = new FairQueue(atOnce);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const take = (address: string, name: string, isWanted = always) =>
    queue.take(
      address,
      () => {
        begun.push(name);
        return new Promise<string>((resolve) => ends.push(() => resolve(name)));
      },
      isWanted,
    );
  /** Two turns of the event loop begin what may begin. */
  const settle = async () => {
    for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const endNext = async () => {
    ends.shift()?.();
    await settle();
  };
  return { begun, take, settle, endNext };
}

test("so many run at once, and no more", async () => {
  const { begun, take, settle, endNext } = startWork(2);
  for (const name of ["one", "two", "three", "four"]) void take("10.0.0.1", name);
  await settle();
  expect(begun).toEqual(["one", "two"]);
  await endNext();
  expect(begun).toEqual(["one", "two", "three"]);
});

test("an address with one piece waits for no more than a turn of one with many", async () => {
  const { begun, take, settle, endNext } = startWork(1);
  for (let index = 0; index < 50; index += 1) void take("10.0.0.1", `many ${index}`);
  await settle();
  void take("10.0.0.2", "one");
  void take("10.0.0.3", "another");
  for (let index = 0; index < 3; index += 1) await endNext();
  expect(begun).toEqual(["many 0", "many 1", "one", "another"]);
});

test("the addresses of one /64 share their turns", async () => {
  const { begun, take, settle, endNext } = startWork(1);
  for (let index = 0; index < 10; index += 1) void take(`2001:db8::${index + 1}`, `many ${index}`);
  await settle();
  void take("2001:db8:0:1::1", "one");
  await endNext();
  await endNext();
  expect(begun).toEqual(["many 0", "many 1", "one"]);
});

test("what nobody wants any more takes no turn, and says so", async () => {
  const { begun, take, settle, endNext } = startWork(1);
  const first = take("10.0.0.1", "first");
  await settle();
  const left = take("10.0.0.1", "left", () => false);
  void take("10.0.0.1", "next");
  await endNext();
  expect(begun).toEqual(["first", "next"]);
  expect(await Promise.all([first, left])).toEqual(["first", undefined]);
});

test("a piece of work that fails fails alone", async () => {
  const queue = new FairQueue(1);
  const failing = queue.take("10.0.0.1", () => Promise.reject(new Error("no")), always);
  const following = queue.take("10.0.0.1", async () => "done", always);
  await expect(failing).rejects.toThrow("no");
  expect(await following).toBe("done");
});
