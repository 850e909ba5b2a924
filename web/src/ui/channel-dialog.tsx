/** Owns making a channel, and changing or removing one. */
import type { Channel } from "@keenchat/client";
import { useKeenchat } from "@keenchat/client/react";
import { useId, useState } from "react";
import { Dialog } from "./dialog.tsx";
import { go } from "./route.ts";

interface ChannelDialogProps {
  /** Missing: a new one. */
  channel?: Channel;
  onRemove?: () => void;
  onClose: () => void;
}

export function ChannelDialog({ channel, onRemove, onClose }: ChannelDialogProps) {
  const client = useKeenchat();
  const id = useId();
  const [title, setTitle] = useState(channel?.title ?? "");
  const [description, setDescription] = useState(channel?.description ?? "");
  return (
    <Dialog
      title={channel ? "Channel settings" : "New channel"}
      action={channel ? "Save" : "Make channel"}
      onAction={async () => {
        const input = { title, description };
        if (channel) await client.channel.put({ id: channel.id, ...input });
        else go((await client.channel.post(input)).id);
      }}
      onClose={onClose}
    >
      <label htmlFor={`${id}-title`}>Title</label>
      <input
        id={`${id}-title`}
        className="field"
        dir="auto"
        required
        autoComplete="off"
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      <label htmlFor={`${id}-description`}>What is it about?</label>
      <textarea
        id={`${id}-description`}
        className="field"
        dir="auto"
        rows={3}
        value={description}
        onChange={(event) => setDescription(event.target.value)}
      />
      {onRemove && (
        <button type="button" className="link remove" onClick={onRemove}>
          Remove this channel…
        </button>
      )}
    </Dialog>
  );
}

export function RemoveChannelDialog({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const client = useKeenchat();
  const remove = () => client.channel.delete({ id: channel.id });
  return (
    <Dialog title="Remove this channel?" action="Remove channel" danger onAction={remove} onClose={onClose}>
      <p>
        <b>
          <bdi>{channel.title}</bdi>
        </b>{" "}
        and every message in it will be gone, for everybody. This cannot be undone.
      </p>
    </Dialog>
  );
}
