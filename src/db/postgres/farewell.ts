/** Owns how long an end is waited for: a database that is silent does not say goodbye either. */

const farewellMs = 1_000;

/** Resolves when all of it has ended, or is not waited for any longer. */
export async function farewell(...goodbyes: readonly Promise<unknown>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([Promise.all(goodbyes), new Promise((resolve) => (timer = setTimeout(resolve, farewellMs)))]);
  clearTimeout(timer);
}
