/** Owns what counts as one address: an IPv4 address in any notation, or the /64 network of IPv6 that one customer has. */
import { isIPv4, isIPv6 } from "node:net";

const mappedPrefix = "::ffff:";

/** IPv4 as IPv4; IPv6 without its zone, as short as it can be written. Anything else as it is. */
export function plainAddress(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = address.slice(mappedPrefix.length);
  if (address.startsWith(mappedPrefix) && isIPv4(mapped)) return mapped;
  const [bare = ""] = address.split("%", 1);
  const short = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  if (!short.startsWith(mappedPrefix)) return short;
  const [high = 0, low = 0] = short
    .slice(mappedPrefix.length)
    .split(":")
    .map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The key of every limit per address. */
export function addressKey(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail ? tail.split(":") : [];
  const groups = tail === undefined ? before : [...before, ...new Array<string>(8 - before.length - after.length).fill("0"), ...after];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
