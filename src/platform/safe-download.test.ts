import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import { DownloadError, type DownloadFault } from "./download-error.ts";
import { isPublicAddress } from "./public-address.ts";
import { checkedUrl, openDownload, type SafeDownloadOptions } from "./safe-download.ts";

const cleanUps: Array<() => void> = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A server of the world outside: the tests say that its address may be dialled. */
async function server(listener: RequestListener): Promise<string> {
  const http = createServer(listener);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => {
    http.closeAllConnections();
    http.close();
  });
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

const LIMITS = { maxBytes: 1_000, timeoutMs: 5_000 };
const OUTSIDE = { ...LIMITS, mayDial: (address: string) => address === "127.0.0.1" };

async function contentAt(url: string, options: SafeDownloadOptions = OUTSIDE): Promise<string> {
  const { stream } = await openDownload(url, options);
  return Buffer.concat(await stream.toArray()).toString();
}

async function faultOf(work: Promise<unknown>): Promise<DownloadFault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DownloadError);
  // Neither the address nor what it is signed with.
  expect(String((error as Error).stack)).not.toMatch(/127\.0\.0\.1|signed/);
  return (error as DownloadError).fault;
}

test("addresses of this machine, its network, its cloud, and IPv4 in disguise are not public", () => {
  const inside = `0.0.0.0 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.8.8.8 169.254.169.254
    172.16.0.1 172.31.255.255 192.168.1.1 192.0.0.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1
    2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1
    ff02::1 localhost 127.1 nonsense`;
  expect(inside.split(/\s+/).filter(isPublicAddress)).toEqual([]);
  const outside = "1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 2606:4700::1111 2a00:1450::5";
  expect(outside.split(" ").filter((address) => !isPublicAddress(address))).toEqual([]);
});

test("no spelling of a private address is let through, and nothing but http", () => {
  const faults = (list: string) =>
    list.split(/\s+/).map((url) => {
      try {
        return checkedUrl(url).href;
      } catch (error) {
        return (error as DownloadError).fault;
      }
    });
  const inside = `http://127.0.0.1/ http://0x7f.1/ http://2130706433/ http://017700000001/
    http://[::1]:80/ http://[::ffff:7f00:1]/ https://10.0.0.1:8443/x http://0/`;
  expect(new Set(faults(inside))).toEqual(new Set(["private-address"]));
  const bad = "file:///etc/passwd ftp://a.example/ data:,x //a.example/x x https://u:p@a.example/";
  expect(new Set(faults(bad))).toEqual(new Set(["bad-url"]));
  expect(faults("https://files.example/a?b=c")).toEqual(["https://files.example/a?b=c"]);
});

describe("a download", () => {
  test("gives the bytes, with what its server says of them", async () => {
    const root = await server((_, response) => {
      response.writeHead(200, { "content-type": "image/PNG; x=1", "content-length": 5 });
      response.end("bytes");
    });
    const { stream, ...about } = await openDownload(`${root}/a/chart%201.png?signed=x`, OUTSIDE);
    expect(about).toEqual({ sizeBytes: 5, contentType: "image/png", name: "chart 1.png" });
    expect(Buffer.concat(await stream.toArray()).toString()).toBe("bytes");
  });

  test("a name that leads inside is not dialled", async () => {
    let asked = 0;
    const root = await server((_, response) => {
      asked += 1;
      response.end("secret");
    });
    const named = root.replace("127.0.0.1", "localhost");
    expect(await faultOf(contentAt(named, LIMITS))).toBe("private-address");
    expect(await faultOf(contentAt(root, LIMITS))).toBe("private-address");
    expect(asked).toBe(0);
  });

  test("each redirect is checked as the first address is, and they are counted", async () => {
    const root = await server((request, response) => {
      const to = new URL(request.url ?? "", "http://x").searchParams.get("to");
      if (to === null) response.end("there");
      else response.writeHead(302, { location: to === "on" ? (request.url ?? "") : to }).end();
    });
    expect(await contentAt(`${root}/?to=/elsewhere`)).toBe("there");
    const leading = (to: string) => faultOf(contentAt(`${root}/?to=${encodeURIComponent(to)}`));
    expect(await leading("http://127.0.0.2/")).toBe("private-address");
    expect(await leading("http://[::1]/")).toBe("private-address");
    expect(await leading("file:///etc/passwd")).toBe("bad-url");
    expect(await leading("on")).toBe("refused");
  });

  test("too large: whether it is announced or not, and nothing is read beyond", async () => {
    const announced = await server((_, response) => {
      response.writeHead(200, { "content-length": 1_001 }).end();
    });
    expect(await faultOf(contentAt(announced))).toBe("too-large");
    const endless = await server((_, response) => {
      const more = () => void (response.destroyed || response.write("x".repeat(600), more));
      more();
    });
    expect(await faultOf(contentAt(endless))).toBe("too-large");
  });

  test("what breaks off is not the file, and what hangs ends in time", async () => {
    const broken = await server((_, response) => {
      response.writeHead(200, { "content-length": 10 });
      response.write("half", () => response.socket?.destroy());
    });
    expect(await faultOf(contentAt(broken))).toBe("unavailable");
    const hangs = await server((_, response) => void response.write("half"));
    expect(await faultOf(contentAt(hangs, { ...OUTSIDE, timeoutMs: 100 }))).toBe("late");
    const mute = await server(() => {});
    expect(await faultOf(contentAt(mute, { ...OUTSIDE, timeoutMs: 100 }))).toBe("late");
    const stop = AbortSignal.abort();
    expect(await faultOf(contentAt(mute, { ...OUTSIDE, signal: stop }))).toBe("aborted");
  });

  test("what its server says: no for good, or perhaps later", async () => {
    const root = await server((request, response) => {
      const status = Number(request.url?.slice(1));
      response.writeHead(status, status === 200 ? { "content-encoding": "gzip" } : {}).end("why");
    });
    const faults = [404, 403, 410, 204, 200, 429, 503].map((status) =>
      faultOf(contentAt(`${root}/${status}`)),
    );
    expect(await Promise.all(faults)).toEqual([
      ...["refused", "refused", "refused", "refused", "refused"],
      ...["unavailable", "unavailable"],
    ]);
  });
});
