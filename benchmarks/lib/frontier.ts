/** What a gateway did at one number of connections. Milliseconds. */
export interface Point {
	readonly connections: number;
	readonly perSecond: number;
	readonly p99: number;
	readonly failed: number;
}

/** The most calls a second with p99 within a bound; `perSecond` is 0 where no number of connections is. */
export interface Edge {
	readonly bound: number;
	readonly perSecond: number;
	readonly connections: number;
}

export const bounds = [1, 5, 10, 50, 100] as const;

const ladder = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const;

/**
 * Finds the frontier of throughput under bounds of p99: climbs a ladder of connections until p99 is
 * twice the widest bound, then measures once between the last step that kept a bound and the first
 * that broke it, at most `refinements` times. A point with failed calls counts for no bound.
 */
export async function searchFrontier(
	measure: (connections: number) => Promise<Point>,
	refinements: number,
	steps: readonly number[] = ladder,
): Promise<{ points: readonly Point[]; edges: readonly Edge[] }> {
	const points: Point[] = [];
	const widest = Math.max(...bounds);
	for (const connections of steps) {
		const point = await measure(connections);
		points.push(point);
		if (point.p99 > 2 * widest) break;
	}
	let left = refinements;
	// The wide bounds first: they hold the most calls, and one point may serve several bounds.
	for (const bound of [...bounds].reverse()) {
		if (left === 0) break;
		const between = middle(points, bound);
		if (between === undefined) continue;
		left--;
		points.push(await measure(between));
	}
	points.sort((a, b) => a.connections - b.connections);
	return { points, edges: bounds.map((bound) => edgeOf(points, bound)) };
}

export function edgeOf(points: readonly Point[], bound: number): Edge {
	let edge: Edge = { bound, perSecond: 0, connections: 0 };
	for (const point of points) {
		if (keeps(point, bound) && point.perSecond > edge.perSecond) {
			const { perSecond, connections } = point;
			edge = { bound, perSecond, connections };
		}
	}
	return edge;
}

function keeps(point: Point, bound: number): boolean {
	return point.failed === 0 && point.p99 <= bound;
}

/** The connections in the geometric middle of the last point that kept a bound and the first after it that did not. */
function middle(points: readonly Point[], bound: number): number | undefined {
	const sorted = [...points].sort((a, b) => a.connections - b.connections);
	const kept = sorted.findLastIndex((point) => keeps(point, bound));
	const [last, first] = [sorted[kept], sorted[kept + 1]];
	if (!last || !first) return undefined;
	const between = Math.round(Math.sqrt(last.connections * first.connections));
	return between > last.connections && between < first.connections
		? between
		: undefined;
}
