import {
	createRouter,
	type Departure,
	openReplays,
	positionBefore,
	recordedInputs,
	retell,
} from "../../../contexts/routing/index.ts";
import { withLedger } from "../../ledger.ts";
import { counted } from "../amounts.ts";
import { exitCodes } from "../errors.ts";
import type { Session } from "../session.ts";
import { harmless } from "../style.ts";

/** Differences that are listed; the rest is counted. */
const mostListed = 1_000;

/** Exit code 1 when any decision comes to something else, or a call went where its decision did not allow. */
export async function replayRoutes(
	session: Session,
	{ since }: { readonly since?: number },
): Promise<number> {
	return withLedger(session.home, async ({ log, digest, head }) => {
		const position = since === undefined ? 0 : await positionBefore(log, since);
		const progress = session.progress("Decisions run again:");
		const replays = openReplays();
		const departures: Departure[] = [];
		let unlisted = 0;
		const begun = performance.now();
		try {
			for await (const retold of retell({
				log,
				inputs: recordedInputs(log, digest),
				router: createRouter({ worlds: 32 }),
				position,
				to: head.position(),
			})) {
				for (const departure of replays.check(retold)) {
					if (departures.length < mostListed) departures.push(departure);
					else unlisted++;
				}
				progress.at(replays.decisions());
			}
		} finally {
			progress.end();
		}
		const seconds = (performance.now() - begun) / 1000;
		const decisions = replays.decisions();
		const undecided = replays.undecided();
		const perSecond = Math.round(decisions / Math.max(seconds, 0.001));
		const ok = departures.length === 0;
		session.result(
			{ ok, decisions, undecided, perSecond, departures, unlisted },
			() => {
				const { style } = session;
				const count = `${counted(decisions, "decision")} run again${decisions >= 1000 ? `, ${perSecond.toLocaleString("en")} a second` : ""}`;
				return [
					ok
						? `${style.green("Every decision comes to the same answer:")} ${count}.`
						: `${style.red("Not everything is as it was recorded:")} ${count}.`,
					...(undecided > 0
						? [
								`${counted(undecided, "call")} of before there were decisions ${undecided === 1 ? "is" : "are"} not among them.`,
							]
						: []),
					...departures.map(
						({ call, position, why }) =>
							`  ${harmless(call)} (event ${position}): ${harmless(why)}`,
					),
					...(unlisted > 0
						? [`  … and ${unlisted.toLocaleString("en")} more`]
						: []),
				].join("\n");
			},
		);
		return ok ? exitCodes.ok : exitCodes.refused;
	});
}
