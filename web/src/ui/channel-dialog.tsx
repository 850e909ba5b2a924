/** Owns creating a channel, and changing or deleting one. */
import type { Channel } from "@keenchat/client";
import { useKeenchat } from "@keenchat/client/react";
import { useState } from "react";
import { Dialog } from "./dialog.tsx";
import { Field } from "./form.tsx";
import { go } from "./route.ts";

interface ChannelDialogProps {
  /** Missing: a new one. */
  channel?: Channel;
  onRemove?: () => void;
  onClose: () => void;
}

export function ChannelDialog({ channel, onRemove, onClose }: ChannelDialogProps) {
  const client = useKeenchat();
  const [title, setTitle] = useState(channel?.title ?? "");
  const [description, setDescription] = useState(channel?.description ?? "");
  async function save() {
    const input = { title, description };
    if (channel) return client.channel.put({ id: channel.id, ...input });
    const { id } = await client.channel.post(input);
    onClose();
    go(id);
  }
  return (
    <Dialog
      title={channel ? "Channel settings" : "New channel"}
      action={channel ? "Save" : "Create channel"}
      fields={["title", "description"]}
      onAction={save}
      onClose={onClose}
    >
      {(problems) => (
        <>
          <Field label="Title" problem={problems["title"]}>
            {(own) => <input {...own} dir="auto" autoComplete="off" value={title} onChange={(event) => setTitle(event.target.value)} />}
          </Field>
          <Field label="What is it about?" problem={problems["description"]}>
            {(own) => (
              <textarea {...own} dir="auto" rows={3} value={description} onChange={(event) => setDescription(event.target.value)} />
            )}
          </Field>
          {onRemove && (
            <button type="button" className="link remove" onClick={onRemove}>
              Delete this channel…
            </button>
          )}
        </>
      )}
    </Dialog>
  );
}

export function RemoveChannelDialog({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const client = useKeenchat();
  const remove = () => client.channel.delete({ id: channel.id });
  return (
    <Dialog title="Delete this channel?" action="Delete channel" danger onAction={remove} onClose={onClose}>
      {() => (
        <p>
          <b>
            <bdi>{channel.title}</bdi>
          </b>{" "}
          and every message in it will be gone, for everybody. This cannot be undone.
        </p>
      )}
    </Dialog>
  );
}
