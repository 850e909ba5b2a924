/** Owns where a request comes from: its address, seen through trusted proxies, and whether it was made on this machine. */
import type { IncomingMessage } from "node:http";
import { BlockList, isIP, isIPv6 } from "node:net";
import { plainAddress } from "../../core/address.ts";
import type { Origin } from "../../core/caller.ts";

function family(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}

/** Of an address as `plainAddress` or a URL writes it. */
function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** Whether `Host` names this machine: so a proxy that sends another `Host` is not taken for a local client. */
function namesLoopback(host: string | undefined): boolean {
  const name = URL.parse(`http://${host}`)?.hostname ?? "";
  return name === "localhost" || name === "[::1]" || (isIP(name) === 4 && isLoopback(name));
}

function isForwarding(header: string): boolean {
  return header === "forwarded" || header === "via" || header === "x-real-ip" || header.startsWith("x-forwarded-");
}

/** Made on this machine, as far as can be told: a proxy without forwarding headers speaks HTTP/1.0, or sends the host that its clients ask for. */
function isLocal({ headers, httpVersion }: IncomingMessage, remote: string): boolean {
  return isLoopback(remote) && httpVersion === "1.1" && namesLoopback(headers.host) && !Object.keys(headers).some(isForwarding);
}

/** The address of a hop, which some proxies write with a port: `192.0.2.1:443`, `[2001:db8::1]:443`. Undefined where it is none. */
function addressOfHop(text: string): string | undefined {
  const hop = text.trim();
  const bare = hop.startsWith("[") ? hop.slice(1, hop.indexOf("]")) : isIP(hop) === 0 ? hop.split(":", 1)[0] : hop;
  return bare !== undefined && isIP(bare) !== 0 ? plainAddress(bare) : undefined;
}

/** Tells which addresses are those of trusted proxies. */
export function createTrust(trustedProxies: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const proxy of trustedProxies) {
    const [written = "", prefix] = proxy.split("/");
    const address = plainAddress(written);
    if (prefix === undefined) trusted.addAddress(address, family(address));
    else trusted.addSubnet(written, Number(prefix), family(written));
  }
  return (address) => trusted.check(address, family(address));
}

/** The address of the peer itself, be it a proxy's. */
export function peerAddress(request: IncomingMessage): string {
  return plainAddress(request.socket.remoteAddress ?? "0.0.0.0");
}

/** Whether a request was made on this machine is asked of few, and looked at then. */
class RequestOrigin implements Origin {
  readonly address: string;
  readonly #request: IncomingMessage;

  constructor(address: string, request: IncomingMessage) {
    this.address = address;
    this.#request = request;
  }

  get local(): boolean {
    return isLocal(this.#request, peerAddress(this.#request));
  }
}

/** Tells where requests come from, believing `X-Forwarded-For` only as far as trusted proxies wrote it. */
export function createOriginReader(isTrusted: (address: string) => boolean): (request: IncomingMessage) => Origin {
  return (request) => {
    const remote = peerAddress(request);
    const forwardedFor = request.headers["x-forwarded-for"];
    if (forwardedFor === undefined) return new RequestOrigin(remote, request);
    const hops = [forwardedFor].flat().join(",").split(",");
    let address = remote;
    while (isTrusted(address)) {
      const hop = addressOfHop(hops.pop() ?? "");
      if (hop === undefined) break;
      address = hop;
    }
    return { address, local: false };
  };
}
