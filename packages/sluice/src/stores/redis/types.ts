/** A client of `ioredis` or `iovalkey`, as far as the store needs it: `Redis`, with Sentinels too, or `Cluster`. */
export interface IoredisClient {
  evalsha(sha: string, keys: number, ...keysAndArguments: any[]): Promise<unknown>;
  eval(script: string, keys: number, ...keysAndArguments: any[]): Promise<unknown>;
  readonly options?: any;
  readonly isCluster?: boolean;
}

/** A client of `redis` (node-redis), as far as the store needs it: of `createClient`, `createCluster` or `createSentinel`. */
export interface NodeRedisClient {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<any>;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<any>;
}

export type RedisClient = IoredisClient | NodeRedisClient;

/** A client of `ioredis` or `iovalkey` that hears messages. */
export interface IoredisSubscriber {
  subscribe(...channels: any[]): Promise<unknown>;
  unsubscribe(...channels: any[]): Promise<unknown>;
  on(event: string, listener: (...args: any[]) => void): unknown;
  off(event: string, listener: (...args: any[]) => void): unknown;
  disconnect(): void;
  readonly stream?: any;
}

/** A client of `redis` that hears messages. */
export interface NodeRedisSubscriber {
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: string, listener: (...args: any[]) => void): unknown;
  connect(): Promise<unknown>;
  destroy(): void;
  unref(): void;
}

/** A client that can be made once more, with other options. */
export interface Duplicable {
  duplicate(options: object): any;
  readonly options?: any;
}
