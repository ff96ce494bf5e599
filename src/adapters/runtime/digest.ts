import { hash } from "node:crypto";
import type { Digest } from "../../ports/digest.ts";

export const nodeDigest: Digest = {
	text: (text) => hash("sha256", text, "hex"),
	bytes: (bytes) => hash("sha256", bytes, "buffer"),
};
