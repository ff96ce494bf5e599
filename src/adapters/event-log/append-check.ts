import type { StoredEvent } from "../../kernel/event.ts";
import { Fault } from "../../kernel/outcome.ts";
import type { Tip } from "../../ports/event-log.ts";

/**
 * What every log checks before it takes an event: it follows the newest one and its stream's newest
 * (else throws `log/conflict`), and its names can be stored as they are (else `log/malformed`).
 * Returns the event as the new tip.
 */
export function checkFollows(
	event: StoredEvent,
	tip: Tip,
	version: number,
): Tip {
	if (event.position !== tip.position + 1)
		throw conflict(
			`position ${event.position} does not follow ${tip.position}`,
		);
	if (event.previous !== tip.hash)
		throw conflict(
			`the event at ${event.position} is not chained to the one before`,
		);
	if (event.version !== version + 1) {
		throw conflict(
			`version ${event.version} of stream ${event.stream} does not follow ${version}`,
		);
	}
	checkName(event.stream);
	checkName(event.type);
	checkName(event.actor);
	checkName(event.cause);
	checkName(event.correlation);
	checkName(event.key);
	checkName(event.input);
	return { position: event.position, hash: event.hash, time: event.time };
}

function checkName(text: string | undefined): void {
	if (text !== undefined && !text.isWellFormed()) {
		throw new Fault(
			"log/malformed",
			`${JSON.stringify(text)} is no well-formed Unicode text, so it cannot name anything in the log. Nothing was written.`,
		);
	}
}

export function keyConflict(key: string): Fault {
	return conflict(`the key ${key} was used before`);
}

export function logClosed(): Fault {
	return new Fault("log/closed", "The log is closed.");
}

export function headExpired(): Fault {
	return new Fault(
		"log/failed",
		"The head of the log was used after its write had ended. Use it inside `work` only.",
	);
}

function conflict(what: string): Fault {
	return new Fault(
		"log/conflict",
		`The log refused a write: ${what}. Nothing was written; read and decide again.`,
	);
}
