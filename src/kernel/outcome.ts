/** What an operation that can foresee its refusals returns: nobody is surprised at run time. */
export type Outcome<T, R extends Refusal = Refusal> =
	| { readonly ok: true; readonly value: T }
	| { readonly ok: false; readonly error: R };

/**
 * A refusal we foresee. `code` is stable (`area/what`) and is what programs compare; `message` says
 * what happened and what to do next; `details` carries the numbers behind it (micro-credits,
 * milliseconds since 1970, ids), never a secret.
 */
export interface Refusal {
	readonly code: string;
	readonly message: string;
	readonly details?: Readonly<Record<string, unknown>> | undefined;
}

export function accept<T>(value: T): { readonly ok: true; readonly value: T } {
	return { ok: true, value };
}

export function refuse(
	code: string,
	message: string,
	details?: Readonly<Record<string, unknown>>,
): { readonly ok: false; readonly error: Refusal } {
	return {
		ok: false,
		error: details ? { code, message, details } : { code, message },
	};
}

/**
 * A fault from outside (disk, network, a vendor). Compare `code`, never the message.
 * `retryable` promises that the same call may succeed later and that nothing was done.
 */
export class Fault extends Error {
	override readonly name = "Fault";
	readonly code: string;
	readonly retryable: boolean;
	readonly details: Readonly<Record<string, unknown>> | undefined;

	constructor(
		code: string,
		message: string,
		options: {
			cause?: unknown;
			retryable?: boolean;
			details?: Readonly<Record<string, unknown>>;
		} = {},
	) {
		super(
			message,
			options.cause === undefined ? undefined : { cause: options.cause },
		);
		this.code = code;
		this.retryable = options.retryable ?? false;
		this.details = options.details;
	}
}
