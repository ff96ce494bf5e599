import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../../src/adapters/postgres/fixtures/server.ts";
import { findHome } from "../../src/apps/home.ts";
import { openStore } from "../../src/apps/store.ts";
import type { SimulationOptions } from "./simulation.ts";

export const engines = ["memory", "sqlite", "postgres"] as const;
export type Engine = (typeof engines)[number];

/** Gives each simulation a new and empty store of one engine. */
export interface Stores {
	/** Runs `work` on a new store, which is gone afterwards. */
	with<T>(
		work: (store: Pick<SimulationOptions, "store">) => Promise<T>,
	): Promise<T>;
	close(): Promise<void>;
}

export async function openStores(engine: Engine): Promise<Stores> {
	if (engine === "memory")
		return { with: (work) => work({}), async close() {} };
	const server = engine === "postgres" ? await startPostgres() : undefined;
	return {
		async with(work) {
			const folder = mkdtempSync(join(tmpdir(), "dos-simulation-"));
			const store = await openStore(
				findHome(server ? { DOS_STORE: server.fresh() } : {}, folder),
				{ environment: {} },
			);
			try {
				return await work({ store });
			} finally {
				await store.close();
				rmSync(folder, { recursive: true, force: true });
			}
		},
		close: async () => server?.stop(),
	};
}
