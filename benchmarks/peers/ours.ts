import { readBooks } from "../../test/support/books.ts";
import { duranteOs, startGateway } from "../lib/gateways.ts";
import { runtimeVersion } from "./floors.ts";
import type { Peer } from "./peer.ts";

export const oursOnNode: Peer = ours("node", "DuranteOS, Node");
export const oursOnBun: Peer = ours("bun", "DuranteOS, Bun");

/** Micro-credits in a US dollar. */
const perDollar = 1e8;

function ours(runtime: "node" | "bun", name: string): Peer {
	return {
		id: `ours-${runtime}`,
		name,
		kind: "ours",
		conditions:
			"On: keys, prices, a durable hold before the first byte leaves, an exact durable settlement before the answer ends, hash chain. Off: nothing.",
		money: { spend: true, budget: true, durable: true, messages: true },
		prepare: () => runtimeVersion(runtime),
		async start({ upstreamPort, folder, money }) {
			const args = [folder];
			if (money?.budget !== undefined) args.push(String(money.budget));
			const running = await startGateway(
				duranteOs(name, runtime, args),
				upstreamPort,
			);
			return {
				...running,
				spent: async () => (await readBooks(folder)).account.spent / perDollar,
			};
		},
	};
}
