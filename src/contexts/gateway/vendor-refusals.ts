import type { Refusal } from "../../kernel/outcome.ts";
import type { ErrorClass } from "./breakers.ts";
import type { Substrate } from "./substrates.ts";

export const stopping: Refusal = {
	code: "gateway/stopping",
	message: "The gateway is being stopped. Try again shortly.",
	details: { retryAfter: 5 },
};

export function brokeOff(substrate: Substrate): Refusal {
	return {
		code: "vendor/broke-off",
		message: `${substrate.id} ended its answer before it was complete. What was delivered is charged.`,
	};
}

export function vendorFailed(status: number, substrate: Substrate): Refusal {
	return {
		code: "vendor/failed",
		message: `${substrate.id} answered ${status} without saying why. Nothing was charged.`,
		details: { vendorStatus: status },
	};
}

/** What a vendor's status says about the owner's standing with it rather than about the client's request. */
export function refusalOfVendor(
	status: number,
	substrate: Substrate,
): Refusal | undefined {
	const details = { vendorStatus: status };
	if (status === 401 || status === 403) {
		return {
			code: "vendor/unauthorised",
			message: `${substrate.vendor.id} refused the owner's key for ${substrate.model}. Nothing was charged; the owner has to mend it (\`dos vendors\`).`,
			details,
		};
	}
	if (status === 402) {
		return {
			code: "vendor/out-of-credit",
			message: `The owner's balance at ${substrate.vendor.id} is used up. Nothing was charged here.`,
			details,
		};
	}
	if (status === 407 || (status >= 300 && status < 400))
		return {
			code: "vendor/misdirected",
			message: `${substrate.vendor.id} answered ${status}: its base address is wrong or leads through a proxy.`,
			details,
		};
	return undefined;
}

/** The owner's key for a vendor has to be fetched or computed first, and that failed. */
export function keyMissing(substrate: Substrate): Refusal {
	return {
		code: "vendor/no-key",
		message: `The key for ${substrate.vendor.id} could not be had, so nothing was sent and nothing was charged. The owner finds the reason in the gateway's output.`,
		details: { retryAfter: 5 },
	};
}

/** A posture or another policy came into force while the call waited. */
export function barredSince(substrate: Substrate): Refusal {
	return {
		code: "route/barred",
		message: `The policy changed while this call waited, and ${substrate.id} may not answer it any more. Nothing was sent and nothing was charged. Ask again: another may.`,
		details: { substrate: substrate.id },
	};
}

/** All the owner's keys for a vendor are at their limits; `wait` is in milliseconds. */
export function keysBusy(substrate: Substrate, wait: number): Refusal {
	return {
		code: "vendor/rate-limited",
		message: `The owner's keys for ${substrate.vendor.id} are at their limits, so nothing was sent and nothing was charged.`,
		details: { retryAfter: Math.max(1, Math.ceil(wait / 1000)) },
	};
}

/** What a vendor's status says went wrong there; undefined where the request itself was refused, as it would be anywhere. */
export function errorClassOf(status: number): ErrorClass | undefined {
	if (status === 401 || status === 402 || status === 403) return "key";
	if (status === 408 || status === 504) return "timeout";
	if (status === 429 || status === 503 || status === 529) return "overload";
	return status >= 500 || status < 400 || status === 407 ? "server" : undefined;
}

/** Whether a vendor's words hold one of the owner's secrets (bearer tokens without their scheme). */
export function mentions(
	bytes: Uint8Array,
	secrets: readonly string[],
): boolean {
	let text: string | undefined;
	for (const secret of secrets) {
		const bare = secret.replace(/^Bearer /, "");
		if (bare.length < 8) continue;
		text ??= Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
		if (text.includes(bare)) return true;
	}
	return false;
}
