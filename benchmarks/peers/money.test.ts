import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { moneyTests, testMoney, type Verdict } from "./money.ts";
import type { Abilities, Peer } from "./peer.ts";
import { costOf } from "./vendor.ts";

/**
 * A gateway that claims everything and does nothing right: it refuses nobody, charges every call the
 * same and forgets it when it dies, and writes what passes through it anew.
 */
function careless(money: Abilities): Peer {
	return {
		id: "careless",
		name: "Careless",
		kind: "peer",
		conditions: "",
		money,
		prepare: async () => "1",
		async start({ upstreamPort }) {
			let calls = 0;
			const server = createServer(async (incoming, outgoing) => {
				calls++;
				let body = "";
				for await (const bytes of incoming) body += bytes;
				const rewritten = JSON.stringify({ ...JSON.parse(body), added: true });
				const asked = request(
					{ port: upstreamPort, path: incoming.url, method: "POST" },
					(answer) => {
						outgoing.writeHead(200, {
							"content-type": answer.headers["content-type"],
						});
						answer.on("data", (bytes) =>
							outgoing.write(String(bytes).replace(/, *"x_/g, ',  "x_')),
						);
						answer.on("error", () => outgoing.destroy());
						answer.on("end", () => outgoing.end());
					},
				);
				asked.on("error", () => outgoing.destroy());
				outgoing.on("close", () => asked.destroy());
				asked.end(rewritten);
			});
			const port = await listen(server);
			const stop = async () => {
				server.close();
				server.closeAllConnections();
			};
			return {
				port,
				headers: {},
				cpu: () => Number.NaN,
				memory: () => Number.NaN,
				stop,
				kill: stop,
				spent: async () => calls / 100,
			};
		},
	};
}

function listen(server: Server): Promise<number> {
	return new Promise((resolve) =>
		server.listen(0, "127.0.0.1", () =>
			resolve((server.address() as AddressInfo).port),
		),
	);
}

function outcomes(verdicts: readonly Verdict[]): Record<string, string> {
	return Object.fromEntries(
		verdicts.map(({ test, outcome }) => [test, outcome]),
	);
}

it("a gateway that claims everything and does nothing right is found out", async () => {
	const verdicts = await testMoney(
		careless({ spend: true, budget: true, durable: true, messages: true }),
	);
	expect(verdicts.map(({ test }) => test)).toEqual(moneyTests);
	expect(verdicts.map(({ outcome }) => outcome)).toEqual([
		"broken",
		"kept", // Who refuses nobody refuses nobody falsely.
		"kept", // It does tell the upstream.
		"broken",
		"broken",
		"broken",
		"broken",
		"broken",
		"broken",
	]);
	expect(verdicts[0]?.detail).toContain("10.25 times the budget");
}, 120_000);

it("what a gateway does not claim is not held against it, and what cannot be tested is said", async () => {
	const [none, untested] = [{ none: "It has none." }, { untested: "Later." }];
	const verdicts = await testMoney({
		...careless({
			spend: none,
			budget: untested,
			durable: none,
			messages: none,
		}),
		start: () => Promise.reject(new Error("It does not start.")),
	});
	const [overspend, , told, , settled] = verdicts;
	expect(overspend).toMatchObject({ outcome: "unknown", detail: "Later." });
	expect(settled).toMatchObject({ outcome: "none", detail: "It has none." });
	expect(told).toMatchObject({
		outcome: "unknown",
		detail: "It does not start.",
	});
	expect(Object.values(outcomes(verdicts))).not.toContain("broken");
});

it("every class of usage has its own price, and reasoning is part of the output", () => {
	const million = 1_000_000;
	expect(costOf({ input: million, output: 0 })).toBe(2.5);
	expect(costOf({ input: 0, cacheRead: million, output: 0 })).toBe(0.25);
	expect(costOf({ input: 0, cacheWrite: million, output: 0 })).toBe(3.125);
	expect(costOf({ input: 0, output: million, reasoning: 900_000 })).toBe(10);
});
