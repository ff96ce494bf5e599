import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { memoryEventLog } from "../../adapters/event-log/memory.ts";
import { example } from "./example.testing.ts";
import { digest, signer } from "./log.testing.ts";
import { importLog } from "./portable.ts";
import { checkProof } from "./prove.ts";

const page = readFileSync(
	join(import.meta.dirname, "../../../docs/log-format.md"),
	"utf8",
);
const block = (language: string) =>
	new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "s").exec(page)?.[1] ?? "";
const sha256 = (...parts: (string | Uint8Array)[]) =>
	createHash("sha256")
		.update(Buffer.concat(parts.map((part) => Buffer.from(part))))
		.digest();
const trust = { verify: signer.verify, digest };

it("shows the export that we write, and that we read", async () => {
	const text = block("jsonl");
	expect(text).toBe((await example()).text);
	expect(
		await importLog({ log: memoryEventLog(), text: [text], ...trust }),
	).toMatchObject({ size: 3 });
});

it("shows the proof that we give, and that we believe", async () => {
	const shown = JSON.parse(block("json"));
	const { proof } = await example();
	expect(shown).toEqual(proof);
	expect(checkProof(shown, { ...trust, keys: [proof.key] })).toMatchObject({
		ok: true,
	});
	expect(page).toContain(`\`\`\`text\n${proof.checkpoint}\`\`\``);
	expect(page).toContain(`\`\`\`text\n${proof.key}\n\`\`\``);
});

it("computes as it says", () => {
	const leaves = block("jsonl")
		.split("\n")
		.slice(1, 4)
		.map((line) => sha256("\0", line));
	const [first, second, third] = leaves as [Buffer, Buffer, Buffer];
	const node = sha256("\x01", first, second);
	const root = sha256("\x01", node, third);
	for (const hash of [...leaves, node, root])
		expect(page).toContain(`\`${hash.toString("hex")}\``);
	expect(page).toContain(`\`${root.toString("base64")}\``);
	const { path, key } = JSON.parse(block("json"));
	expect(path).toEqual([first.toString("base64"), third.toString("base64")]);
	const [name, id, encoded] = key.split(/\+(.{8})\+/);
	expect(
		sha256(`${name}\n`, Buffer.from(encoded, "base64"))
			.subarray(0, 4)
			.toString("hex"),
	).toBe(id);
});
