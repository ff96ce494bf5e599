import { Fault, type Outcome, type Refusal } from "../../kernel/outcome.ts";

/** What the program ends with; the table stands in the help and in docs/guides/cli.md. */
export const exitCodes = {
	ok: 0,
	/** Refused by a rule, or a check found something wrong. */
	refused: 1,
	/** The command line or config.yaml is not as it must be. */
	usage: 2,
	/** Disk, network or a vendor failed. */
	fault: 3,
	/** Ended by a signal, as shells say it. */
	interrupted: 130,
} as const;

/** A refusal on its way to whoever prints it. */
export class Refused extends Error {
	readonly refusal: Refusal;

	constructor(refusal: Refusal) {
		super(refusal.message);
		this.refusal = refusal;
	}
}

/** The value, or the refusal thrown. */
export function orRefused<T>(outcome: Outcome<T>): T {
	if (outcome.ok) return outcome.value;
	throw new Refused(outcome.error);
}

/** What went wrong, as it is shown, and the exit code it leads to. */
export function explain(thrown: unknown): {
	readonly error: Refusal;
	readonly exitCode: number;
} {
	if (thrown instanceof Refused)
		return {
			error: thrown.refusal,
			exitCode: exitCodeOf(thrown.refusal.code, exitCodes.refused),
		};
	if (thrown instanceof Fault) {
		const { code, message, details } = thrown;
		return {
			error: details ? { code, message, details } : { code, message },
			exitCode: exitCodeOf(code, exitCodes.fault),
		};
	}
	const system = thrown as NodeJS.ErrnoException | undefined;
	if (typeof system?.code === "string" && system.syscall !== undefined) {
		return {
			error: {
				code: "system/failed",
				message: `The system refused: ${system.message}.`,
				details: { reason: system.code },
			},
			exitCode: exitCodes.fault,
		};
	}
	return {
		error: {
			code: "cli/internal",
			message: `This should not have happened: ${thrown instanceof Error ? thrown.message : String(thrown)}. Run it again with DOS_DEBUG=1 to see where.`,
		},
		exitCode: exitCodes.fault,
	};
}

export function usage(
	message: string,
	details?: Readonly<Record<string, unknown>>,
): Fault {
	return new Fault("cli/usage", message, details ? { details } : {});
}

/** Some codes say more than the way they came. */
function exitCodeOf(code: string, otherwise: number): number {
	if (/^(cli\/usage|config\/.*|listen\/.*|.*\/invalid)$/.test(code))
		return exitCodes.usage;
	return code === "home/empty" ? exitCodes.refused : otherwise;
}
