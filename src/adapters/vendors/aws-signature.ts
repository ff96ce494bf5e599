import { createHash, createHmac } from "node:crypto";
import type { Authorizer, Unauthorized } from "./authorization.ts";
import type { Credentials } from "./registry.ts";

type AwsCredentials = Extract<Credentials, { of: "signing-keys" }>;
type Signer = InstanceType<typeof import("@smithy/signature-v4").SignatureV4>;

/** Headers of a request that are signed: the vendor sees them as they are here. */
const signed = ["content-type"];

/** Signs each request with AWS Signature Version 4. The library loads with the first. */
export function awsSigner(
	credentials: AwsCredentials,
	now: () => number,
): Authorizer {
	const { accessKeyId, secretAccessKey, sessionToken, service, region } =
		credentials;
	let opening: Promise<Signer> | undefined;

	async function open(): Promise<Signer> {
		const { SignatureV4 } = await import("@smithy/signature-v4");
		return new SignatureV4({
			service,
			region,
			credentials: {
				accessKeyId,
				secretAccessKey,
				...(sessionToken !== undefined && { sessionToken }),
			},
			sha256: Sha256,
			// The body is part of the signature either way: only one service wants its hash as a header too.
			applyChecksum: false,
		});
	}

	async function sign({
		method,
		url,
		headers,
		body,
	}: Unauthorized): Promise<Readonly<Record<string, string>>> {
		opening ??= open();
		const signer = await opening;
		const { protocol, hostname, port, host, pathname, searchParams } = new URL(
			url,
		);
		const known = Object.entries(headers).filter(([name]) =>
			signed.includes(name),
		);
		const result = await signer.sign(
			{
				method,
				protocol,
				hostname,
				...(port !== "" && { port: Number(port) }),
				path: pathname,
				query: Object.fromEntries(searchParams),
				headers: { ...Object.fromEntries(known), host },
				body,
			},
			{ signingDate: new Date(now()) },
		);
		return Object.fromEntries(
			Object.entries(result.headers).filter(
				([name]) => name === "authorization" || name.startsWith("x-amz-"),
			),
		);
	}

	const secrets = [secretAccessKey, sessionToken, accessKeyId].filter(
		(each) => each !== undefined,
	);
	return { authorize: sign, secrets: () => secrets };
}

/** The hash as the library wants it. */
class Sha256 {
	readonly #hash: ReturnType<typeof createHash | typeof createHmac>;

	constructor(secret?: unknown) {
		this.#hash =
			secret === undefined
				? createHash("sha256")
				: createHmac("sha256", secret as Uint8Array);
	}

	update(chunk: Uint8Array): void {
		this.#hash.update(chunk);
	}

	async digest(): Promise<Uint8Array> {
		return this.#hash.digest();
	}

	reset(): void {
		throw new Error("A hash is used once.");
	}
}
