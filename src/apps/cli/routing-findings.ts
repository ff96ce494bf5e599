import { idleRules, openDesk, stopsIn } from "../../contexts/routing/index.ts";
import type { Ledger } from "../ledger.ts";
import { fileDiffers, routingIn } from "../routing.ts";
import { shadowFindings } from "../shadow.ts";
import { counted } from "./amounts.ts";
import { openCatalogue } from "./commands/route.ts";
import type { Session } from "./session.ts";

/** One thing that `dos doctor` tells of routing. */
export interface RoutingFinding {
	readonly state: "ok" | "warn" | "fail";
	readonly message: string;
	readonly mend?: string;
}

/** What stops calls now, what the settings would stop, and rules that bar nobody. */
export async function routingFindings(
	ledger: Ledger,
	session: Session,
): Promise<readonly RoutingFinding[]> {
	const { head, digest } = ledger;
	const settings = session.config();
	const { catalogue } = await openCatalogue(session, ledger);
	const { policy, table } = openDesk({
		state: () => head.state("routing"),
		catalogue,
		digest,
	}).current();
	const read = routingIn(settings, digest, catalogue);
	const differs =
		read.policy.version !== policy.version ||
		read.table.version !== table.version;
	const recorded = head.state("routing").policy !== undefined;
	const found = [
		...stopsIn(policy, table).map((message) => ({
			state: "fail" as const,
			message,
			mend: "mend config.yaml, then: dos route apply",
		})),
		...(differs && read.said ? read.wrong : []).map((message) => ({
			state: "fail" as const,
			message,
			mend: "dos route apply --dry-run shows what would change",
		})),
		...idleRules(policy, table, catalogue).map((message) => ({
			state: "warn" as const,
			message,
		})),
		...shadowFindings(settings.config, head.state("credits")).map(
			(message) => ({ state: "warn" as const, message }),
		),
		...(recorded && differs && read.said
			? [
					{
						state: "warn" as const,
						message: fileDiffers,
						mend: "dos route apply, or dos start",
					},
				]
			: []),
	];
	return found.length > 0
		? found
		: [
				{
					state: "ok" as const,
					message: `${counted(policy.postures.length, "posture")} and ${counted(policy.classes.length, "class").replace(/classs$/, "classes")} in force, ${counted(catalogue.substrates.length, "substrate")} in the catalogue`,
				},
			];
}
