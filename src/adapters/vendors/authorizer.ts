import type { Vendor, VendorAuth } from "../../ports/vendor.ts";
import type { Authorizer, Headers, Outside } from "./authorization.ts";
import { awsSigner } from "./aws-signature.ts";
import { googleToken } from "./google-token.ts";
import { type FoundVendor, onlyKey } from "./registry.ts";

/** One of the ways in which requests to a vendor can be authorised. */
export interface AuthorizerKey {
	/** Its name, never itself. */
	readonly id: string;
	readonly weight: number;
	readonly requestsPerMinute?: number;
	readonly tokensPerMinute?: number;
	readonly authorize: Authorizer["authorize"];
}

/** One for each key that the owner gave; one where the machine's own credentials or nothing at all is sent. */
export function openAuthorizer(
	{ vendor, keys, credentials }: FoundVendor,
	outside: Outside = thisMachine,
): {
	readonly keys: readonly [AuthorizerKey, ...AuthorizerKey[]];
	/** What must never reach a client. */
	secrets(): readonly string[];
} {
	const held = credentials();
	if (held) {
		const { authorize, secrets } =
			held.of === "signing-keys"
				? awsSigner(held, outside.now)
				: googleToken(held, outside);
		return { keys: [{ id: onlyKey, weight: 1, authorize }], secrets };
	}
	const given = keys();
	const [first, ...others] = given.map(
		({ key, name, ...limits }): AuthorizerKey => ({
			id: name,
			...limits,
			authorize: withKey(vendor, key),
		}),
	);
	const secrets = given.map(({ key }) => key);
	return {
		keys: [
			first ?? {
				id: onlyKey,
				weight: 1,
				authorize: withKey(vendor, undefined),
			},
			...others,
		],
		secrets: () => secrets,
	};
}

function withKey(
	vendor: Vendor,
	key: string | undefined,
): Authorizer["authorize"] {
	const byProtocol: Record<string, Headers> = {};
	for (const protocol of Object.keys(vendor.bases)) {
		const auth =
			typeof vendor.auth === "string" ? vendor.auth : vendor.auth[protocol];
		byProtocol[protocol] =
			key === undefined || auth === undefined ? {} : headersOf(auth, key);
	}
	return ({ protocol }) => byProtocol[protocol] ?? {};
}

function headersOf(auth: VendorAuth, key: string): Headers {
	switch (auth) {
		case "none":
			return {};
		case "bearer":
			return { authorization: `Bearer ${key}` };
		default:
			return { [auth]: key };
	}
}

const thisMachine: Outside = {
	now: () => Date.now(),
	fetch: (url, init) => fetch(url, init),
	async readFile(path) {
		const { readFile } = await import("node:fs/promises");
		return readFile(path, "utf8");
	},
};
