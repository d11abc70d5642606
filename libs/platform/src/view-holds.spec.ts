import { describe, expect, it } from 'vitest';
import {
  holdersOf,
  MemoryViewStore,
  MemoryViewSwitch,
  MemoryViewWriter,
  SystemClock,
  SystemTimer,
  untilReleased,
  ViewsHeld,
  whileHeld,
  type HoldPorts,
} from '#platform';
import { SteppedTime, until } from '#testing';

const NAMES = ['one', 'two'];

const held = async (time: Partial<HoldPorts> = {}) => {
  const store = new MemoryViewStore();
  const [writer, views] = [new MemoryViewWriter(store), new MemoryViewSwitch(store)];
  for (const name of NAMES)
    store.checkpoints.set(name, { position: 1, eventId: 'a', scanned: 1, generation: 0 });
  const ports = { writer, views, clock: new SystemClock(), timer: new SystemTimer(), ...time };
  return { store, writer, views, ports };
};

const never = (): boolean => false;

describe('holding views', () => {
  it('is over when the holder lets go', async () => {
    const { ports, writer } = await held();
    let isReleased = false;
    const working = whileHeld(ports, NAMES, 'me', async () => {
      expect([...holdersOf(await writer.checkpoints()).keys()]).toEqual(['me']);
      const waiting = untilReleased(ports, never).then(() => (isReleased = true));
      await ports.timer.sleep(120);
      expect(isReleased).toBe(false);
      return { waiting };
    });
    await (
      await working
    ).waiting;
    expect(holdersOf(await writer.checkpoints()).size).toBe(0);
  });

  it('lets go also when the work fails', async () => {
    const { ports, writer } = await held();
    const failing = whileHeld(ports, NAMES, 'me', () => Promise.reject(new Error('it failed')));
    await expect(failing).rejects.toThrow('it failed');
    expect(holdersOf(await writer.checkpoints()).size).toBe(0);
  });

  it('is for one at a time', async () => {
    const { ports } = await held();
    await whileHeld(ports, NAMES, 'me', async () => {
      const another = whileHeld(ports, ['two'], 'you', () => Promise.resolve());
      await expect(another).rejects.toThrow(ViewsHeld);
    });
    await whileHeld(ports, ['two'], 'you', () => Promise.resolve());
  });

  it('is broken when the holder gives no sign of life, and not before', async () => {
    const stepped = new SteppedTime();
    const { ports, views, writer } = await held({ timer: stepped, clock: stepped.clock });
    await views.hold(NAMES, 'me');
    const renewing = (async () => {
      for (let beat = 0; beat < 20; beat += 1) {
        await stepped.sleep(2_000);
        await views.renew(NAMES, 'me');
      }
      return stepped.clock.monotonic();
    })();
    await untilReleased(ports, never);
    expect(holdersOf(await writer.checkpoints()).size).toBe(0);
    expect(stepped.clock.monotonic()).toBeGreaterThan((await renewing) + 10_000);
  });

  it('waits for every projector that lives to stop, and not for the dead', async () => {
    const { ports, views, writer } = await held();
    let beat = 0;
    let holds: readonly string[] = [];
    const beating = ports.timer.every(
      50,
      () => void views.beat({ id: 'alive', beat: ++beat, holds }),
    );
    await views.beat({ id: 'dead', beat: 7, holds: [] });
    let isWorking = false;
    const working = whileHeld(ports, NAMES, 'me', () => {
      isWorking = true;
      return Promise.resolve();
    });
    await until(async () => (await views.beats()).every(({ id }) => id === 'alive'));
    await until(async () => holdersOf(await writer.checkpoints()).has('me'));
    await ports.timer.sleep(150);
    expect(isWorking).toBe(false);
    holds = ['me'];
    await working;
    beating();
    expect(isWorking).toBe(true);
  });
});
