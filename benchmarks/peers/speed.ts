import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requestBody } from "../lib/answers.ts";
import { searchFrontier } from "../lib/frontier.ts";
import { leaveEarly, measure, type Scenario, warmUp } from "../lib/gateways.ts";
import type { Started } from "../lib/process.ts";
import type { Peer, RunningPeer } from "./peer.ts";
import {
	type Contender,
	type Figures,
	figuresOf,
	type ScenarioName,
	scenarios,
} from "./results.ts";

export interface Plan {
	/** Of load in a cell, and before it. */
	readonly seconds: number;
	readonly warmUp: number;
	/** Of load before the first cell, at most. */
	readonly first: number;
	/** Of load in a step of the frontier's search, and what steps; none: no search. */
	readonly frontier?: {
		readonly seconds: number;
		readonly steps: readonly number[];
		readonly refinements: number;
	};
}

export interface Upstreams {
	readonly quick: Started;
	readonly paced: Started;
}

type Speed = Required<Pick<Contender, "figures" | "left">> &
	Pick<Contender, "frontier">;

/** One round over everything that is measured of speed. */
export async function measureSpeed(
	peer: Peer,
	upstreams: Upstreams,
	plan: Plan,
): Promise<Speed> {
	const figures: Partial<Record<ScenarioName, Figures>> = {};
	const take = async (gateway: RunningPeer, paced: boolean) => {
		for (const [name, scenario] of Object.entries(scenarios) as [
			ScenarioName,
			Scenario,
		][]) {
			if ((scenario.paced ?? false) !== paced) continue;
			figures[name] = figuresOf(
				await measure(gateway, scenario, plan.seconds, plan.warmUp),
			);
		}
	};
	const frontier = await behind(peer, upstreams.quick, async (gateway) => {
		await warmUp(gateway, { seconds: plan.first });
		await take(gateway, false);
		return plan.frontier && (await findFrontier(gateway, plan.frontier));
	});
	const left = await behind(peer, upstreams.paced, async (gateway) => {
		await warmUp(gateway, { seconds: plan.first });
		await take(gateway, true);
		return leaveEarly(gateway, upstreams.paced);
	});
	return { figures, left, ...(frontier ? { frontier } : {}) };
}

/** Starts a gateway in front of an upstream, sees that it answers, works with it and stops it. */
async function behind<Result>(
	peer: Peer,
	upstream: Started,
	work: (gateway: RunningPeer) => Promise<Result>,
): Promise<Result> {
	const folder = mkdtempSync(join(tmpdir(), "dos-bench-speed-"));
	const upstreamPort = Number(upstream.ready.port);
	try {
		const gateway = await peer.start({ upstreamPort, folder });
		try {
			await mustAnswer(gateway);
			return await work(gateway);
		} finally {
			await gateway.stop();
		}
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** A gateway that refuses is quick, and would look it. */
async function mustAnswer(gateway: RunningPeer): Promise<void> {
	const { port, base = "", headers } = gateway;
	const response = await fetch(
		`http://127.0.0.1:${port}${base}/v1/chat/completions`,
		{
			method: "POST",
			headers: { "content-type": "application/json", ...headers },
			body: requestBody(false),
			signal: AbortSignal.timeout(30_000),
		},
	);
	const text = await response.text();
	if (!response.ok || !text.includes("The ledger is balanced"))
		throw new Error(
			`It answered ${response.status} to a call: ${text.slice(0, 120)}`,
		);
}

function findFrontier(
	gateway: RunningPeer,
	{ seconds, steps, refinements }: NonNullable<Plan["frontier"]>,
) {
	return searchFrontier(
		async (connections) => {
			const scenario = { name: "frontier", stream: false, connections };
			const { load } = await measure(gateway, scenario, seconds, 0);
			const { perSecond, p99, failed } = load;
			return { connections, perSecond, p99: p99 ?? Infinity, failed };
		},
		refinements,
		steps,
	);
}
