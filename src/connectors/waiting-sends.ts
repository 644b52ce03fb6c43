/** What a change of a connector's credentials means for its messages that wait to be sent. */
export interface WaitingSends {
  /** Those that wait for a good token wait no longer. */
  resume(connector: { workspaceId: string; connectorId: string }): Promise<unknown>;
  /** None is sent any more; answers how many. */
  cancel(connector: { workspaceId: string; connectorId: string }): Promise<number>;
}
