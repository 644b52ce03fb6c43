import type { Migration } from "../src/platform/migration.ts";
import { tenantTable } from "./tenant-table.ts";

/** What a workspace's own calls do; files come and go by the engine's work alone. */
const TENANT_MAY: Record<string, string> = {
  evidence: "SELECT, INSERT, UPDATE",
  evidence_revisions: "SELECT, INSERT, UPDATE",
  evidence_files: "SELECT",
  stored_files: "",
  legal_holds: "SELECT, INSERT, UPDATE (released_at, released_by)",
  evidence_settings: "SELECT, INSERT, UPDATE",
};

/** What proves that controls work: what was asked for, handed in, looked at; and its files. */
export const migration: Migration = {
  name: "0018_evidence",
  async up(knex) {
    await knex.raw(`
      CREATE TABLE evidence (
        workspace_id  uuid        NOT NULL,
        id            uuid        NOT NULL DEFAULT gen_random_uuid(),
        -- What people call it by: EV-<number>.
        number        bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
        -- In the word of who began it: document, photo, screenshot.
        type          text        NOT NULL DEFAULT 'document' CHECK (length(type) BETWEEN 1 AND 100),
        description   text        NOT NULL DEFAULT '' CHECK (length(description) <= 4000),
        status        text        NOT NULL CHECK (status IN
          ('requested', 'draft', 'in_review', 'approved', 'rejected', 'expired')),
        control_id    uuid,
        -- Whom it is asked of, and until when.
        requested_of  uuid,
        due_on        date,
        -- Until when it counts once it is approved.
        expires_on    date,
        -- Who began it, as audit entries name who did something: telegram:<id>, key:<id>, person:<id>.
        created_by    text        NOT NULL,
        -- The revision that stands; 0: nothing was handed in yet.
        revision      integer     NOT NULL DEFAULT 0,
        -- The one that was approved and has not expired: it counts while a newer one is looked at.
        approved_revision integer,
        -- Somebody may need it as it is: neither it nor a file of it is deleted.
        held          boolean     NOT NULL DEFAULT false,
        -- One more with every change.
        version       integer     NOT NULL DEFAULT 1,
        created_at    timestamptz NOT NULL DEFAULT now(),
        updated_at    timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT evidence_control FOREIGN KEY (workspace_id, control_id)
          REFERENCES controls (workspace_id, id),
        CONSTRAINT evidence_requested_of FOREIGN KEY (workspace_id, requested_of)
          REFERENCES people (workspace_id, id),
        CONSTRAINT evidence_workspace FOREIGN KEY (workspace_id)
          REFERENCES workspaces (id) ON DELETE CASCADE
      );
      -- Partial, so that what looks one up by its key never takes it for as good.
      CREATE INDEX evidence_newest ON evidence (workspace_id, number) WHERE number > 0;
      CREATE INDEX evidence_in_status ON evidence (status, workspace_id, number);
      CREATE INDEX evidence_of_control ON evidence (control_id, workspace_id, number)
        WHERE control_id IS NOT NULL;
      CREATE INDEX evidence_expiring ON evidence (expires_on) WHERE approved_revision IS NOT NULL;

      -- What was handed in at one time, by whom, and what was decided about it. What was decided does not
      -- change afterwards; another file is another revision. A file that comes while one is looked at
      -- gives it the next number: whoever decides on the old one has not seen that file.
      CREATE TABLE evidence_revisions (
        workspace_id uuid        NOT NULL,
        evidence_id  uuid        NOT NULL,
        number       integer     NOT NULL CHECK (number > 0),
        submitted_by text        NOT NULL,
        -- Telegram's id of their account, where there is one: whoever is bound or unbound between
        -- handing in and deciding is still the same.
        submitted_account bigint,
        submitted_at timestamptz NOT NULL DEFAULT now(),
        decision     text        CHECK (decision IN ('approved', 'rejected')),
        decided_by   text,
        decided_account   bigint,
        decided_at   timestamptz,
        reason       text        CHECK (length(reason) <= 2000),
        -- The files that were stored then, as whoever decided saw them. Not by times: a file whose
        -- transaction began before the decision's, and ended after it, was not seen.
        decided_files uuid[],
        PRIMARY KEY (workspace_id, evidence_id, number),
        CONSTRAINT evidence_revisions_evidence FOREIGN KEY (workspace_id, evidence_id)
          REFERENCES evidence (workspace_id, id) ON DELETE CASCADE,
        CHECK ((decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL)),
        -- Nobody approves what they handed in.
        CHECK (decision IS DISTINCT FROM 'approved' OR decided_by <> submitted_by
          AND coalesce(decided_account <> submitted_account, true))
      );
      -- What was handed in, and what was decided, within a time.
      CREATE INDEX evidence_revisions_submitted ON evidence_revisions (workspace_id, submitted_at)
        WHERE number > 0;
      CREATE INDEX evidence_revisions_decided ON evidence_revisions (workspace_id, decided_at)
        WHERE decided_at IS NOT NULL;

      CREATE FUNCTION decision_stays() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'what was decided does not change' USING ERRCODE = 'HG004';
      END $$;
      CREATE TRIGGER decision_stays BEFORE UPDATE ON evidence_revisions FOR EACH ROW
        WHEN (OLD.decision IS NOT NULL) EXECUTE FUNCTION decision_stays();

      -- Objects of the store: each content once a workspace. The row is there before the object and
      -- after it, so that none is ever without a row.
      CREATE TABLE stored_files (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        state        text        NOT NULL CHECK (state IN ('writing', 'stored', 'deleting')),
        -- The file of evidence that it is written for: by it a download that goes on finds it.
        written_for  uuid,
        -- What opens it.
        key_sealed   bytea       NOT NULL,
        -- Of its content; null while it is being written.
        sha256       bytea       CHECK (length(sha256) = 32),
        size_bytes   bigint      CHECK (size_bytes >= 0),
        content_type text,
        created_at   timestamptz NOT NULL DEFAULT now(),
        -- Last sign of life of who writes it.
        touched_at   timestamptz NOT NULL DEFAULT now(),
        stored_at    timestamptz,
        verified_at  timestamptz,
        -- What the last verification found wrong.
        damage       text        CHECK (damage IN ('missing', 'altered')),
        -- Since when nobody may refer to it: new, or after a reference has gone. Null: somebody does.
        loose_since  timestamptz DEFAULT now(),
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT stored_files_workspace FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
        CHECK (state <> 'stored' OR (sha256 IS NOT NULL AND size_bytes IS NOT NULL AND stored_at IS NOT NULL))
      );
      CREATE UNIQUE INDEX stored_files_content ON stored_files (workspace_id, sha256)
        WHERE state = 'stored' AND damage IS NULL;
      CREATE INDEX stored_files_unfinished ON stored_files (touched_at) WHERE state <> 'stored';
      CREATE INDEX stored_files_loose ON stored_files (loose_since)
        WHERE state = 'stored' AND loose_since IS NOT NULL;
      -- Keys are wrapped anew in the order of ids.
      CREATE INDEX stored_files_by_id ON stored_files (id);
      CREATE INDEX stored_files_damaged ON stored_files (workspace_id, sha256) WHERE damage IS NOT NULL;
      CREATE INDEX stored_files_written_for ON stored_files (written_for, workspace_id)
        WHERE state = 'writing';

      CREATE TABLE evidence_files (
        workspace_id   uuid        NOT NULL,
        id             uuid        NOT NULL DEFAULT gen_random_uuid(),
        evidence_id    uuid        NOT NULL,
        revision       integer     NOT NULL,
        position       integer     NOT NULL DEFAULT 0,
        state          text        NOT NULL CHECK (state IN
          ('queued', 'downloading', 'stored', 'failed', 'quarantined')),
        -- As the sender's device named it, made harmless to show and to save.
        name           text        NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
        -- document, photo, video, voice, location, venue, link.
        kind           text        NOT NULL,
        -- What stands in it, where the message brought no file and we write one: until it is in the store.
        written        text        CHECK (octet_length(written) <= 65536),
        -- What was said of it before it was here.
        claimed_type   text,
        claimed_bytes  bigint,
        -- What it is, by its content.
        content_type   text,
        size_bytes     bigint,
        sha256         bytea       CHECK (length(sha256) = 32),
        -- In words for who reads about it; never a URL.
        error          text,
        -- The same for good, as its kind and what that is about: senders read it in their language.
        fault          jsonb,
        stored_file_id uuid,
        -- Of a download: how large it is said to be, how much is here, and how much was when it began.
        announced_bytes bigint,
        received_bytes  bigint NOT NULL DEFAULT 0,
        begun_bytes     bigint NOT NULL DEFAULT 0,
        -- Its sender was told what became of it.
        told           boolean NOT NULL DEFAULT false,
        -- Where it came from. Null: by the API.
        connector_id   uuid,
        chat_id        bigint,
        message_id     bigint,
        thread_id      bigint,
        media_group_id text,
        telegram_file_id   text,
        telegram_unique_id text,
        -- Telegram's time of the message.
        sent_at        timestamptz,
        -- Who handed in this one; null: whoever handed in its revision.
        submitted_by      text,
        submitted_account bigint,
        created_at     timestamptz NOT NULL DEFAULT now(),
        stored_at      timestamptz,
        -- Its content was kept long enough, or was to be deleted: what it was stays on record.
        removed_at     timestamptz,
        PRIMARY KEY (workspace_id, id),
        CONSTRAINT evidence_files_revision FOREIGN KEY (workspace_id, evidence_id, revision)
          REFERENCES evidence_revisions (workspace_id, evidence_id, number)
          ON UPDATE CASCADE ON DELETE CASCADE,
        CONSTRAINT evidence_files_stored FOREIGN KEY (workspace_id, stored_file_id)
          REFERENCES stored_files (workspace_id, id),
        CHECK (state NOT IN ('stored', 'quarantined') OR (sha256 IS NOT NULL AND size_bytes IS NOT NULL
          AND (stored_file_id IS NULL) = (removed_at IS NOT NULL) AND written IS NULL))
      );
      CREATE INDEX evidence_files_of ON evidence_files (evidence_id, workspace_id, revision, position);
      -- The same message is taken in once.
      CREATE UNIQUE INDEX evidence_files_message ON evidence_files
        (workspace_id, connector_id, chat_id, message_id, kind) WHERE message_id IS NOT NULL;
      CREATE INDEX evidence_files_content ON evidence_files (stored_file_id, workspace_id)
        WHERE stored_file_id IS NOT NULL;
      -- A file that Telegram sends a second time need not be fetched again.
      CREATE INDEX evidence_files_unique_id ON evidence_files (telegram_unique_id, workspace_id)
        WHERE stored_file_id IS NOT NULL;
      CREATE INDEX evidence_files_album ON evidence_files (workspace_id, connector_id, chat_id, media_group_id)
        WHERE media_group_id IS NOT NULL;

      CREATE TABLE legal_holds (
        workspace_id uuid        NOT NULL,
        id           uuid        NOT NULL DEFAULT gen_random_uuid(),
        evidence_id  uuid        NOT NULL,
        reason       text        NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
        placed_by    text        NOT NULL,
        placed_at    timestamptz NOT NULL DEFAULT now(),
        released_by  text,
        released_at  timestamptz,
        PRIMARY KEY (workspace_id, id),
        -- Evidence that is held is not deleted; a hold that was released goes with its evidence.
        CONSTRAINT legal_holds_evidence FOREIGN KEY (workspace_id, evidence_id)
          REFERENCES evidence (workspace_id, id) ON DELETE CASCADE,
        CHECK ((released_by IS NULL) = (released_at IS NULL))
      );
      CREATE INDEX legal_holds_of ON legal_holds (evidence_id, workspace_id, placed_at);

      -- What a workspace takes in, and how long it keeps it.
      CREATE TABLE evidence_settings (
        workspace_id   uuid    PRIMARY KEY,
        max_bytes      bigint  NOT NULL DEFAULT 2147483648 CHECK (max_bytes BETWEEN 1 AND 4294967296),
        -- Kinds of messages besides documents and photos: video, voice, audio, animation, video_note,
        -- location, link.
        kinds          text[]  NOT NULL DEFAULT '{}',
        -- By content, e.g. application/pdf or image/*. Empty: any.
        content_types  text[]  NOT NULL DEFAULT '{}',
        -- After this many days without a change, and unless it is held. Null: kept.
        keep_days      integer CHECK (keep_days BETWEEN 1 AND 36500),
        CONSTRAINT evidence_settings_workspace FOREIGN KEY (workspace_id)
          REFERENCES workspaces (id) ON DELETE CASCADE
      );

      -- Whoever places or releases a hold need not know of evidence.held. Its row is taken before the
      -- holds are counted: of two who change holds at once the second sees what the first one did.
      CREATE FUNCTION evidence_held_follows() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        of_workspace uuid := coalesce(NEW.workspace_id, OLD.workspace_id);
        of_evidence  uuid := coalesce(NEW.evidence_id, OLD.evidence_id);
      BEGIN
        PERFORM FROM evidence e WHERE e.workspace_id = of_workspace AND e.id = of_evidence
          FOR NO KEY UPDATE;
        UPDATE evidence e SET held = EXISTS (SELECT FROM legal_holds h
            WHERE h.workspace_id = of_workspace AND h.evidence_id = of_evidence
              AND h.released_at IS NULL)
          WHERE e.workspace_id = of_workspace AND e.id = of_evidence;
        RETURN NULL;
      END $$;
      CREATE TRIGGER evidence_held_follows AFTER INSERT OR UPDATE OR DELETE ON legal_holds
        FOR EACH ROW EXECUTE FUNCTION evidence_held_follows();
      -- A hold ends by being released, which stays on record.
      CREATE FUNCTION hold_stands() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'a legal hold that stands is released, not deleted' USING ERRCODE = 'HG001';
      END $$;
      CREATE TRIGGER hold_stands BEFORE DELETE ON legal_holds FOR EACH ROW
        WHEN (OLD.released_at IS NULL) EXECUTE FUNCTION hold_stands();
      -- Nor is it moved to where it holds something else.
      CREATE TRIGGER hold_stands_there BEFORE UPDATE OF evidence_id ON legal_holds
        FOR EACH ROW WHEN (NEW.evidence_id <> OLD.evidence_id) EXECUTE FUNCTION hold_stands();
      -- No other statement lets go of what is held.
      CREATE FUNCTION evidence_stays_held() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        NEW.held := EXISTS (SELECT FROM legal_holds h
          WHERE h.workspace_id = NEW.workspace_id AND h.evidence_id = NEW.id AND h.released_at IS NULL);
        RETURN NEW;
      END $$;
      CREATE TRIGGER evidence_stays_held BEFORE UPDATE OF held ON evidence FOR EACH ROW
        WHEN (OLD.held AND NOT NEW.held) EXECUTE FUNCTION evidence_stays_held();

      -- Here and not in the statements that delete: none of them can forget it.
      CREATE FUNCTION held_evidence_stays() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'evidence under legal hold is not deleted' USING ERRCODE = 'HG001';
      END $$;
      CREATE TRIGGER held_evidence_stays BEFORE DELETE ON evidence FOR EACH ROW
        WHEN (OLD.held) EXECUTE FUNCTION held_evidence_stays();
      CREATE FUNCTION referred_file_stays() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE is_held boolean;
      BEGIN
        SELECT e.held INTO is_held FROM evidence_files f JOIN evidence e
            ON e.workspace_id = f.workspace_id AND e.id = f.evidence_id
          WHERE f.workspace_id = OLD.workspace_id AND f.stored_file_id = OLD.id
          ORDER BY e.held DESC LIMIT 1;
        IF is_held THEN
          RAISE EXCEPTION 'evidence under legal hold is not deleted' USING ERRCODE = 'HG001';
        ELSIF NOT is_held THEN
          RAISE EXCEPTION 'a file that evidence refers to is not deleted' USING ERRCODE = 'HG002';
        END IF;
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
      END $$;
      CREATE TRIGGER referred_file_stays BEFORE DELETE ON stored_files FOR EACH ROW
        EXECUTE FUNCTION referred_file_stays();
      CREATE TRIGGER referred_file_is_not_given_up BEFORE UPDATE OF state ON stored_files
        FOR EACH ROW WHEN (NEW.state <> OLD.state AND NEW.state <> 'stored')
        EXECUTE FUNCTION referred_file_stays();
      -- The evidence's row is locked for it: a hold that is being placed is waited for. The same content
      -- in the place of one that was damaged takes nothing away; a file that is moved to other evidence is.
      CREATE FUNCTION held_evidence_file_stays() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE is_held boolean;
      BEGIN
        IF TG_OP = 'UPDATE' AND NEW.evidence_id = OLD.evidence_id THEN
          PERFORM FROM stored_files o JOIN stored_files n
              ON n.workspace_id = o.workspace_id AND n.sha256 = o.sha256
            WHERE o.workspace_id = OLD.workspace_id AND o.id = OLD.stored_file_id
              AND n.id = NEW.stored_file_id;
          IF FOUND THEN
            RETURN NEW;
          END IF;
        END IF;
        SELECT held INTO is_held FROM evidence
          WHERE workspace_id = OLD.workspace_id AND id = OLD.evidence_id FOR SHARE;
        IF is_held THEN
          RAISE EXCEPTION 'evidence under legal hold is not deleted' USING ERRCODE = 'HG001';
        END IF;
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
      END $$;
      CREATE TRIGGER held_evidence_file_stays BEFORE DELETE ON evidence_files FOR EACH ROW
        EXECUTE FUNCTION held_evidence_file_stays();
      CREATE TRIGGER held_evidence_file_keeps
        BEFORE UPDATE OF evidence_id, stored_file_id ON evidence_files
        FOR EACH ROW WHEN (OLD.stored_file_id IS NOT NULL
          AND (NEW.evidence_id, NEW.stored_file_id)
            IS DISTINCT FROM (OLD.evidence_id, OLD.stored_file_id))
        EXECUTE FUNCTION held_evidence_file_stays();

      -- A statement that empties a table asks no row whether it is held.
      CREATE FUNCTION evidence_is_not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'rows that may be under legal hold are deleted one by one'
          USING ERRCODE = 'HG001';
      END $$;
      ${["evidence", "evidence_revisions", "evidence_files", "stored_files", "legal_holds"]
        .map(
          (table) =>
            `CREATE TRIGGER evidence_is_not_emptied BEFORE TRUNCATE ON ${table}
              FOR EACH STATEMENT EXECUTE FUNCTION evidence_is_not_emptied();`,
        )
        .join("\n")}

      -- Only what is there is referred to. The lock meets that of who gives a file up: either they see
      -- the reference, or it sees that the file is going. After the row, so that policies come first.
      CREATE FUNCTION referred_file_is_stored() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM FROM stored_files WHERE workspace_id = NEW.workspace_id
          AND id = NEW.stored_file_id AND state = 'stored' FOR SHARE;
        IF NOT FOUND THEN
          RAISE EXCEPTION 'the stored file is going, or is not there yet' USING ERRCODE = 'HG003';
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER referred_file_is_stored AFTER INSERT OR UPDATE OF stored_file_id
        ON evidence_files FOR EACH ROW WHEN (NEW.stored_file_id IS NOT NULL)
        EXECUTE FUNCTION referred_file_is_stored();

      -- What nobody refers to any more is looked at, and goes.
      CREATE FUNCTION file_is_loose() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE stored_files SET loose_since = now() WHERE workspace_id = OLD.workspace_id
          AND id = OLD.stored_file_id AND state = 'stored';
        RETURN NULL;
      END $$;
      CREATE TRIGGER file_is_loose_by_deletion AFTER DELETE ON evidence_files
        FOR EACH ROW WHEN (OLD.stored_file_id IS NOT NULL) EXECUTE FUNCTION file_is_loose();
      CREATE TRIGGER file_is_loose_by_change AFTER UPDATE OF stored_file_id ON evidence_files
        FOR EACH ROW WHEN (OLD.stored_file_id IS DISTINCT FROM NEW.stored_file_id)
        EXECUTE FUNCTION file_is_loose();

      CREATE FUNCTION person_is_asked_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        UPDATE evidence SET requested_of = NULL
          WHERE workspace_id = OLD.workspace_id AND requested_of = OLD.id;
        RETURN OLD;
      END $$;
      CREATE TRIGGER person_is_asked_no_more BEFORE DELETE ON people
        FOR EACH ROW EXECUTE FUNCTION person_is_asked_no_more();

      ${Object.entries(TENANT_MAY)
        .map(([table, tenantMay]) => tenantTable(table, { tenantMay }))
        .join("\n")}
    `);
  },
};
