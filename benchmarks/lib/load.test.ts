import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { percentile, runLoad } from "./load.ts";

describe("a percentile", () => {
	it("has its share of all below it", () => {
		const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
		expect(percentile(hundred, 0.5)).toBe(51);
		expect(percentile(hundred, 0.99)).toBe(100);
		expect(percentile([7], 0.99)).toBe(7);
		expect(percentile([], 0.5)).toBeNaN();
	});
});

describe("a load", () => {
	let server: Server;

	afterEach(() => {
		server.closeAllConnections();
		server.close();
	});

	async function load(answer: RequestListener, connections: number) {
		server = createServer((request, response) => {
			request.resume();
			request.on("end", () => answer(request, response));
		});
		await new Promise<void>((resolve) =>
			server.listen(0, "127.0.0.1", resolve),
		);
		const { port } = server.address() as AddressInfo;
		return runLoad({ port, path: "/", body: "{}", connections, seconds: 0.2 });
	}

	it("counts what was answered, with a length or in chunks, one request after the other", async () => {
		let served = 0;
		const { requests, failed, p50 } = await load((_, response) => {
			if (served++ % 2 === 0) return response.end("whole");
			response.write("in ");
			setTimeout(() => response.end("chunks"), 2);
		}, 4);
		expect(requests).toBe(served);
		expect(requests).toBeGreaterThan(20);
		expect(failed).toBe(0);
		expect(p50).toBeGreaterThan(0);
	});

	it("counts what was refused and what broke off as failed", async () => {
		let served = 0;
		const { failed } = await load((request, response) => {
			if (served++ % 2 === 0) request.socket.destroy();
			else response.writeHead(402).end("no");
		}, 1);
		expect(failed).toBe(served);
	});
});
