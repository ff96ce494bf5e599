import type { Vendor, VendorAuth } from "../../ports/vendor.ts";
import type { Authorizer, Headers, Outside } from "./authorization.ts";
import { awsSigner } from "./aws-signature.ts";
import { googleToken } from "./google-token.ts";
import type { FoundVendor } from "./registry.ts";

export function openAuthorizer(
	{ vendor, key, credentials }: FoundVendor,
	outside: Outside = thisMachine,
): Authorizer {
	const held = credentials();
	if (held?.of === "signing-keys") return awsSigner(held, outside.now);
	if (held?.of === "login") return googleToken(held, outside);
	return staticKey(vendor, key());
}

function staticKey(vendor: Vendor, key: string | undefined): Authorizer {
	const byProtocol: Record<string, Headers> = {};
	for (const protocol of Object.keys(vendor.bases)) {
		const auth =
			typeof vendor.auth === "string" ? vendor.auth : vendor.auth[protocol];
		byProtocol[protocol] =
			key === undefined || auth === undefined ? {} : headersOf(auth, key);
	}
	const secrets = key === undefined ? [] : [key];
	return {
		authorize: ({ protocol }) => byProtocol[protocol] ?? {},
		secrets: () => secrets,
	};
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
