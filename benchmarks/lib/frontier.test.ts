import { describe, expect, it } from "vitest";
import { bounds, edgeOf, type Point, searchFrontier } from "./frontier.ts";

/** A server whose calls take `cost` ms each, one after the other: p99 grows with who waits. */
function queue(cost: number, asked: number[] = []) {
	return async (connections: number): Promise<Point> => {
		asked.push(connections);
		return {
			connections,
			perSecond: (1_000 / cost) * (connections / (connections + 1)),
			p99: connections * cost,
			failed: 0,
		};
	};
}

describe("the frontier", () => {
	it("has an edge for every bound, and a wider bound never holds fewer calls", async () => {
		const { edges } = await searchFrontier(queue(0.4), 4);
		expect(edges.map(({ bound }) => bound)).toEqual([...bounds]);
		for (const [index, edge] of edges.entries())
			expect(edge.perSecond).toBeGreaterThanOrEqual(
				edges[index - 1]?.perSecond ?? 0,
			);
		expect(edges[0]).toMatchObject({ bound: 1, connections: 2 });
	});

	it("looks between the last that kept a bound and the first that did not", async () => {
		const asked: number[] = [];
		const { edges } = await searchFrontier(queue(1, asked), 4);
		expect(asked).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 91, 45, 11, 6]);
		expect(edges.map(({ connections }) => connections)).toEqual([
			1, 4, 8, 45, 91,
		]);
	});

	it("stops climbing when waiting longer can tell nothing more", async () => {
		const asked: number[] = [];
		await searchFrontier(queue(60, asked), 0);
		expect(asked).toEqual([1, 2, 4]);
	});

	it("is 0 where even one connection is too slow, and where calls failed", async () => {
		const { edges } = await searchFrontier(queue(7), 0);
		expect(edges[0]).toEqual({ bound: 1, perSecond: 0, connections: 0 });
		const refused = { connections: 8, perSecond: 1e5, p99: 0.1, failed: 3 };
		expect(edgeOf([refused], 1).perSecond).toBe(0);
	});
});
