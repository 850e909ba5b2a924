/** Owns the changes that a transaction makes through the ORM: the same on every database. */
import type { EntityManager } from "@mikro-orm/core";
import type { Entity } from "../core/transaction.ts";

export abstract class EntityWrites {
  /** The ORM's statements go the way of all others: on this connection, in the transaction that is open on it. */
  protected abstract readonly em: EntityManager;

  find<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<Row | null> {
    return this.em.findOne(entity as never, where as never) as Promise<Row | null>;
  }

  async insert<Row>(entity: Entity<Row>, row: Partial<Row>): Promise<number> {
    return (await this.em.insert(entity as never, row as never)) as number;
  }

  async update<Row>(entity: Entity<Row>, where: Partial<Row>, changes: Partial<Row>): Promise<void> {
    await this.em.nativeUpdate(entity as never, where as never, changes as never);
  }

  remove<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<number> {
    return this.em.nativeDelete(entity as never, where as never);
  }
}
