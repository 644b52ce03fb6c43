/** Pausing and resuming a queue is not offered by this server yet. */
export const QueueSwitch = () => null;
