/**
 * One replica of the fleet: the whole of Studio over the ledger that `DOS_STORE` names, on a clock that is off by
 * `FLEET_SKEW` milliseconds until it is told otherwise. Does what it is told over its channel, and watches that it hears each event once, in order.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/adapters/runtime/clock.ts";
import { openStudio, type Studio } from "../../src/apps/compose.ts";
import { loadConfig } from "../../src/apps/config.ts";
import { findHome } from "../../src/apps/home.ts";
import { openLedger } from "../../src/apps/ledger.ts";
import type { CreditsCommand } from "../../src/contexts/credits/index.ts";

export type Asked = { readonly id: number } & (
	| {
			readonly do: "hold";
			readonly call: string;
			readonly account: string;
			readonly amount: number;
	  }
	| { readonly do: "settle"; readonly call: string; readonly amount: number }
	| { readonly do: "command"; readonly command: CreditsCommand }
	| { readonly do: "read"; readonly account: string }
	| { readonly do: "clock"; readonly skew: number }
	| { readonly do: "state" }
);

export interface Told {
	readonly id: number;
	/** `done`, the code of a refusal, or `fault` with its code. */
	readonly outcome: string;
	readonly fault?: string;
	readonly position?: number;
	/** Whether the hold names a lease, so that it is given back when we die. */
	readonly leased?: boolean;
	readonly sums?: Sums;
	readonly state?: ReplicaState;
}

export interface Sums {
	readonly granted: number;
	readonly held: number;
	readonly spent: number;
}

export interface ReplicaState {
	readonly position: number;
	readonly onDuty: boolean;
	readonly role: ReturnType<Studio["role"]>;
	readonly holds: readonly string[];
	readonly accounts: Readonly<Record<string, Sums>>;
	/** What a subscriber heard otherwise than once and in order. */
	readonly misheard: readonly string[];
	readonly heardUpTo: number;
}

let skew = Number(process.env.FLEET_SKEW ?? 0);
const clock = { ...systemClock, now: () => Date.now() + skew };
const home = findHome(
	process.env,
	mkdtempSync(join(process.env.FLEET_FOLDER ?? tmpdir(), "replica-")),
);
const report = (line: string) => {
	if (process.env.FLEET_VERBOSE) process.stderr.write(`  ${line}\n`);
};
const ledger = await openLedger(home, { create: true, clock });
const { head } = ledger;
const misheard: string[] = [];
let heard = head.position();
head.subscribe((events) => {
	for (const { position } of events) {
		if (position !== heard + 1) misheard.push(`${position} after ${heard}`);
		heard = position;
	}
});
const { config } = loadConfig(home, process.env);
const studio = await openStudio({
	ledger,
	config: { ...config, listen: { ...config.listen, port: 0 } },
	environment: {},
	version: "fleet",
	report,
	leaseTimes: {
		lease: Number(process.env.FLEET_LEASE),
		grace: Number(process.env.FLEET_GRACE),
	},
});
const url = await studio.listen();

process.on("message", (asked: Asked) => {
	void answer(asked)
		.catch((fault: { code?: string; message: string }) => ({
			outcome: "fault",
			fault: fault.code ?? fault.message,
		}))
		.then((told) => process.send?.({ id: asked.id, ...told }));
});
process.on("disconnect", () => process.exit());
process.send?.({ id: 0, outcome: url });

async function answer(asked: Asked): Promise<Omit<Told, "id">> {
	switch (asked.do) {
		case "hold": {
			const { call, account, amount } = asked;
			const holder = studio.instance.holder();
			const told = await execute({
				type: "hold",
				call,
				account,
				amount,
				expires: Math.max(clock.now(), head.time()) + 600_000,
				holder,
				substrate: "mock/model",
				model: "model",
				operation: "chat",
				sheet: "fleet",
			});
			return { ...told, leased: holder.split(".").length === 4 };
		}
		case "settle":
			return execute(
				asked.amount === 0
					? { type: "release", call: asked.call, ending: "not-sent" }
					: {
							type: "settle",
							call: asked.call,
							cost: asked.amount,
							basis: "fixed",
							ending: "finished",
							usage: {},
							lines: [],
						},
			);
		case "command":
			return execute(asked.command);
		case "clock":
			skew = asked.skew;
			return { outcome: "done" };
		case "read": {
			await head.refresh();
			const position = head.position();
			return { outcome: "done", position, sums: sumsOf(asked.account) };
		}
		case "state": {
			await head.refresh();
			const { accounts, holds } = head.state("credits");
			return {
				outcome: "done",
				state: {
					position: head.position(),
					onDuty: studio.instance.onDuty(),
					role: studio.role(),
					holds: [...holds.keys()],
					accounts: Object.fromEntries(
						[...accounts.keys()].map((id) => [id, sumsOf(id)]),
					),
					misheard,
					heardUpTo: heard,
				},
			};
		}
	}
}

async function execute(command: CreditsCommand): Promise<Omit<Told, "id">> {
	const outcome = await studio.head.execute("credits", command, {
		actor: "fleet",
	});
	if (!outcome.ok)
		return {
			outcome: outcome.error.code,
			fault: outcome.error.message,
			position: head.position(),
		};
	const [event] = outcome.value.events as readonly { position?: number }[];
	return {
		outcome: "done",
		...(event?.position !== undefined && { position: event.position }),
	};
}

function sumsOf(id: string): Sums {
	const account = head.state("credits").accounts.get(id);
	return {
		granted: account?.granted ?? 0,
		held: account?.held ?? 0,
		spent: account?.spent ?? 0,
	};
}
