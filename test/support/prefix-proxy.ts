/** A proxy that puts a server below a path, as nginx does with `location /chat/ { proxy_pass http://server/; }`; every other path is 404. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface PrefixProxy extends AsyncDisposable {
  /** Of the proxy, with the prefix behind it and no slash at its end. */
  readonly url: string;
}

export async function startPrefixProxy(prefix: string, targetUrl: () => string): Promise<PrefixProxy> {
  const passOn = ({ url = "", method, headers }: IncomingMessage) =>
    url.startsWith(`${prefix}/`) ? request(targetUrl() + url.slice(prefix.length), { method, headers }) : undefined;
  const proxy = createServer((incoming, response) => {
    const outgoing = passOn(incoming);
    if (!outgoing) return void response.writeHead(404).end();
    outgoing.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.destroy());
    response.on("close", () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  const sockets = new Set<Socket>();
  proxy.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  proxy.on("upgrade", (incoming, socket) => {
    const outgoing = passOn(incoming);
    if (!outgoing) return void socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
    outgoing.on("upgrade", (answer, far) => {
      const lines = answer.rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${answer.rawHeaders[index + 1]}`] : []));
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
      far.on("error", () => socket.destroy());
      far.on("close", () => socket.destroy());
      socket.on("close", () => far.destroy());
      far.pipe(socket).pipe(far);
    });
    outgoing.on("error", () => socket.destroy());
    outgoing.end();
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${prefix}`,
    async [Symbol.asyncDispose]() {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
