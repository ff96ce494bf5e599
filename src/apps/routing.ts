import {
	catalogueKey,
	idleRules,
	openDesk,
	type RoutingDesk,
	type RoutingSettings,
	readRouting,
	unpackCatalogue,
} from "../contexts/routing/index.ts";
import { readEvent } from "../kernel/event.ts";
import { Fault, type Outcome } from "../kernel/outcome.ts";
import type { CatalogueSnapshot } from "../ports/catalogue.ts";
import type { Digest } from "../ports/digest.ts";
import type { PriceBook } from "../ports/price-book.ts";
import { readCatalogue, type vendorsOf } from "./catalogue.ts";
import type { Config, LoadedConfig } from "./config.ts";
import type { Ledger } from "./ledger.ts";

/** The catalogue that was recorded last; undefined where none was. */
export async function recordedCatalogue(
	{ head, log }: Pick<Ledger, "head" | "log">,
	version: string | undefined = head.state("routing").catalogue,
): Promise<CatalogueSnapshot | undefined> {
	if (version === undefined) return undefined;
	const [stored] = await log.findByKey([catalogueKey(version)]);
	return stored && unpackCatalogue(readEvent(stored).data);
}

/**
 * What this process decides by: its catalogue is in the log before it is asked for. On a log that nobody has set up
 * yet it is recorded after the first event, as the first is the owner's.
 */
export async function openRouting(options: {
	readonly ledger: Ledger;
	readonly config: Config;
	readonly vendors: ReturnType<typeof vendorsOf>;
	readonly prices: PriceBook;
	readonly report: (line: string) => void;
}): Promise<RoutingDesk> {
	const { ledger, report, ...rest } = options;
	const { head, digest, clock } = ledger;
	const catalogue = readCatalogue({
		...rest,
		previous: await recordedCatalogue(ledger),
		digest,
		now: clock.now(),
	});
	const record = async () => {
		orThrow(
			await head.execute(
				"routing",
				{ type: "record-catalogue", catalogue },
				{ actor: "system" },
			),
		);
	};
	if (head.position() > 0) await record();
	else {
		const end = head.subscribe(() => {
			end();
			record().catch((fault: Error) =>
				report(`The catalogue could not be recorded: ${fault.message}`),
			);
		});
	}
	return openDesk({ state: () => head.state("routing"), catalogue, digest });
}

/** What the settings say of routing, and what is wrong with it, each with its place in the file where it has one. */
export function routingIn(
	{ config, placeOf }: Pick<LoadedConfig, "config" | "placeOf">,
	digest: Digest,
	catalogue?: CatalogueSnapshot,
): RoutingSettings & {
	/** False: the file has no such section. */
	readonly said: boolean;
	/** Sentences: of what stops calls, and of rules that bar nobody. */
	readonly wrong: readonly string[];
	readonly idle: readonly string[];
} {
	const settings = readRouting(config.routing, digest.text);
	return {
		...settings,
		said: config.routing !== undefined,
		wrong: settings.problems.map(({ path, message }) => {
			const place = placeOf(["routing", ...path]);
			return place
				? `config.yaml ${place.line}:${place.column}: ${message}`
				: message;
		}),
		idle: catalogue
			? idleRules(settings.policy, settings.table, catalogue)
			: [],
	};
}

/**
 * At a start: puts in force what the settings say where they say something else than the log, or, to `look`, only
 * compares them. Gives what its owner should hear of, a sentence each.
 */
export async function takeRouting(
	ledger: Pick<Ledger, "head" | "digest">,
	settings: Pick<LoadedConfig, "config" | "placeOf">,
	desk: RoutingDesk,
	{ only }: { readonly only: "look" | "record" },
): Promise<readonly string[]> {
	const { digest } = ledger;
	const read = routingIn(settings, digest, desk.current().catalogue);
	if (only === "record")
		await applyRouting(ledger, read, read.said ? "owner" : "defaults");
	const { policy, table } = desk.current();
	const differs =
		policy.version !== read.policy.version ||
		table.version !== read.table.version;
	const stands =
		differs && (read.said || only === "record")
			? [read.said ? fileDiffers : nothingSaid]
			: [];
	return [...stands, ...read.wrong, ...read.idle];
}

export const fileDiffers =
	"what config.yaml says under routing: is not what is in force, which is what the log has. See what would change: dos route apply --dry-run";
export const nothingSaid =
	"config.yaml has no routing: section; what was recorded before stays in force. See what that is: dos route apply --dry-run";

/**
 * Puts in force what the settings say, where it is not yet. Settings that say nothing take nothing back: only what
 * nobody said gives way to the defaults of this program.
 */
export async function applyRouting(
	{ head }: Pick<Ledger, "head">,
	{ policy, table }: Pick<RoutingSettings, "policy" | "table">,
	by: "owner" | "defaults",
): Promise<void> {
	const intent = { actor: by === "owner" ? "operator" : "system" };
	for (const command of [
		{ type: "record-policy", policy, by },
		{ type: "record-table", table, by },
	] as const)
		orThrow(await head.execute("routing", command, intent));
}

function orThrow(outcome: Outcome<unknown>): void {
	if (!outcome.ok) throw new Fault(outcome.error.code, outcome.error.message);
}
