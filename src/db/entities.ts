/** All tables, for the ORM and its command line. */
import { SessionEntity } from "../features/auth/session.entity.ts";
import { ChannelEntity, RemovedChannelEntity } from "../features/channel/channel.entity.ts";
import { MessageEntity, MessageKeyEntity, RemovedMessageEntity } from "../features/message/message.entity.ts";
import { UserEntity } from "../features/user/user.entity.ts";
import { CounterEntity, EventEntity, SettingEntity } from "./log.entity.ts";

export const entities = [
  UserEntity,
  SessionEntity,
  ChannelEntity,
  RemovedChannelEntity,
  MessageEntity,
  MessageKeyEntity,
  RemovedMessageEntity,
  EventEntity,
  CounterEntity,
  SettingEntity,
];
