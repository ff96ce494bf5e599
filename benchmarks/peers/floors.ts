import { direct, startGateway } from "../lib/gateways.ts";
import { type Program, startProgram } from "../lib/process.ts";
import type { Peer } from "./peer.ts";

/** The upstream itself: what no gateway can beat. */
export const upstreamItself: Peer = {
	id: "direct",
	name: "No gateway",
	kind: "floor",
	conditions: "The load asks the mock upstream itself.",
	prepare: async () => "",
	start: async ({ upstreamPort }) => direct(upstreamPort),
};

export const bareNode: Peer = floor({
	id: "bare-node",
	name: "Bare proxy, Node",
	file: "bare-proxy.ts",
	conditions:
		"Thirty lines of node:http that forward and parse nothing: the floor of the runtime.",
});

export const bareBun: Peer = floor({
	id: "bare-bun",
	name: "Bare proxy, Bun",
	file: "bare-proxy-bun.ts",
	runtime: "bun",
	conditions:
		"Twenty lines of Bun.serve and fetch that forward and parse nothing.",
});

function floor(about: Program & Pick<Peer, "id" | "conditions">): Peer {
	return {
		id: about.id,
		name: about.name,
		kind: "floor",
		conditions: about.conditions,
		prepare: () => runtimeVersion(about.runtime ?? "node"),
		start: ({ upstreamPort }) => startGateway(about, upstreamPort),
	};
}

/** The version of a runtime, asked of itself. */
export async function runtimeVersion(runtime: "node" | "bun"): Promise<string> {
	const started = await startProgram({
		name: runtime,
		runtime,
		file: "version.ts",
	});
	await started.stop();
	return String(started.ready.version);
}
