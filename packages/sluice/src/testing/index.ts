export { algorithmLaws, type Law } from "./algorithm-laws.ts";
export { lawCalls } from "./law-calls.ts";
export type { LawCall, LawSubject } from "./law-subject.ts";
export { type ManualClock, type ManualClockOptions, manualClock } from "./manual-clock.ts";
export { type StoreCase, type StoreSuiteOptions, storeSuite } from "./store-suite.ts";
