import { expect, it } from "vitest";
import type { DomainEvent } from "../../kernel/event.ts";
import { type ShadowCommand, shadows } from "./shadow-log.ts";

const command: ShadowCommand = {
	type: "score-shadow",
	call: "c1",
	account: "main",
	substrate: "one/m",
	shadow: { call: "c1_shadow", account: "lab", substrate: "two/m" },
	signals: { schema: true },
	agreement: { json: false },
	judged: { call: "c1_judge", score: 700 },
};

const decide = (recalled: ReadonlyMap<string, DomainEvent>) =>
	shadows.decide(command, null, { recalled } as never);

it("a shadow is scored once for each call, and both stand in one event", () => {
	const { type: _, ...data } = command;
	const scored = {
		stream: "shadow/c1",
		type: "shadow-scored",
		data,
		key: "shadow/c1",
	};
	expect(decide(new Map())).toEqual({ ok: true, events: [scored] });
	const [key = ""] = shadows.recall?.(command, null) ?? [];
	expect(decide(new Map([[key, {} as DomainEvent]]))).toEqual({
		ok: true,
		events: [],
	});
});
